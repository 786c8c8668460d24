"""Commands for whoever runs the servers: migrations and settings."""

from adapters.cli.failures import FAILED
from adapters.cli.output import Result, Table
from adapters.cli.session import with_servers
from adapters.settings import Settings, list_settings


def migrate(*, check: bool = False, partitions: int | None = None) -> Result:
    """Bring the database to this version.

    Args:
        check: Change nothing, say what is pending, and exit with 1 where something is.
        partitions: Split the tables of the log into so many, by a hash of the tenant. This
            can be asked of a database in which nothing has happened yet, and only once.

    """
    from adapters.postgres.migrate import migrate as run_migrations  # noqa: PLC0415 - slow.

    def work(settings: Settings) -> Result:
        done = run_migrations(
            settings.owner_url,
            settings.database_url or "",
            check=check,
            partitions=partitions,
            kept_days=settings.read_model_version_days,
        )
        rows = [(name, "applied") for name in done.applied]
        rows += [(name, "pending") for name in done.pending]
        return Result(
            document=done,
            people=(Table(("NAME", "STATUS"), rows) if rows else "The database is up to date.",),
            code=FAILED if check and done.pending else 0,
        )

    return with_servers(work)


def settings() -> Result:
    """List every setting with its meaning, default and source; secrets are masked."""
    found = list_settings()
    rows = [(each.name, each.value, each.source, each.default, each.meaning) for each in found]
    columns = ("NAME", "VALUE", "SOURCE", "DEFAULT", "MEANING")
    return Result(document=found, people=(Table(columns, rows),))

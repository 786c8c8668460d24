"""`asiento migrate`: the schema by our SQL files, then the tables that read models declare."""

from pathlib import Path
from typing import Any, Final

import psycopg
import structlog
from msgspec import Struct
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.connections import unavailable
from adapters.postgres.partitions import partition_log
from adapters.postgres.tables import create_table, shape_of
from application.errors import Forbidden, Malformed
from projections.kernel import ReadModel, read_models

MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"
LOCK: Final = 0x617369656E746F  # "asiento": two migrations of one database take turns.
SERVER_VERSION_MIN: Final = 150_000
Connection = psycopg.Connection[tuple[Any, ...]]
log = structlog.get_logger()


class Migrated(Struct, frozen=True, kw_only=True):
    """Names of revisions and read models: what was done, and what waits."""

    applied: list[str]
    pending: list[str]


def migrate(
    admin_url: str, runtime_url: str, *, check: bool = False, partitions: int | None = None
) -> Migrated:
    """Bring the database to this version; with *check*, only say what is pending.

    Safe when two start at once: the second waits, then finds nothing to do. With *partitions*
    the tables of the log, empty as yet, are split by a hash of the tenant into so many.

    Raises:
        Unavailable: PostgreSQL does not answer.
        Malformed: The server or the database is not one that we can use.
        Refused: The log can't be split any more.

    """
    try:
        with psycopg.connect(admin_url, autocommit=True, connect_timeout=10) as connection:
            _check_server(connection)
            pending = _pending(connection)
            if check or not (pending or partitions):
                _let_in(connection, runtime_url)
                return Migrated(applied=[], pending=pending)
            connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            applied = _pending(connection)
            if applied:
                _upgrade(admin_url, connection)
            if partitions is not None and partition_log(connection, partitions):
                applied.append(f"{partitions} partitions")
            _let_in(connection, runtime_url)
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    except Exception as error:
        if isinstance(getattr(error, "orig", error), psycopg.errors.InsufficientPrivilege):
            raise _no_right(error) from error
        raise
    log.info("database.migrated", applied=applied)
    return Migrated(applied=applied, pending=[])


def _no_right(error: Exception) -> Forbidden:
    reason = str(getattr(error, "orig", error)).partition("\n")[0]
    return Forbidden(
        "database.no_right",
        f"This login may not make the schema: {reason}.",
        hint="Set DATABASE_ADMIN_URL to a login that owns the database and may create roles.",
    )


def _check_server(connection: Connection) -> None:
    if connection.info.server_version < SERVER_VERSION_MIN:
        raise Malformed(
            "database.too_old",
            f"This is PostgreSQL {connection.info.server_version // 10_000}.",
            hint="Use PostgreSQL 15 or newer.",
        )
    row = connection.execute("SHOW server_encoding").fetchone()
    if row != ("UTF8",):
        raise Malformed(
            "database.not_utf8",
            f"The encoding of this database is {row[0] if row else 'unknown'}.",
            hint="Create it with ENCODING 'UTF8'.",
        )


def revisions_after(version: str) -> list[str]:
    """Name the revisions after *version*, oldest first, without importing Alembic."""
    names = sorted(path.stem for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    return [name for name in names if name.split("_")[0] > version]


def _pending(connection: Connection) -> list[str]:
    found = connection.execute("SELECT to_regclass('public.schema_version')").fetchone()
    if found is None or found[0] is None:
        return [*revisions_after(""), *read_models()]
    row = connection.execute("SELECT version_num FROM schema_version").fetchone()
    if revisions := revisions_after(row[0] if row else ""):
        return [*revisions, *read_models()]
    known = {
        name: (version, shape)
        for name, version, shape in connection.execute(
            "SELECT name, version, shape FROM projection"
        )
    }
    return [
        name
        for name, model in read_models().items()
        if known.get(name) != (model.version, shape_of(model))
    ]


def _upgrade(admin_url: str, connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - slow to import, and rarely needed.
    from alembic.config import Config  # noqa: PLC0415 - as above.
    from sqlalchemy import create_engine  # noqa: PLC0415 - as above.
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 - as above.

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(admin_url), poolclass=NullPool
    )
    config = Config(MIGRATIONS / "alembic.ini")
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as alembic:
        config.attributes["connection"] = alembic
        command.upgrade(config, "head")
        alembic.commit()
    connection.execute("GRANT SELECT ON schema_version TO asiento_app")
    with connection.transaction():
        for model in read_models().values():
            _declare(connection, model)


def _declare(connection: Connection, model: type[ReadModel[Any]]) -> None:
    """Make the table of *model*, anew where it changed; the projector then fills it."""
    declared = (model.version, shape_of(model))
    found = connection.execute(
        "SELECT version, shape FROM projection WHERE name = %s", (model.name,)
    ).fetchone()
    if found == declared:
        return
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(model.name)))
    connection.execute(create_table(model, model.name))
    connection.execute("SELECT forget_cursors_v1(%s)", (model.name,))
    connection.execute(
        "INSERT INTO projection VALUES (%s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET version = excluded.version, shape = excluded.shape",
        (model.name, *declared),
    )


def _let_in(connection: Connection, runtime_url: str) -> None:
    """Let the login of run-time processes act as the application, and as nothing more."""
    user = conninfo_to_dict(runtime_url).get("user") or connection.info.user
    row = connection.execute(
        "SELECT pg_has_role(rolname, 'asiento_app', 'MEMBER') FROM pg_roles WHERE rolname = %s",
        (user,),
    ).fetchone()
    if row == (False,):
        connection.execute(sql.SQL("GRANT asiento_app TO {}").format(sql.Identifier(str(user))))

"""`asiento migrate`: the schema by our SQL files, then the tables that read models declare."""

from pathlib import Path
from typing import Any, Final

import psycopg
import structlog
from msgspec import Struct
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.connections import unavailable
from adapters.postgres.locks import MIGRATING
from adapters.postgres.models.keeping import outlived, remove_outlived
from adapters.postgres.models.tables import create_table, shape_of
from adapters.postgres.models.versions import consumer_of, table_name
from adapters.postgres.partitions import partition_log
from application.errors import Forbidden, Malformed
from projections.kernel import ReadModel, read_models

MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"
SERVER_VERSION_MIN: Final = 150_000
Connection = psycopg.Connection[tuple[Any, ...]]
log = structlog.get_logger()


class Migrated(Struct, frozen=True, kw_only=True):
    """Names of revisions and read models: what was done, and what waits."""

    applied: list[str]
    pending: list[str]


def migrate(
    admin_url: str,
    runtime_url: str,
    *,
    check: bool = False,
    partitions: int | None = None,
    kept_days: int | None = None,
) -> Migrated:
    """Bring the database to this version; with *check*, only say what is pending.

    Safe when two start at once: the second waits, then finds nothing to do. With *partitions*
    the tables of the log, empty as yet, are split by a hash of the tenant into so many. With
    *kept_days*, versions of read models that nobody kept up to date for so long are removed.

    Raises:
        Unavailable: PostgreSQL does not answer.
        Malformed: The server or the database is not one that we can use, or a read model
            changed and its version did not.
        Refused: The log can't be split any more.

    """
    try:
        with psycopg.connect(admin_url, autocommit=True, connect_timeout=10) as connection:
            _check_server(connection)
            pending = _pending(connection)
            if check or not (pending or partitions or outlived(connection, kept_days)):
                done = Migrated(applied=[], pending=pending)
            else:
                done = Migrated(applied=_apply(connection, admin_url, partitions), pending=[])
                done.applied.extend(remove_outlived(connection, kept_days))
                log.info("database.migrated", applied=done.applied)
            _let_in(connection, runtime_url)
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    except Exception as error:
        if isinstance(getattr(error, "orig", error), psycopg.errors.InsufficientPrivilege):
            raise _no_right(error) from error
        raise
    return done


def _apply(connection: Connection, admin_url: str, partitions: int | None) -> list[str]:
    """Do what is pending, alone among all that migrate this database, and name it."""
    connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATING,))
    applied = _pending(connection)
    if applied:
        _upgrade(admin_url, connection)
    if partitions is not None and partition_log(connection, partitions):
        applied.append(f"{partitions} partitions")
    return applied


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
    return [*_revisions_pending(connection), *_models_pending(connection)]


def _models_pending(connection: Connection) -> list[str]:
    """Name the read models whose version has no table here yet."""
    found = connection.execute("SELECT to_regclass('public.read_model')").fetchone()
    if found == (None,):
        return list(read_models())
    rows = connection.execute("SELECT name, version, shape FROM read_model")
    known = {(name, version): shape for name, version, shape in rows}
    for model in read_models().values():
        if known.get((model.name, model.version), shape_of(model)) != shape_of(model):
            raise _changed_in_place(model)
    return [name for name, model in read_models().items() if (name, model.version) not in known]


def _revisions_pending(connection: Connection) -> list[str]:
    """Name the revisions that this code has and the database has not; it may know later ones."""
    found = connection.execute("SELECT to_regclass('public.schema_version')").fetchone()
    if found is None or found[0] is None:
        return revisions_after("")
    row = connection.execute("SELECT version_num FROM schema_version").fetchone()
    return revisions_after(row[0] if row else "")


def _upgrade(admin_url: str, connection: Connection) -> None:
    if _revisions_pending(connection):
        _run_revisions(admin_url)
        connection.execute("GRANT SELECT ON schema_version TO asiento_app")
    with connection.transaction():
        for name in _models_pending(connection):
            _declare(connection, read_models()[name])


def _run_revisions(admin_url: str) -> None:
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


def _declare(connection: Connection, model: type[ReadModel[Any]]) -> None:
    """Make the table of a version of *model* that is new here; the projector then fills it."""
    connection.execute(create_table(model, table_name(model)))
    connection.execute("SELECT forget_cursors_v1(%s)", (consumer_of(model),))
    connection.execute(
        "INSERT INTO read_model (name, version, shape, built_at)"
        " SELECT %s, %s, %s, CASE WHEN EXISTS (SELECT FROM heads_v1()) THEN NULL ELSE now() END",
        (model.name, model.version, shape_of(model)),
    )


def _changed_in_place(model: type[ReadModel[Any]]) -> Malformed:
    return Malformed(
        "projection.changed_in_place",
        f"The columns of {model.name} changed, but its version is still {model.version}.",
        hint=f"Raise `version` of {model.__name__}: the new table is built beside the old one.",
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

"""Versions of read models that other code declares: kept to go back to, and let go of in the end.

What this code reads is never let go of, nor what another still keeps up to date.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

import psycopg
from msgspec import Struct
from psycopg import sql

from adapters.postgres.connections import unavailable
from adapters.postgres.locks import MIGRATING
from adapters.postgres.models.versions import consumer_named, table_named
from application.errors import Conflict, NotFound
from projections.kernel import read_models

Connection = psycopg.Connection[tuple[Any, ...]]
IN_USE_SECONDS: Final = 300.0
"""A projector says every minute which versions it keeps up to date."""

VERSIONS: LiteralString = """
SELECT name, version, made_at, built_at, seen_at, now(),
       coalesce(pg_total_relation_size(to_regclass(format('%I', name || '_v' || version))), 0)
FROM read_model ORDER BY name, version
"""
# By then nobody goes back to it: another was built as long ago, and was kept after it.
OUTLIVED: LiteralString = """
SELECT name, version FROM read_model AS r
WHERE seen_at < now() - %(kept)s AND EXISTS (
    SELECT FROM read_model AS o
    WHERE o.name = r.name AND o.built_at < now() - %(kept)s AND o.seen_at > r.seen_at
)
ORDER BY name, version
"""
# A rebuild leaves tables of its own beside the one that it is about.
TABLES: LiteralString = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
  AND (relname = %(table)s OR starts_with(relname, %(table)s || '__'))
"""
LOCK: LiteralString = "SELECT pg_advisory_xact_lock(%s)"
FENCE: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('projecting:' || %s, 0))"
FORGET: LiteralString = "SELECT forget_cursors_v1(%s)"
REMOVE: LiteralString = "DELETE FROM read_model WHERE name = %s AND version = %s"


class Kept(Struct, frozen=True, kw_only=True):
    """A version of a read model, and how it stands with the code that asks.

    Attributes:
        status: What this code reads is `serving`, or `building` for the first time; what other
            code declares is `in_use` while a projector keeps it up to date, and then `kept`.
        built_at: When it was up to date for the first time.
        seen_at: When a projector last said that it keeps it up to date.

    """

    name: str
    version: int
    status: str
    made_at: datetime
    built_at: datetime | None
    seen_at: datetime
    size_bytes: int


def list_versions(url: str) -> list[Kept]:
    """List all versions that there are, of all read models.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            return list(_kept(connection))
    except psycopg.OperationalError as error:
        raise unavailable(error) from error


def _kept(connection: Connection) -> Iterator[Kept]:
    declared = _declared()
    for name, version, made, built, seen, now, size in connection.execute(VERSIONS):
        used = now - seen < timedelta(seconds=IN_USE_SECONDS)
        if (name, version) in declared:
            status = "building" if built is None else "serving"
        else:
            status = "in_use" if used else "kept"
        yield Kept(
            name=name,
            version=version,
            status=status,
            made_at=made,
            built_at=built,
            seen_at=seen,
            size_bytes=size,
        )


def drop_version(admin_url: str, name: str, version: int) -> Kept:
    """Remove a version with its table and its cursors, and return what it was.

    Raises:
        NotFound: There is no such version.
        Conflict: It is read by this code, or kept up to date by other code.
        Unavailable: PostgreSQL does not answer.

    """
    try:
        with psycopg.connect(admin_url, autocommit=True, connect_timeout=10) as connection:
            with connection.transaction():
                connection.execute(LOCK, (MIGRATING,))
                gone = _droppable(connection, name, version)
                _remove(connection, name, version)
            return gone
    except psycopg.OperationalError as error:
        raise unavailable(error) from error


def outlived(connection: Connection, days: int | None) -> list[tuple[str, int]]:
    """Name the versions that nobody goes back to any more; without *days*, none."""
    if days is None:
        return []
    found = connection.execute(OUTLIVED, {"kept": timedelta(days=days)}).fetchall()
    return [(name, version) for name, version in found if (name, version) not in _declared()]


def remove_outlived(connection: Connection, days: int | None) -> list[str]:
    """Remove these, and say so of each."""
    gone = outlived(connection, days)
    for name, version in gone:
        with connection.transaction():
            _remove(connection, name, version)
    return [f"without {consumer_named(name, version)}" for name, version in gone]


def _declared() -> set[tuple[str, int]]:
    return {(model.name, model.version) for model in read_models().values()}


def _droppable(connection: Connection, name: str, version: int) -> Kept:
    versions = {(each.name, each.version): each for each in _kept(connection)}
    found = versions.get((name, version))
    if found is None:
        raise NotFound(
            "projections.no_version",
            f"There is no version {version} of {name}.",
            hint="`asiento projections versions` lists those there are.",
        )
    if found.status in {"serving", "building"}:
        raise Conflict(
            "projections.version_in_use",
            f"Version {version} of {name} is what this version of Asiento reads.",
            hint="Only what other versions of Asiento read can be dropped.",
        )
    if found.status == "in_use":
        raise Conflict(
            "projections.version_in_use",
            f"A projector kept version {version} of {name} up to date in the last"
            f" {IN_USE_SECONDS:.0f} s.",
            hint="Stop the processes of that version of Asiento, and wait as long.",
        )
    return found


def _remove(connection: Connection, name: str, version: int) -> None:
    consumer = consumer_named(name, version)
    # Whoever folds into it just now is waited for.
    connection.execute(FENCE, (consumer,))
    tables = connection.execute(TABLES, {"table": table_named(name, version)}).fetchall()
    for (table,) in tables:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))
    connection.execute(FORGET, (consumer,))
    connection.execute(REMOVE, (name, version))

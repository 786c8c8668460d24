"""Take a closed log out of the database, once its archive is proved, and put it back.

Each is one transaction of the owner of the tables: broken off at any point, nothing was done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from msgspec import Struct
from psycopg import sql

from adapters.accounts.memberships import CONSUMER as MEMBERSHIPS
from adapters.audit.chain import Progress, silent
from adapters.audit.keys import count_missing, put_keys
from adapters.audit.log import verify_on
from adapters.audit.reading import Checked, Log, MarkOf, no_mark, open_log, verify_file
from adapters.audit.recipe import FIRST_LINK, SEPARATOR, Record
from adapters.credentials.settling import CONSUMER as CREDENTIALS
from adapters.postgres.connections import ACT_AS_APPLICATION, SET_TENANT, unavailable
from adapters.postgres.copied import Connection
from adapters.postgres.projecting.consumers import consumer_names
from adapters.webhooks.endpoints import CONSUMER as WEBHOOKS
from adapters.worker.queue import CONSUMER
from application.errors import Conflict, Forbidden
from domain.ids import TenantId
from domain.kernel import Refused

BATCH_EVENTS: Final = 5_000
MICROS: Final = 1_000_000
UNFIT: Final = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)
BATCH_TAG: Final = b"batch:"

CLOSE: LiteralString = "SELECT close_log_v1(%s)"
HEAD: LiteralString = """
SELECT position, hash, closed_at IS NOT NULL FROM log_head WHERE tenant_id = %s FOR UPDATE
"""
MAKE_HEAD: LiteralString = """
INSERT INTO log_head (tenant_id, position, hash, closed_at) VALUES (%s, 0, %s, now())
ON CONFLICT DO NOTHING
"""
SET_HEAD: LiteralString = "UPDATE log_head SET position = %s, hash = %s WHERE tenant_id = %s"
REOPEN: LiteralString = "UPDATE log_head SET closed_at = NULL WHERE tenant_id = %s"
TABLES: LiteralString = """
SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
  AND c.relname <> 'log_head'
ORDER BY 1
"""
CLAIM_CURSORS: LiteralString = """
INSERT INTO projection_cursor (tenant_id, projection, position)
SELECT %s, name, 0 FROM unnest(%s::text[]) AS name ON CONFLICT DO NOTHING
"""
LOCK_CURSORS: LiteralString = "SELECT FROM projection_cursor WHERE tenant_id = %s FOR UPDATE"
# What the log led to when it was new, it does not lead to again.
SKIP_DONE: LiteralString = """
INSERT INTO projection_cursor (tenant_id, projection, position)
SELECT %s, done.name, %s
FROM (
    SELECT unnest(%s::text[]) AS name
    UNION ALL SELECT 'reaction:' || r.name FROM reaction AS r WHERE NOT r.of_system
) AS done
ON CONFLICT (tenant_id, projection) DO UPDATE SET position = excluded.position
"""
PUT_EVENTS: LiteralString = """
INSERT INTO event (
    tenant_id, position, type, tags, data, recorded_at, actor, correlation_id, causation_id, hash
)
SELECT %s, e.position, e.type, string_to_array(e.tags, chr(31)), e.data,
       'epoch'::timestamptz + e.seconds * interval '1 second'
       + e.micros * interval '1 microsecond',
       e.actor, e.correlation, e.causation, e.hash
FROM unnest(
    %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bigint[],
    %b::text[], %b::text[], %b::text[], %b::bytea[]
) AS e (position, type, tags, data, seconds, micros, actor, correlation, causation, hash)
"""
PUT_TAGS: LiteralString = """
INSERT INTO event_tag (tenant_id, tag, type, position)
SELECT e.tenant_id, t.tag, e.type, e.position FROM event AS e, unnest(e.tags) AS t (tag)
WHERE e.tenant_id = %s AND e.position BETWEEN %s AND %s
"""


class Removed(Struct, frozen=True, kw_only=True):
    """How many rows of each table are gone."""

    rows: dict[str, int]


class Restored(Struct, frozen=True, kw_only=True):
    """What a log is after its restoration: its events, its head in hex."""

    events: int
    head: str
    put_back: bool
    keys: int  # How many were missing, and are there now.
    closed: bool


def close_log(url: str, tenant: TenantId) -> None:
    """Let no event more into a log. Closed again, nothing happens.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    try:
        with psycopg.connect(url) as connection:
            connection.execute(ACT_AS_APPLICATION)
            connection.execute(CLOSE, (tenant,))
    except psycopg.OperationalError as error:
        raise unavailable(error) from error


def archived(path: Path, on_progress: Progress = silent, mark_of: MarkOf = no_mark) -> Checked:
    """Verify an archive.

    Raises:
        Refused: It is an export for readers.
        Malformed: It is no export at all.
        Conflict: It is not as it was written, or not the one that was anchored.

    """
    checked = proved(path, on_progress, mark_of)
    if not checked.header.archive:
        raise Refused(
            "tenants.no_archive",
            f"{path.name} is an export for readers and no archive: what is personal would be lost.",
            hint="Name a file that `asiento tenant close` wrote; it makes one under a new name.",
        )
    return checked


def check_keys(connection: Connection, tenant: TenantId, archive: Checked) -> None:
    """Refuse an archive that lacks a key of the database, or holds another in its place."""
    if missing := count_missing(connection, tenant, archive.keys):
        raise Refused(
            "tenants.keys_missing",
            f"Keys of personal data that the database holds are not in the file: {missing}.",
            hint="Write the archive anew: `asiento tenant close SLUG --to FILE --force`.",
        )


def proved(path: Path, on_progress: Progress = silent, mark_of: MarkOf = no_mark) -> Checked:
    """Verify an export.

    Raises:
        Malformed: It is no export at all.
        Conflict: It is not as it was written, or not the one that was anchored.

    """
    checked = verify_file(path, on_progress, mark_of)
    if not checked.verified.ok:
        raise Conflict(
            "audit.bad_file",
            f"{path.name} is not what was exported, at event"
            f" {checked.verified.first_bad}: {checked.verified.reason}",
            hint="Don't trust it. Use another copy; nothing was done.",
        )
    return checked


def remove(admin_url: str, archive: Checked, on_progress: Progress = silent) -> Removed:
    """Delete the rows of a tenant whose log is *archive* to the last event, and was closed.

    What stays is an empty log that is closed. Removed again, nothing happens.

    Raises:
        Refused: The log is open, or the archive does not hold all of it and all keys.
        Forbidden: The login does not own the tables.
        Unavailable: PostgreSQL does not answer.

    """
    tenant, end = TenantId(archive.header.tenant), archive.verified
    with _owner(admin_url, tenant) as connection:
        position, link, closed = connection.execute(HEAD, (tenant,)).fetchone() or (0, b"", False)
        if not closed:
            raise Refused(
                "tenants.not_closed",
                f"The books of {archive.header.slug} are not closed.",
                hint="Close them first: `asiento tenant close SLUG --to FILE`.",
            )
        if position and (position, link.hex()) != (end.events, end.head):
            raise Refused(
                "tenants.other_archive",
                f"The log ends at {position}, and not as the archive does at {end.events}.",
                hint="Name the archive that `asiento tenant close` made last.",
            )
        check_keys(connection, tenant, archive)
        # The projector leaves alone what is locked, and finds an empty log afterwards.
        consumers = [*consumer_names()[0], CONSUMER, WEBHOOKS, CREDENTIALS, MEMBERSHIPS]
        claimed = connection.execute(CLAIM_CURSORS, (tenant, consumers)).rowcount
        connection.execute(LOCK_CURSORS, (tenant,))
        rows: dict[str, int] = {}
        tables = [name for (name,) in connection.execute(TABLES)]
        for done, table in enumerate(tables, 1):
            statement = sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(sql.Identifier(table))
            rows[table] = connection.execute(statement, (tenant,)).rowcount
            on_progress(done, len(tables))
        rows["projection_cursor"] -= claimed
        connection.execute(SET_HEAD, (0, FIRST_LINK, tenant))
    return Removed(rows=rows)


def restore(
    admin_url: str, path: Path, archive: Checked, *, reopen: bool, on_progress: Progress = silent
) -> Restored:
    """Put a log back event by event, and verify it in the same transaction.

    Keys that are missing come back too, also to a log that is there; none is replaced. Jobs that
    it started once are not started again, and nothing reacts to it a second time. Restored
    again, nothing happens.

    Raises:
        Refused: There is another log of this tenant.
        Conflict: What was put back is not what was archived; nothing was done.
        Forbidden: The login does not own the tables.
        Unavailable: PostgreSQL does not answer.

    """
    tenant, end = TenantId(archive.header.tenant), archive.verified
    with _owner(admin_url, tenant) as connection:
        connection.execute(MAKE_HEAD, (tenant, FIRST_LINK))
        position, link, closed = connection.execute(HEAD, (tenant,)).fetchone() or (0, b"", True)
        if position and (position, link.hex()) != (end.events, end.head):
            raise Refused(
                "tenants.other_log",
                f"There is a log of this tenant that ends at {position}, and not as the file"
                f" does at {end.events}.",
                hint="Nothing was done. A log that is there is not written over.",
            )
        put_back = not position and end.events > 0
        if put_back:
            _put_back(connection, tenant, path, archive, on_progress)
        keys = put_keys(connection, tenant, archive.keys)
        if reopen:
            connection.execute(REOPEN, (tenant,))
    closed = closed and not reopen
    return Restored(events=end.events, head=end.head, put_back=put_back, keys=keys, closed=closed)


def _put_back(
    connection: Connection, tenant: TenantId, path: Path, archive: Checked, on_progress: Progress
) -> None:
    end = archive.verified
    with open_log(path) as file:
        records = Log(file).records()
        while batch := list(islice(records, BATCH_EVENTS)):
            _put_batch(connection, tenant, batch)
            on_progress(batch[-1].position, end.events)
    connection.execute(SET_HEAD, (end.events, bytes.fromhex(end.head), tenant))
    connection.execute(SKIP_DONE, (tenant, end.events, [CONSUMER, WEBHOOKS]))
    found = verify_on(connection, tenant)
    if not found.ok:
        raise Conflict(
            "audit.not_restored",
            f"What was put back differs at event {found.first_bad}: {found.reason}",
            hint="Nothing was done. The file may have been changed meanwhile: try again.",
        )


def _put_batch(connection: Connection, tenant: TenantId, batch: list[Record]) -> None:
    texts = [each.fields() for each in batch]
    times = [divmod(int(each.recorded_at), MICROS) for each in texts]
    columns = (
        [each.position for each in batch],
        [each.type.decode() for each in texts],
        [each.tags.decode() for each in texts],
        [each.data.decode() for each in texts],
        [seconds for seconds, _ in times],
        [micros for _, micros in times],
        [each.actor.decode() for each in texts],
        [each.correlation_id.decode() for each in texts],
        [each.causation_id.decode() for each in texts],
        [each.hash for each in batch],
    )
    connection.execute(PUT_EVENTS, (tenant, *columns))
    connection.execute(PUT_TAGS, (tenant, batch[0].position, batch[-1].position))


def batches_in(path: Path) -> frozenset[str]:
    """Name the import batches that the events of a file speak of."""
    with open_log(path) as file:
        return frozenset(
            tag.removeprefix(BATCH_TAG).decode()
            for record in Log(file).records()
            for tag in record.fields().tags.split(SEPARATOR)
            if tag.startswith(BATCH_TAG)
        )


@contextmanager
def _owner(url: str, tenant: TenantId) -> Iterator[Connection]:
    """Open a transaction of the owner of the tables, on the rows of *tenant*."""
    try:
        with psycopg.connect(url, client_encoding="utf8") as connection:
            connection.execute(SET_TENANT, (tenant,))
            yield connection
    except (*UNFIT, ValueError) as error:
        raise Conflict(
            "audit.bad_file",
            f"The file holds what no log can hold ({type(error).__name__}).",
            hint="Don't trust it. Use another copy; nothing was done.",
        ) from error
    except psycopg.OperationalError as error:
        raise unavailable(error) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Forbidden(
            "database.not_owner",
            "This login does not own the tables.",
            hint="Set DATABASE_ADMIN_URL to the login that migrates.",
        ) from error

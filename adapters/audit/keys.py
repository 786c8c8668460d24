"""The keys of data subjects as lines of a file: wrapped for an archive, open for a reader.

A wrapped key is worth nothing without the master key of the instance. An open one lets whoever
has the file read what it sealed, for as long as there is a copy of the file.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, LiteralString

from adapters.audit.form import KeyLine
from adapters.keyring import Keyring
from adapters.postgres.copied import Connection
from adapters.postgres.subject_keys import binding_of
from domain.ids import TenantId

PERSON: Final = ":"
"""Only what is the name of a person holds one."""

# What was forgotten more often than its generation says is gone, destroyed yet or not.
KEYS: LiteralString = """
SELECT k.subject, k.generation, k.master, k.created_at, k.forgotten_at,
       CASE WHEN k.generation >= (
           SELECT count(*) FROM event_tag AS t
           WHERE t.tenant_id = k.tenant_id AND t.tag = k.subject AND t.type = 'SubjectForgotten'
       ) THEN k.wrapped END
FROM subject_key AS k
WHERE k.tenant_id = %s
ORDER BY k.subject, k.generation
"""
# A key is made before its event, which a closed log then refuses: it seals nothing.
IDLE: LiteralString = """
SELECT k.subject FROM subject_key AS k
WHERE k.tenant_id = %s AND position(':' IN k.subject) > 0 AND NOT EXISTS (
    SELECT FROM event_tag AS t WHERE t.tenant_id = k.tenant_id AND t.tag = k.subject
)
"""
PUT: LiteralString = """
INSERT INTO subject_key
    (tenant_id, subject, generation, wrapped, master, created_at, forgotten_at)
VALUES (%s, %s, %s, %s, %s, %s, CASE WHEN %s::bytea IS NULL THEN coalesce(%s, now()) END)
ON CONFLICT DO NOTHING
"""


def wrapped_keys(connection: Connection, tenant: TenantId) -> Iterator[KeyLine]:
    """Give the keys as the database holds them."""
    for subject, generation, master, created, forgotten, wrapped in _rows(connection, tenant):
        yield KeyLine(
            subject=subject,
            generation=generation,
            master=master,
            key=None if wrapped is None else b64encode(wrapped).decode(),
            created_at=created,
            forgotten_at=forgotten,
        )


def open_keys(connection: Connection, tenant: TenantId, keyring: Keyring) -> Iterator[KeyLine]:
    """Give the keys of persons unwrapped.

    Raises:
        Unavailable: The master key of one of them is not here.

    """
    for subject, generation, master, created, forgotten, wrapped in _rows(connection, tenant):
        if PERSON not in subject:
            continue
        key = None
        if wrapped is not None:
            key = keyring.unwrap(master, wrapped, binding_of(tenant, subject, generation))
        yield KeyLine(
            subject=subject,
            generation=generation,
            master=None,
            key=None if key is None else b64encode(key).decode(),
            created_at=created,
            forgotten_at=forgotten,
        )


def count_missing(connection: Connection, tenant: TenantId, keys: Sequence[KeyLine]) -> int:
    """Count the keys in the database that seal something, and that *keys* do not hold."""
    held = {_substance(each) for each in keys}
    idle = {subject for (subject,) in connection.execute(IDLE, (tenant,))}
    lines = (each for each in wrapped_keys(connection, tenant) if each.subject not in idle)
    return sum(_substance(each) not in held for each in lines)


def put_keys(connection: Connection, tenant: TenantId, keys: Sequence[KeyLine]) -> int:
    """Put wrapped keys where none are, and return how many; open ones are for readers."""
    rows = []
    for each in keys:
        if each.master is not None:
            key = None if each.key is None else b64decode(each.key)
            place = (tenant, each.subject, each.generation)
            rows.append((*place, key, each.master, each.created_at, key, each.forgotten_at))
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.executemany(PUT, rows)
        return cursor.rowcount


def _substance(line: KeyLine) -> tuple[str, int, str | None, str | None]:
    return line.subject, line.generation, line.master, line.key


def _rows(
    connection: Connection, tenant: TenantId
) -> list[tuple[str, int, str, datetime, datetime | None, bytes | None]]:
    return connection.execute(KEYS, (tenant,)).fetchall()

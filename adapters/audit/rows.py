"""The events of a log as PostgreSQL's binary COPY sends them, a row at a time, in order.

The server leads every field by its length and joins them, with nothing but functions of its own, so
that a row is hashed as it comes. The tags are sent and counted too, as the hash can't tell a plain
list from an odd one.
"""

import struct
from collections.abc import Iterator
from typing import Final, LiteralString

from psycopg import sql

from adapters.audit.recipe import LINK_BYTES, SEPARATOR, Record, Unfit, well_formed
from adapters.postgres.copied import Connection, copied_rows
from domain.ids import TenantId

# What has a fixed length comes first. A field that is missing (NULL) makes the whole missing.
EVENTS: LiteralString = """
COPY (
    SELECT position, hash,
           CASE WHEN array_ndims(tags) = 1 AND array_lower(tags, 1) = 1 AND '' <> ALL (tags)
           THEN cardinality(tags) ELSE -cardinality(tags) END,
           array_to_string(tags, chr(31), ''),
           length(position::text) || ':' || position
           || octet_length(type) || ':' || type
           || octet_length(array_to_string(tags, chr(31), '')) || ':'
           || array_to_string(tags, chr(31), '')
           || CASE WHEN isfinite(recorded_at) THEN
              length((extract(epoch FROM recorded_at) * 1000000)::bigint::text) || ':'
              || (extract(epoch FROM recorded_at) * 1000000)::bigint END
           || octet_length(actor) || ':' || actor
           || octet_length(correlation_id) || ':' || correlation_id
           || octet_length(causation_id) || ':' || causation_id
           || octet_length(data) || ':' || data
    FROM event WHERE tenant_id = {} ORDER BY position
) TO STDOUT (FORMAT binary)
"""
# By the index, a row comes as soon as it is read: to sort them all first would cost more.
IN_ORDER: LiteralString = "SET LOCAL enable_sort = off"
FIXED: Final = struct.Struct(f">hiqi{LINK_BYTES}siii")
PREFIXES: Final = (5, 8, LINK_BYTES, 4)
"""How many fields there are, and the length that is sent before each of the first three."""

PREFIX_BYTES: Final = 4
INT8_BYTES: Final = 8
PLAIN: Final = bytes(range(ord(" "), ord("~") + 1))
TAGS_MAX: Final = 100
SEPARATORS: Final = {many: SEPARATOR * max(many - 1, 0) for many in range(TAGS_MAX)}
"""What is left of so many tags when all that is plain was taken out."""


def read_rows(connection: Connection, tenant: TenantId) -> Iterator[Record]:
    """Stream all events of *tenant* by position, those that have no right to be there too.

    Raises:
        Unfit: A row holds what no append could have written.

    """
    statement = sql.SQL(EVENTS).format(sql.Literal(tenant))
    connection.execute(IN_ORDER)
    yield from map(read_row, copied_rows(connection, statement))


def read_row(row: bytes) -> Record:
    """Read one row of EVENTS, or raise ``Unfit``."""
    try:
        fields, at, position, p1, link, p2, many, tags_bytes = FIXED.unpack_from(row)
    except struct.error:
        raise Unfit(None, "A row can't be read.") from None
    content = row[FIXED.size + tags_bytes + PREFIX_BYTES :]
    if (fields, at, p1, p2) != PREFIXES or not content:
        raise Unfit(
            position if at == INT8_BYTES else None,
            f"A field is missing (NULL), its time is infinite, or its hash is not {LINK_BYTES} "
            "bytes long.",
        )
    if position < 1:
        raise Unfit(position, "A log begins at position 1.")
    tags = row[FIXED.size : FIXED.size + tags_bytes]
    if tags.translate(None, PLAIN) != SEPARATORS.get(many) and not well_formed(tags, many):
        raise Unfit(position, "Its tags are no plain list of printable texts.")
    return Record(position, many, link, content)

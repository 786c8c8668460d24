"""The events of a log as PostgreSQL's binary COPY sends them, a row at a time, in order.

Every field is taken as its bytes; only the list of tags is joined by the server, and counted, as
the hash can't tell a plain list from an odd one.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from adapters.audit.recipe import LINK_BYTES, Record, Unfit, well_formed
from domain.ids import TenantId

Connection = psycopg.Connection[tuple[Any, ...]]  # Any: rows of several shapes.

# What has a fixed length comes first, the lengths of the rest with it: one call reads it all.
EVENTS: LiteralString = """
COPY (
    SELECT position, recorded_at, hash,
           CASE WHEN array_ndims(tags) = 1 AND array_lower(tags, 1) = 1
           THEN cardinality(tags) ELSE -cardinality(tags) END,
           octet_length(type), octet_length(actor), octet_length(correlation_id),
           octet_length(causation_id), octet_length(data),
           type, actor, correlation_id, causation_id, data, array_to_string(tags, chr(31), '')
    FROM event WHERE tenant_id = {} ORDER BY position
) TO STDOUT (FORMAT binary)
"""
FIXED: Final = struct.Struct(f">hiqiqi{LINK_BYTES}s" + "ii" * 6)
PREFIXES: Final = (15, 8, 8, LINK_BYTES, *[4] * 6)
"""How many fields there are, and the length that is sent before each of the first nine."""

PREFIX_BYTES: Final = 4
INT8_BYTES: Final = 8
SIGNATURE_BYTES: Final = 19
END: Final = b"\xff\xff"
EPOCH_MICROS: Final = 946_684_800_000_000
"""PostgreSQL counts time from 2000-01-01; its infinities are the ends of an int64."""

INFINITE: Final = frozenset({2**63 - 1, -(2**63)})


def read_rows(connection: Connection, tenant: TenantId) -> Iterator[Record]:
    """Stream all events of *tenant* by position, those that have no right to be there too.

    Raises:
        Unfit: A row holds what no append could have written.

    """
    statement = sql.SQL(EVENTS).format(sql.Literal(tenant))
    with connection.cursor().copy(statement) as copy:
        first = bytes(copy.read())[SIGNATURE_BYTES:]
        if len(first) > len(END):
            yield read_row(first)
        for part in copy:
            row = bytes(part)
            if len(row) > len(END):
                yield read_row(row)


def read_row(row: bytes) -> Record:
    """Read one row of EVENTS, or raise ``Unfit``."""
    # fmt: off
    try:
        (
            fields, at, position, at2, time, at3, link, p1, many,
            p2, kind, p3, actor, p4, correlation, p5, causation, p6, data,
        ) = FIXED.unpack_from(row)
    except struct.error:
        raise Unfit(None, "A row can't be read.") from None
    # fmt: on
    if (fields, at, at2, at3, p1, p2, p3, p4, p5, p6) != PREFIXES:
        raise Unfit(
            position if at == INT8_BYTES else None,
            f"A field is missing (NULL), or its hash is not {LINK_BYTES} bytes long.",
        )
    if position < 1:
        raise Unfit(position, "A log begins at position 1.")
    if time in INFINITE:
        raise Unfit(position, "Its time of recording is infinite.")
    kind += (start := FIXED.size + PREFIX_BYTES)
    actor += (actor_at := kind + PREFIX_BYTES)
    correlation += (correlation_at := actor + PREFIX_BYTES)
    causation += (causation_at := correlation + PREFIX_BYTES)
    data += (data_at := causation + PREFIX_BYTES)
    tags = row[data + PREFIX_BYTES :]
    if not well_formed(tags, many):
        raise Unfit(position, "Its tags are no plain list of printable texts.")
    return Record(
        position,
        row[start:kind],
        tags,
        many,
        time + EPOCH_MICROS,
        row[actor_at:actor],
        row[correlation_at:correlation],
        row[causation_at:causation],
        row[data_at:data],
        link,
    )

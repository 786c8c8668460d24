"""Arrays as PostgreSQL reads them on the wire: packed in one go, several times as fast.

psycopg's own dumpers look at each element on its own; a batch of appends has thousands. Source:
PostgreSQL's ``array_send`` and ``array_recv``.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from struct import Struct as Layout
from struct import pack
from typing import Final
from uuid import UUID

from psycopg.adapt import Dumper
from psycopg.pq import Format

HEADER: Final = Layout("!iiIii")  # Dimensions, has nulls, element type, length, first index.
EMPTY: Final = Layout("!iiI")
LENGTH: Final = Layout("!i")
SEPARATOR: Final = "\x1f"
"""Joins a list that stands inside a text: tags and types are of printable characters."""

INT4, INT8, TEXT, UUIDS = 23, 20, 25, 2950


class Packed(bytes):
    """An array packed already, given by ``%b``. The server knows its type from its place."""

    __slots__ = ()


class PackedDumper(Dumper):
    """Send it as it is."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: bytes) -> bytes:
        return obj


def texts(values: Sequence[str]) -> Packed:
    """Pack ``text[]``."""
    encoded = [value.encode() for value in values]
    parts: list[bytes] = [_header(TEXT, len(encoded))]
    size = LENGTH.pack
    for value in encoded:
        parts.append(size(len(value)))
        parts.append(value)
    return Packed(b"".join(parts))


def uuids(values: Sequence[str]) -> Packed:
    """Pack ``uuid[]``."""
    parts = (b"\x00\x00\x00\x10" + UUID(value).bytes for value in values)
    return Packed(_header(UUIDS, len(values)) + b"".join(parts))


def integers(values: Sequence[int]) -> Packed:
    """Pack ``integer[]``."""
    return Packed(_header(INT4, len(values)) + pack(f"!{'ii' * len(values)}", *_sized(4, values)))


def bigints(values: Sequence[int]) -> Packed:
    """Pack ``bigint[]``."""
    return Packed(_header(INT8, len(values)) + pack(f"!{'iq' * len(values)}", *_sized(8, values)))


def _header(kind: int, length: int) -> bytes:
    return HEADER.pack(1, 0, kind, length, 1) if length else EMPTY.pack(0, 0, kind)


def _sized(size: int, values: Sequence[int]) -> Iterable[int]:
    return chain.from_iterable((size, value) for value in values)

"""The recipe of docs/audit.md: what an event looks like to its hash.

Written anew, from the document and not from the function that appends, so that the one finds
out about the other.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final
from unicodedata import category

from msgspec import Struct

from domain.ids import TenantId

FIRST_LINK: Final = bytes(32)
LINK_BYTES: Final = 32
SEPARATOR: Final = b"\x1f"
UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"})
"""All but what is not assigned: to a newer Python than this one it may be a letter."""


class Unfit(Exception):
    """What no append and no export could have written, at a position where it has one."""

    def __init__(self, position: int | None, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


class Fields(Struct, frozen=True, gc=False):
    """The texts of an event as UTF-8: tags joined by SEPARATOR, the time in µs since 1970."""

    position: bytes
    type: bytes
    tags: bytes
    recorded_at: bytes
    actor: bytes
    correlation_id: bytes
    causation_id: bytes
    data: bytes


class Record(Struct, gc=False):
    """An event as its hash sees it: what there is to hash stays in one piece."""

    position: int
    tag_count: int
    hash: bytes
    content: bytes  # The fields, each led by its length.

    def fields(self) -> Fields:
        """Take the content apart again."""
        return Fields(*_unled(self.content))


def led(*texts: bytes) -> bytes:
    """Join *texts*, each led by its length in bytes and a colon: no two lists look the same."""
    return b"".join([b"%d:%b" % (len(text), text) for text in texts])


def _unled(joined: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(joined):
        start = joined.index(b":", at) + 1
        yield joined[start : (at := start + int(joined[at : start - 1]))]


def well_formed(tags: bytes, many: int) -> bool:
    """Tell whether joined *tags* are so *many* that each is more than nothing, and printable."""
    each = tags.split(SEPARATOR) if tags else ()
    return len(each) == many and b"" not in each and _printable(tags.replace(SEPARATOR, b""))


def _printable(tags: bytes) -> bool:
    text = tags.decode()
    return text.isprintable() or not any(
        sign != " " and category(sign) in UNPRINTABLE for sign in text
    )


class Links:
    """Makes the hashes of one log."""

    def __init__(self, tenant: TenantId) -> None:
        self._tenant = led(tenant.encode())

    def link(self, previous: bytes, record: Record) -> bytes:
        """Return the hash of *record* behind *previous*."""
        return sha256(b"".join((previous, self._tenant, record.content))).digest()

    def link_at(self, position: int, previous: bytes, record: Record) -> bytes:
        """Return the hash that *record* would have, had it been appended at *position*."""
        own, moved = led(b"%d" % record.position), led(b"%d" % position)
        return sha256(previous + self._tenant + moved + record.content[len(own) :]).digest()

"""The recipe of docs/audit.md: what an event looks like to its hash.

Written anew, from the document and not from the function that appends, so that the one finds
out about the other.
"""

from hashlib import sha256
from typing import Final
from unicodedata import category

from msgspec import Struct

from domain.ids import TenantId

FIRST_LINK: Final = bytes(32)
LINK_BYTES: Final = 32
SEPARATOR: Final = b"\x1f"
USUAL_BYTES_MAX: Final = 2_048
UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"})
"""All but what is not assigned: to a newer Python than this one it may be a letter."""


class Unfit(Exception):
    """What no append and no export could have written, at a position where it has one."""

    def __init__(self, position: int | None, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


class Record(Struct, gc=False):
    """An event as its hash sees it: text as UTF-8, the time in microseconds since 1970."""

    position: int
    type: bytes
    tags: bytes  # Joined by SEPARATOR.
    tag_count: int
    recorded_at: int
    actor: bytes
    correlation_id: bytes
    causation_id: bytes
    data: bytes
    hash: bytes


def well_formed(tags: bytes, many: int) -> bool:
    """Tell whether joined *tags* are so *many* that each is more than nothing, and printable."""
    each = tags.split(SEPARATOR) if tags else ()
    return len(each) == many and b"" not in each and _printable(tags.replace(SEPARATOR, b""))


def _printable(tags: bytes) -> bool:
    text = tags.decode()
    return text.isprintable() or not any(
        sign != " " and category(sign) in UNPRINTABLE for sign in text
    )


class _Lengths(dict[int, bytes]):
    """The length of a field and its colon; the usual ones are made once."""

    def __missing__(self, length: int) -> bytes:
        return b"%d:" % length


_lengths: Final = _Lengths((n, b"%d:" % n) for n in range(USUAL_BYTES_MAX))


class Links:
    """Makes the hashes of one log."""

    def __init__(self, tenant: TenantId) -> None:
        self._tenant = b"%d:%b" % (len(tenant), tenant.encode())

    def link(self, previous: bytes, record: Record, position: int | None = None) -> bytes:
        """Return the hash of *record* behind *previous*, at its own position or at another.

        Each field is led by its length in bytes and a colon, so that no two events look the same.
        """
        at = b"%d" % (record.position if position is None else position)
        time, kind, tags = b"%d" % record.recorded_at, record.type, record.tags
        actor, correlation = record.actor, record.correlation_id
        causation, data = record.causation_id, record.data
        parts = (
            previous,
            self._tenant,
            _lengths[len(at)],
            at,
            _lengths[len(kind)],
            kind,
            _lengths[len(tags)],
            tags,
            _lengths[len(time)],
            time,
            _lengths[len(actor)],
            actor,
            _lengths[len(correlation)],
            correlation,
            _lengths[len(causation)],
            causation,
            _lengths[len(data)],
            data,
        )
        return sha256(b"".join(parts)).digest()

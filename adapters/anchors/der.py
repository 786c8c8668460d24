"""Time-stamp responses as the parser wants them: with the set of certificates in DER's order.

RFC 5652 lets an authority send them in any order, and many do, `openssl ts` among them. They are
outside of what is signed, so that to sort them changes nothing that counts.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

SHORT: Final = 0x80
LENGTH_BYTES_MAX: Final = 4
CERTIFICATES: Final = 0xA0
"""The tag of SignedData.certificates: [0], constructed (RFC 5652, section 5.1)."""

# From the response to the signed data: which member, and of that which, and so on.
PATH: Final = (0, 1, 1, 0)


class Element(Struct, frozen=True):
    """One value of DER: where its tag is, where its content begins, and where it ends."""

    tag: int
    at: int
    begin: int
    end: int


def with_sorted_certificates(response: bytes) -> bytes:
    """Sort the certificates; a response that is none is returned as it is, for others to refuse."""
    try:
        inside = Element(0, 0, 0, len(response))
        for place in PATH:
            inside = list(_members(response, inside))[place]
        found = next(e for e in _members(response, inside) if e.tag == CERTIFICATES)
        certificates = [response[e.at : e.end] for e in _members(response, found)]
    except (ValueError, IndexError, StopIteration):
        return response
    return response[: found.begin] + b"".join(sorted(certificates)) + response[found.end :]


def _members(content: bytes, parent: Element) -> Iterator[Element]:
    at = parent.begin
    while at < parent.end:
        length, begin = content[at + 1], at + 2
        if length >= SHORT:
            digits = length - SHORT
            if not 1 <= digits <= LENGTH_BYTES_MAX:
                raise ValueError(length)
            length, begin = int.from_bytes(content[begin : begin + digits]), begin + digits
        if begin + length > parent.end:
            raise ValueError(length)
        yield Element(content[at], at, begin, begin + length)
        at = begin + length

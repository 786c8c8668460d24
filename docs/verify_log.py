# ruff: noqa: INP001 - it stands alone on purpose.
"""Verify an export of `asiento audit export`, with nothing but Python 3.8 or newer.

    python3 verify_log.py EXPORT [--anchor FILE [--public-key HEX]]

It says OK and exits with 0, or says what is wrong, and at which event, and exits with 1. The
recipe is in audit.md. With an anchor, the log must pass through the head that was signed; only
a public key that you noted yourself, long ago, proves who signed.

This file stands alone on purpose: read it, or write your own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

MAGIC = b"\x1f\x8b"
LINE_BYTES_MAX = 64 << 20
PIECE_BYTES = 1 << 20
GZIP = 31  # How zlib is told that a gzip header and trailer are around the data.
VERSION = 1
KEY_BYTES = 32
SIGNATURE_BYTES = 64
FIELDS = {
    "line",
    "position",
    "type",
    "tags",
    "recorded_at",
    "actor",
    "correlation_id",
    "causation_id",
    "data",
    "hash",
}
ANCHOR_FIELDS = {
    "format",
    "version",
    "number",
    "made_at",
    "previous",
    "heads",
    "public_key",
    "signature",
}
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HEX_32, HEX_64 = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{128}")
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"}
"""What no tag is made of, but for the space. A letter that is newer than Python is none of them."""


class Bad(Exception):
    """What is wrong, in words."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an export of a log.")
    parser.add_argument("export", type=Path, help="the file that `asiento audit export` wrote")
    parser.add_argument("--anchor", type=Path, help="a file that `asiento audit anchor` wrote")
    parser.add_argument("--public-key", help="the key of anchors, in hex, as you noted it")
    given = parser.parse_args()
    if given.public_key and not given.anchor:
        parser.error("--public-key says who signed an anchor: give --anchor too")
    try:
        anchor = read_anchor(given.anchor, given.public_key) if given.anchor else None
        said = verify(given.export, anchor)
    except Bad as error:
        say(f"BAD: {error}")
        return 1
    except OSError as error:
        say(f"The file can't be read: {error}")
        return 2
    say(f"OK: {said}")
    if anchor and not given.public_key:
        say(f"The anchor's key is the one in its own file: {anchor['public_key']}")
        say("Compare it with the key that you noted, or give --public-key.")
    return 0


def say(text: str) -> None:
    """Write one line, whatever a hostile file put into it: it can't make a line of its own."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(shown.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def verify(path: Path, anchor: dict | None = None) -> str:
    """Follow the chain of a file to its end."""
    lines = read_lines(path)
    digest = hashlib.sha256()
    text, header = next(lines, (b"", {}))
    check_header(header)
    digest.update(text)
    tenant, anchored = header["tenant"], find_head(anchor, header["tenant"])
    done, link, trailer, keys = 0, bytes(32), None, 0
    for text, line in lines:
        kind = line.get("line")
        if trailer is not None:
            raise Bad("something stands behind the trailer")
        if kind == "event" and not keys:
            link = follow(tenant, done, link, line)
            done += 1
            if anchored and anchored["position"] == done and anchored["hash"] != link.hex():
                raise Bad(f"the log was rewritten at or before event {done}: {NOT_ANCHORED}")
        elif kind == "key":
            keys += 1
        elif kind == "trailer":
            trailer = line
            continue
        else:
            raise Bad(f"a line behind event {done} does not belong there")
        digest.update(text)
    check_end(trailer, done, link, digest.hexdigest())
    if anchored and anchored["position"] > done:
        raise Bad(f"the log ends at event {done}: {NOT_ANCHORED}")
    said = f"{done} events of {header['slug']} ({tenant}), head {link.hex()}"
    return said + (", and it passes through the anchor" if anchored else "")


NOT_ANCHORED = "it is not the one that was anchored"


def follow(tenant: str, done: int, link: bytes, line: dict) -> bytes:
    """Return the hash of an event behind *link*, if it is the one that the line says."""
    position = line.get("position")
    if position != done + 1:
        raise Bad(f"event {done + 1} is missing: {position} follows event {done}")
    if set(line) != FIELDS or not well_formed(line):
        raise Bad(f"event {position} is not as an event is written")
    try:
        expected = hashlib.sha256(link + envelope(tenant, line)).digest()
    except UnicodeEncodeError:
        raise Bad(f"event {position} holds what is no text") from None
    if expected.hex() != line["hash"]:
        raise Bad(f"event {position} was changed: its hash is not that of its content")
    return expected


def envelope(tenant: str, event: dict) -> bytes:
    """Nine fields, each led by its length in bytes and a colon."""
    fields = (
        tenant,
        str(event["position"]),
        event["type"],
        "\x1f".join(event["tags"]),
        str(event["recorded_at"]),
        event["actor"],
        event["correlation_id"],
        event["causation_id"],
        event["data"],
    )
    encoded = [field.encode("utf-8") for field in fields]
    return b"".join(b"%d:%b" % (len(field), field) for field in encoded)


def well_formed(event: dict) -> bool:
    texts = ("type", "actor", "correlation_id", "causation_id", "data", "hash")
    tags = event["tags"]
    return (
        all(type(event[name]) is str for name in texts)
        and type(event["position"]) is int
        and type(event["recorded_at"]) is int
        and type(tags) is list
        and all(type(tag) is str and tag and printable(tag) for tag in tags)
    )


def printable(tag: str) -> bool:
    return not any(c != " " and unicodedata.category(c) in UNPRINTABLE for c in tag)


def fits(pattern: re.Pattern[str], text: object) -> bool:
    return type(text) is str and pattern.fullmatch(text) is not None


def check_header(header: dict) -> None:
    if header.get("line") != "header" or header.get("format") != "asiento-log":
        raise Bad("this is no export of a log")
    if header.get("version") != VERSION:
        raise Bad("this is an export of another version than 1")
    if not fits(UUID, header.get("tenant")) or type(header.get("slug")) is not str:
        raise Bad("the header does not say whose log it is")


def check_end(trailer: dict | None, done: int, link: bytes, sha256: str) -> None:
    if trailer is None:
        raise Bad(f"the file ends behind event {done}, before its trailer: it was cut off")
    if trailer.get("sha256") != sha256:
        raise Bad("the trailer's SHA-256 is not that of the lines: the file was edited")
    if trailer.get("events") != done or trailer.get("position") != done:
        raise Bad(f"the trailer counts other events than the {done} that are there")
    if trailer.get("hash") != link.hex():
        raise Bad("the trailer's hash is not that of the last event")


def read_lines(path: Path) -> Iterator[tuple[bytes, dict]]:
    """Give each line with its object, and hold little more than a line at a time."""
    number, rest = 1, b""
    with path.open("rb") as file:
        if (begins := file.read(len(MAGIC))) != MAGIC:
            raise Bad("the file is no gzip file: pack it again" if begins else "the file is empty")
        file.seek(0)
        try:
            for piece in unpacked(file):
                *whole, rest = (rest + piece).split(b"\n")
                for text in whole:
                    yield text + b"\n", read_object(text, f"line {number}")
                    number += 1
                if len(rest) >= LINE_BYTES_MAX:
                    break
        except EOFError:
            raise Bad(f"the file is cut off in line {number}") from None
        except zlib.error:
            raise Bad(f"the packed data is damaged in or behind line {number}") from None
    if rest:
        raise Bad(f"line {number} is cut off, or too long")


def unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """Unpack the one gzip member that an export is, a piece at a time."""
    unpacking = zlib.decompressobj(GZIP)
    while not unpacking.eof:
        packed = unpacking.unconsumed_tail or file.read(PIECE_BYTES)
        piece = unpacking.decompress(packed, PIECE_BYTES)
        if not packed and not piece and not unpacking.eof:
            raise EOFError
        yield piece
    if unpacking.unused_data or file.read(1):
        raise Bad("something stands behind the packed data")


def read_object(text: bytes, where: str) -> dict:
    """Read a JSON object in which no name stands twice."""

    def once(pairs: list[tuple[str, object]]) -> dict:
        names = dict(pairs)
        if len(names) != len(pairs):
            raise ValueError("a name stands twice")
        return names

    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Bad(f"{where} is no JSON object") from None
    if type(found) is not dict:
        raise Bad(f"{where} is no JSON object")
    return found


def read_anchor(path: Path, public_key: str | None) -> dict:
    """Read an anchor and check its signature."""
    content = path.read_bytes()
    anchor = read_object(content, "the anchor")
    if anchor.get("format") != "asiento-anchor" or anchor.get("version") != VERSION:
        raise Bad("the anchor is no anchor of version 1")
    check_anchor(anchor)
    if canonical(anchor) != content:
        raise Bad("the anchor was altered: it is not written in its one form")
    if public_key and anchor.get("public_key") != public_key.strip().lower():
        raise Bad(f"the anchor was signed by another key, {anchor.get('public_key')}")
    statement = {name: value for name, value in anchor.items() if name != "signature"}
    key, signature = bytes.fromhex(anchor["public_key"]), bytes.fromhex(anchor["signature"])
    if not signed(key, canonical(statement), signature):
        raise Bad("the anchor was altered: its signature is not that of its content")
    return anchor


def check_anchor(anchor: dict) -> None:
    """Refuse what no anchor of version 1 holds, before any of it is used."""
    if set(anchor) != ANCHOR_FIELDS or type(anchor["heads"]) is not list:
        raise Bad("the anchor is not as an anchor is written")
    if not fits(HEX_32, anchor["public_key"]) or not fits(HEX_64, anchor["signature"]):
        raise Bad("the anchor has no signature")
    texts = (anchor["made_at"], anchor["previous"] or "")
    if type(anchor["number"]) is not int or not all(type(each) is str for each in texts):
        raise Bad("the anchor is not as an anchor is written")
    for head in anchor["heads"]:
        if type(head) is not dict or set(head) != {"tenant", "position", "hash"}:
            raise Bad("a head in the anchor is not as a head is written")
        if type(head["position"]) is not int or head["position"] < 1:
            raise Bad("a head in the anchor has no position")
        if not fits(UUID, head["tenant"]) or not fits(HEX_32, head["hash"]):
            raise Bad("a head in the anchor has no tenant or no hash")


def canonical(value: dict) -> bytes:
    """JSON with sorted names and without spaces; all text in an anchor is ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")  # A surrogate is not as it was written, then.


def find_head(anchor: dict | None, tenant: str) -> dict | None:
    if anchor is None:
        return None
    for head in anchor["heads"]:
        if head["tenant"] == tenant:
            return head
    raise Bad("the anchor holds no head of this tenant")


# Ed25519 (RFC 8032, section 5.1): points of the curve in extended homogeneous coordinates.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether *signature* is that of *message* by the public key *key*."""
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    public, commitment = point(key), point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if public is None or commitment is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    k = int.from_bytes(digest, "little") % ORDER
    return same(times(s, BASE), plus(commitment, times(k, public)))


def plus(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    x, y, z, t = f - e, h - g, h + g, f + e
    return (x * y % P, z * t % P, y * z % P, x * t % P)


def times(number: int, a: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    result = (0, 1, 1, 0)
    while number > 0:
        if number & 1:
            result = plus(result, a)
        a = plus(a, a)
        number >>= 1
    return result


def same(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point(text: bytes) -> tuple[int, int, int, int] | None:
    """Decompress a point; None: there is no such point."""
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

if __name__ == "__main__":
    sys.exit(main())

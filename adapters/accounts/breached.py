"""Passwords that are known to attackers, looked up in a file and asked of nobody outside.

The file holds the first 48 bits of each one's SHA-1, in order, so that it is searched where it
lies, however long it is, and is no list to read. Where it has a hundred thousand of them, one in
three billion others is taken for one.
"""

import gzip
import mmap
import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Final

from adapters.settings import Settings
from application.errors import Malformed

OURS: Final = Path(__file__).with_name("common-passwords.sha1")
MARK: Final = b"asiento common passwords 1\n"
WIDTH_BYTES: Final = 6
LINE_MAX: Final = 10_000

HASHED: Final = re.compile(rb"([0-9A-Fa-f]{40})(?::([0-9]+))?")
OF_RANGE: Final = re.compile(rb"([0-9A-Fa-f]{35}):([0-9]+)")
RANGE: Final = re.compile(r"[0-9A-Fa-f]{5}")


class Breached(Container[str]):
    """The passwords of a file: whether it holds one, and how many there are."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise _unusable(path, "it is empty") from None
        except OSError as error:
            raise _unusable(path, error.strerror or "it can't be read") from None
        self._many, rest = divmod(len(self._bytes) - len(MARK), WIDTH_BYTES)
        if rest or self._bytes[: len(MARK)] != MARK:
            raise _unusable(path, "it is of another form")

    def __len__(self) -> int:
        return self._many

    def __contains__(self, password: object) -> bool:
        wanted = prefix_of(str(password).encode(errors="surrogatepass"))
        place = bisect_left(range(self._many), wanted, key=self._entry)
        return place < self._many and self._entry(place) == wanted

    def _entry(self, place: int) -> bytes:
        start = len(MARK) + place * WIDTH_BYTES
        return self._bytes[start : start + WIDTH_BYTES]


@cache
def _opened(path: Path) -> Breached:
    return Breached(path)


def breached(settings: Settings) -> Breached:
    """Open the passwords that nobody may choose here.

    Raises:
        Malformed: The setting names no such file.

    """
    return _opened(settings.breached_passwords or OURS)


def prefix_of(password: bytes) -> bytes:
    """Return what is kept of a password: the lists that there are go by SHA-1."""
    return sha1(password, usedforsecurity=False).digest()[:WIDTH_BYTES]


def prefixes_in(path: Path, seen_min: int = 1) -> Iterator[bytes]:
    """Read a list: of passwords, of their SHA-1 with a count, or a range of Have I Been Pwned.

    A range is a file that is named by the five digits that its lines leave out. With a count, those
    that were seen less often than *seen_min* are left out.
    """
    of_range = path.name.partition(".")[0] if RANGE.fullmatch(path.name.partition(".")[0]) else ""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        while line := lines.readline(LINE_MAX):
            text = line.strip(b"\r\n")
            found = HASHED.fullmatch(text)
            if found is None and of_range and (found := OF_RANGE.fullmatch(text)):
                text = of_range.encode() + text
                found = HASHED.fullmatch(text)
            if found is None and text:
                yield prefix_of(text)
            elif found and int(found[2] or seen_min) >= seen_min:
                yield bytes.fromhex(found[1].decode())[:WIDTH_BYTES]


def write_prefixes(found: Iterable[bytes], to: Path) -> int:
    """Write a file of entries, in order and each once; return how many there are.

    They are sorted in parts, so that a billion of them takes some gigabytes of memory. A file that
    is there is replaced by a whole one, as processes may be reading it.

    Raises:
        Malformed: There are none.

    """
    parts = [bytearray() for _ in range(256)]
    for prefix in found:
        parts[prefix[0]] += prefix
    if not any(parts):
        raise Malformed(
            "access.no_passwords",
            "The lists hold no password.",
            hint="Name texts with a password a line, or lower what --seen says.",
        )
    many, draft = 0, to.with_name(f".{to.name}.draft")
    with draft.open("wb") as file:
        file.write(MARK)
        for part in parts:
            places = range(0, len(part), WIDTH_BYTES)
            entries = sorted({bytes(part[place : place + WIDTH_BYTES]) for place in places})
            file.write(b"".join(entries))
            many += len(entries)
    draft.replace(to)
    return many


def _unusable(path: Path, why: str) -> Malformed:
    return Malformed(
        "settings.breached_passwords",
        f"{path} holds no passwords that nobody may choose: {why}.",
        hint="Make one by `asiento user breached LIST --to FILE`, or unset BREACHED_PASSWORDS.",
    )

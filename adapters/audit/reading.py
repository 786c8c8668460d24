"""Read and verify an export, from the file alone: whole, unedited, and a chain without a break.

The file may come from anybody: nothing of it is believed before it is checked, and no more than
a line of it is held.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from adapters.anchors.mark import Mark
from adapters.audit.chain import Chain, Finding, Progress, silent
from adapters.audit.form import (
    DECODER,
    LINE_BYTES_MAX,
    AnyLine,
    EventLine,
    Header,
    KeyLine,
    Trailer,
)
from adapters.audit.form import read as read_record
from adapters.audit.log import Verified, verified
from adapters.audit.recipe import FIRST_LINK, Record, Unfit
from application.errors import Malformed
from domain.ids import TenantId

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE_BYTES: Final = 1 << 20
GZIP: Final = b"\x1f\x8b"
GZIP_WINDOW: Final = 31
"""How zlib is told that a header and a trailer of gzip are around the data."""


MarkOf: TypeAlias = Callable[[Header], Mark | None]
"""What the log of a file is compared with, by its header."""


def no_mark(_header: Header) -> None:
    """Compare with nothing."""


class Damaged(Unfit):
    """The file is not as it was written."""

    def __init__(self, reason: str) -> None:
        super().__init__(None, reason)


class Readable(Protocol):
    """As much of a file as is asked of one here."""

    def read(self, size: int = -1, /) -> bytes: ...


class Checked(Struct, frozen=True, kw_only=True):
    """What a file is, and what came of verifying it. The hash over the file itself is in hex."""

    header: Header
    trailer: Trailer | None
    verified: Verified
    sha256: str
    keys: tuple[KeyLine, ...]


class Log:
    """A file under way: its header first, then its records, then what its end says."""

    def __init__(self, file: Readable) -> None:
        self._lines = _lines(file)
        self._digest = sha256()
        self.header = self._read_header()
        self.trailer: Trailer | None = None
        self.keys: list[KeyLine] = []

    def records(self) -> Iterator[Record]:
        """Give the events in the order they stand in, then read the end of the file.

        Raises:
            Damaged: The file is cut off, edited, or holds what does not belong there.
            Unfit: An event that no append could have written.

        """
        for number, text in self._lines:
            line = _decoded(number, text)
            match line:
                case EventLine() if not self.keys:
                    yield read_record(line)
                case KeyLine():
                    self.keys.append(line)
                case Trailer():
                    self._close(line)
                    return
                case EventLine() | Header():
                    raise Damaged(f"Line {number} does not belong where it stands.")
            self._digest.update(text)
        raise Damaged("The file ends before its trailer: it was cut off.")

    def _read_header(self) -> Header:
        number, text = next(self._lines, (1, b""))
        line = _decoded(number, text)
        if not isinstance(line, Header):
            raise Damaged("The first line is no header of an export.")
        self._digest.update(text)
        return line

    def _close(self, trailer: Trailer) -> None:
        if trailer.sha256 != self._digest.hexdigest():
            raise Damaged("The trailer's SHA-256 is not that of the lines: the file was edited.")
        if (extra := next(self._lines, None)) is not None:
            raise Damaged(f"Line {extra[0]} stands behind the trailer.")
        self.trailer = trailer


def open_log(path: Path) -> IO[bytes]:
    """Open an export.

    Raises:
        Malformed: It can't be read.

    """
    try:
        return path.open("rb")
    except OSError as error:
        raise Malformed(
            "audit.unreadable_file",
            f"{path.name} can't be read: {error.strerror}.",
            hint="Name a file that `asiento audit export` made.",
        ) from None


def verify_file(
    path: Path,
    on_progress: Progress = silent,
    mark_of: MarkOf = no_mark,
) -> Checked:
    """Verify an export, and that its log passes through the anchored head of it.

    Raises:
        Malformed: It is no export at all.

    """
    with open_log(path) as file:
        hashing = _Hashing(file)
        try:
            _check_kind(file.read(len(GZIP)))
            file.seek(0)
            log = Log(hashing)
        except Damaged as error:
            raise Malformed(
                "audit.no_export",
                f"{path.name} is no export: {error}",
                hint="Name a file that `asiento audit export` made.",
            ) from None
        chain, mark = Chain(TenantId(log.header.tenant)), mark_of(log.header)
        found = follow(log, chain, on_progress, mark)
        hashing.drain()
    trailer = log.trailer
    stated = bytes.fromhex(trailer.hash) if trailer else FIRST_LINK
    return Checked(
        header=log.header,
        trailer=trailer,
        verified=verified(log.header.tenant, chain, stated, found),
        sha256=hashing.hexdigest(),
        keys=tuple(log.keys),
    )


def follow(
    log: Log, chain: Chain, on_progress: Progress = silent, mark: Mark | None = None
) -> Finding | None:
    """Follow the chain of a file to its end, and compare the end with the trailer."""
    records = mark.watch(chain, log.records()) if mark else log.records()
    found = chain.follow(records, lambda done: on_progress(done, 0))
    trailer = log.trailer
    if found is not None or trailer is None:
        return found
    if trailer.events != trailer.position:
        return Finding(chain.done, "head", "The trailer's count and position are not the same.")
    found = chain.end(trailer.position, bytes.fromhex(trailer.hash))
    return found or (mark.compare(chain) if mark else None)


class _Hashing:
    """A file that is hashed as it is read, so that one reading is enough."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._digest.update(piece)
        return piece

    def drain(self) -> None:
        while self.read(PIECE_BYTES):
            pass

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _check_kind(beginning: bytes) -> None:
    if not beginning:
        raise Damaged("It is empty.")
    if beginning != GZIP:
        raise Damaged("It is no gzip file. If somebody unpacked it, pack it again.")


class _Unpacked(io.RawIOBase):
    """The one packed member that an export is, unpacked as it is read. Nothing may follow it."""

    def __init__(self, packed: Readable) -> None:
        super().__init__()
        self._packed = packed
        self._unpacking = zlib.decompressobj(GZIP_WINDOW)

    def readable(self) -> bool:
        return True

    def readinto(self, room: "WriteableBuffer") -> int:
        piece = b""
        while not piece and not self._unpacking.eof:
            packed = self._unpacking.unconsumed_tail or self._packed.read(PIECE_BYTES)
            piece = self._unpacking.decompress(packed, len(memoryview(room)))
            if not packed and not piece and not self._unpacking.eof:
                raise EOFError
        if not piece and (self._unpacking.unused_data or self._packed.read(1)):
            raise Damaged("Something stands behind the packed data.")
        memoryview(room)[: len(piece)] = piece
        return len(piece)


def _lines(file: Readable) -> Iterator[tuple[int, bytes]]:
    """Unpack line by line, each with its number and its line feed."""
    unpacked = io.BufferedReader(_Unpacked(file), PIECE_BYTES)
    for number in count(1):
        try:
            text = unpacked.readline(LINE_BYTES_MAX)
        except EOFError:
            raise Damaged(f"The file is cut off in line {number}.") from None
        except zlib.error:
            raise Damaged(f"The packed data is damaged in or behind line {number}.") from None
        if not text and number == 1:
            raise Damaged("Nothing is packed in it.")
        if not text:
            return
        if not text.endswith(b"\n"):
            raise Damaged(f"Line {number} is cut off, or too long to be one of an export.")
        yield number, text


def _decoded(number: int, text: bytes) -> AnyLine:
    try:
        line: AnyLine = DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(f"Line {number} is not a line of an export: {error}.") from None
    return line

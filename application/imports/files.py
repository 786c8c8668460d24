"""A file of rows, read as a stream: plain or gzip, UTF-8, UTF-16 or Windows-1252, any delimiter."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Final

from domain.imports.columns import DELIMITERS, Column, GivenMapping, match_header
from domain.kernel import Refused

BROKEN: Final = "\N{REPLACEMENT CHARACTER} broken quotes"
PROBE_BYTES: Final = 1 << 18
CELL_CHARACTERS_MAX: Final = 131_072
LINE_CHARACTERS_MAX: Final = 1 << 20
BLANK: Final = ' \t\r\n\f\ufeff\xa0"' + "".join(DELIMITERS)
CONTROL: Final = frozenset(range(32)) - {9, 10, 13, 12}
WINDOWS_LETTERS: Final = frozenset(
    # Quotes, dashes and accents that look like others are what such files hold.
    "€‘’“”–—…¡¿ªº·«»´¨°ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüý\xa0"  # noqa: RUF001 - as above.
)
MAGIC: Final = {
    b"PK\x03\x04": "a ZIP or Excel file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
}


class RowFile:
    """A file whose header is read. Iterate over :meth:`rows`."""

    def __init__(self, path: Path, name: str) -> None:
        """Find out how the file is written.

        Raises:
            Refused: It is empty, or no text.

        """
        self._path = path
        self._name = name
        probe = self._probe()
        self._encoding = _encoding_of(probe, name)
        text = probe.decode(self._encoding, errors="replace")
        lines = enumerate(io.StringIO(text, newline=""), 1)
        found = next(((n, line) for n, line in lines if line.strip(BLANK)), None)
        if found is None:
            raise _empty(name)
        self.header_line, self._first = found[0], found[1].lstrip("\ufeff").rstrip("\r\n")

    def choose_delimiter(self, mapping: GivenMapping, learned: dict[str, Column]) -> str:
        """Take the delimiter under which the header means most."""

        def meaning(delimiter: str) -> tuple[int, int]:
            try:
                cells = next(csv.reader([self._first], delimiter=delimiter), [])
            except csv.Error:  # Nothing that long is a header.
                return 0, 0
            named = len({c.strip() for c in cells} & mapping.columns.keys())
            return len(match_header(cells, learned)) + named, len(cells)

        return max(DELIMITERS, key=meaning)

    def rows(self, delimiter: str, after_line: int = 0) -> Iterator[tuple[int, list[str]]]:
        """Yield (line, cells) for each record after *after_line*, blank lines left out.

        A record with broken quotes comes split at every delimiter, BROKEN as its last cell, so
        that it can be shown and still tells its invoice; and the next one is read.

        Raises:
            Refused: The file ends inside a quoted field, or its compression is damaged.

        """
        csv.field_size_limit(CELL_CHARACTERS_MAX)
        with self._open() as stream:
            record: list[str] = []
            lines = _noted(stream, record, self._name)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            while True:
                line = reader.line_num + 1
                record.clear()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    if "unexpected end" in str(error) or "field larger" in str(error):
                        raise _cut_off(self._name, line) from None
                    if line > after_line:
                        yield line, _split_anyway("".join(record), delimiter)
                    continue
                except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                    raise _damaged(self._name, line, error) from None
                text = "".join(cells)
                if line > after_line and text.strip():
                    yield line, _cleaned(cells) if _is_unsafe(text) else cells

    def _open(self) -> IO[str]:
        if self._is_gzip():
            return gzip.open(
                self._path, "rt", encoding=self._encoding, errors="replace", newline=""
            )
        return self._path.open(encoding=self._encoding, errors="replace", newline="")

    def _is_gzip(self) -> bool:
        with self._path.open("rb") as stream:
            return stream.read(2) == b"\x1f\x8b"

    def _probe(self) -> bytes:
        try:
            with gzip.open(self._path) if self._is_gzip() else self._path.open("rb") as stream:
                probe: bytes = stream.read(PROBE_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _damaged(self._name, 1, error) from None
        if not probe.strip():
            raise _empty(self._name)
        return probe


def _noted(stream: IO[str], record: list[str], name: str) -> Iterator[str]:
    """Pass lines on, and keep those of the record under way.

    Raises:
        Refused: A line does not end. A few compressed bytes may be more of it than memory holds.

    """
    lines = iter(partial(stream.readline, LINE_CHARACTERS_MAX), "")
    for number, line in enumerate(lines, 1):
        if len(line) == LINE_CHARACTERS_MAX:
            raise _endless(name, number)
        record.append(line)
        yield line


def _split_anyway(record: str, delimiter: str) -> list[str]:
    return [*_cleaned([cell.strip(' "\r\n') for cell in record.split(delimiter)]), BROKEN]


def _is_unsafe(text: str) -> bool:
    return "\x00" in text or "\x1e" in text or "\x1f" in text


def _cleaned(cells: list[str]) -> list[str]:
    """Mark the characters that no database text or separator allows."""
    return [re.sub("[\x00\x1e\x1f]", "\ufffd", cell) for cell in cells]


def _encoding_of(probe: bytes, name: str) -> str:
    for magic, what in MAGIC.items():
        if probe.startswith(magic):
            raise _no_text(name, f"it is {what}")
    if probe.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    bad = next((i for i, byte in enumerate(probe) if byte in CONTROL), None)
    if bad is not None:
        line = probe.count(b"\n", 0, bad) + 1
        column = bad - probe.rfind(b"\n", 0, bad)
        # One stray byte spoils its row; a file full of them is something else than text.
        if sum(byte in CONTROL for byte in probe) > len(probe) // 1000 + 10:
            raise _no_text(name, f"line {line}, column {column} holds the byte 0x{probe[bad]:02x}")
    try:
        # The probe may end inside a character.
        probe[: max(probe.rfind(b"\n"), 0) or len(probe)].decode("utf-8-sig")
    except UnicodeDecodeError:
        return "cp1252" if _is_windows(probe) else "utf-8-sig"
    return "utf-8-sig"


def _is_windows(probe: bytes) -> bool:
    """Tell whether all bytes above ASCII are letters and signs of Western texts."""
    text = bytes(byte for byte in probe if byte >= 128).decode("cp1252", errors="replace")  # noqa: PLR2004 - ASCII ends at 127.
    return WINDOWS_LETTERS.issuperset(text)


def _empty(name: str) -> Refused:
    return Refused("imports.empty", f"File {name}, line 1: it is empty.", hint="Send rows.")


def _no_text(name: str, what: str) -> Refused:
    return Refused(
        "imports.no_csv",
        f"File {name} is no text: {what}.",
        hint="Save it as CSV (UTF-8), plain or gzip, and send that.",
    )


def _cut_off(name: str, line: int) -> Refused:
    return Refused(
        "imports.cut_off",
        f"File {name}, line {line}: a quoted field begins in this record and never ends.",
        hint="The file is cut off, or a quote is missing. Send the whole file.",
    )


def _endless(name: str, line: int) -> Refused:
    return Refused(
        "imports.endless_line",
        f"File {name}, line {line}: it has {LINE_CHARACTERS_MAX:,} characters or more.",
        hint="Send a table of rows, each on a line of its own.",
    )


def _damaged(name: str, line: int, error: Exception) -> Refused:
    return Refused(
        "imports.damaged_gzip",
        f"File {name}, after line {line - 1}: the compressed data is damaged ({error}).",
        hint="Compress or transfer it again.",
    )

"""What commands say: to people in colours and tables, to programs as one JSON document.

Nothing else of the CLI writes to stdout or stderr. Progress and errors go to stderr, so that
stdout holds the answer and nothing else.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table as RichTable

MISUSED: Final = 2
"""The exit code where a command was called wrongly."""

WIDTH_WITHOUT_TERMINAL: Final = 200
"""Columns where nobody looks: a pipe should not get ids broken into two lines."""


class Table(Struct, frozen=True):
    """Rows under headings. Numbers stand to the right."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]


Shown: TypeAlias = str | Table


class Result(Struct, frozen=True, kw_only=True):
    """What a command found or did: the document of ``--json``, and what people see instead."""

    document: Any  # Any: whatever msgspec can encode.
    people: tuple[Shown, ...]
    code: int = 0


class Failure(Struct, frozen=True, kw_only=True):
    """Why a command did nothing, or not all. The exit code says who can mend it."""

    code: str
    message: str
    hint: str
    exit_code: int


def show(answer: Result | int | None, *, as_json: bool) -> int:
    """Write what a command returned, and return its exit code."""
    if not isinstance(answer, Result):
        return answer or 0
    if as_json:
        _write_json(answer.document)
        return answer.code
    console = make_console(sys.stdout)
    for each in answer.people:
        if isinstance(each, Table):
            console.print(_drawn(each))
        else:
            console.print(harmless(each), markup=False, soft_wrap=True)
    return answer.code


def show_failure(failure: Failure, *, as_json: bool) -> int:
    """Write one line to stderr, and with ``--json`` the same as a document to stdout."""
    if as_json:
        error = {"code": failure.code, "message": failure.message, "hint": failure.hint}
        _write_json({"error": error})
    line = harmless(" ".join(f"{failure.message} {failure.hint}".split()))
    make_console(sys.stderr).print(
        f"Error: {line}", style="red", markup=False, highlight=False, soft_wrap=True
    )
    return failure.exit_code


def counted(many: int, what: str) -> str:
    """Write ``1 event``, ``2 events``, ``1,000 events``."""
    return f"{many:,} {what}{'' if many == 1 else 's'}"


def moment(at: datetime | None) -> str:
    """Write a time to the second, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def note(text: str) -> None:
    """Tell people something on the way."""
    make_console(sys.stderr).print(harmless(text), markup=False, soft_wrap=True)


def harmless(text: str) -> str:
    """Write out what would steer the terminal: texts may come from the files of others."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text
    )


class Story:
    """Tells people what happens while it happens."""

    def __init__(self) -> None:
        self._console = make_console(sys.stdout)
        self._headings = 0

    def heading(self, text: str) -> None:
        self._headings += 1
        self._console.print(f"\n{self._headings}. {text}", style="bold cyan", highlight=False)

    def tell(self, text: str) -> None:
        self._console.print(text, markup=False)

    def table(self, table: Table) -> None:
        self._console.print(_drawn(table))


def write_lines(documents: Iterable[object]) -> None:
    """Write a JSON line each, and pass them on at once."""
    lines = [msgspec.json.encode(document) + b"\n" for document in documents]
    if lines:
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()


def forget_stdout() -> None:
    """Keep the interpreter from flushing into a pipe that nobody reads."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a file.
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def progress() -> "Iterator[Progress]":
    """Draw progress bars on stderr, one a task; without a terminal, draw nothing."""
    # Slow to import, and commands that answer at once don't need it.
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    console = make_console(sys.stderr)
    with Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        console=console,
        disable=not console.is_terminal,
    ) as bars:
        yield bars


def make_console(file: TextIO) -> "Console":
    """Make a console that leaves colours and widths to the terminal, if there is one."""
    from rich.console import Console  # noqa: PLC0415 - as above.

    return Console(file=file, width=None if file.isatty() else WIDTH_WITHOUT_TERMINAL)


def _write_json(document: object) -> None:
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def _drawn(table: Table) -> "RichTable":
    from rich.table import Table as RichTable  # noqa: PLC0415 - as above.
    from rich.text import Text  # noqa: PLC0415 - as above.

    drawn = RichTable(box=None, header_style="bold", pad_edge=False)
    for place, name in enumerate(table.columns):
        numbers = all(isinstance(row[place], int | None) for row in table.rows)
        drawn.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text("" if cell is None else harmless(str(cell))) for cell in row))
    return drawn

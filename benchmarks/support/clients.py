"""A process of clients: it is told its work, says when it is ready, works, and says what it did."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Final

import msgspec
from msgspec import Struct

from benchmarks.support.report import CHECKOUT

STOP_SECONDS_MAX: Final = 30


@contextmanager
def client_process(command: Sequence[str], load: Struct) -> Iterator["Popen[str]"]:
    """Start it, tell it its load in a line of JSON, and end its input with the block.

    Raises:
        RuntimeError: It goes on without input.

    """
    process = Popen(command, cwd=CHECKOUT, stdin=PIPE, stdout=PIPE, text=True)
    try:
        say(process, msgspec.json.encode(load).decode())
        yield process
        process.communicate(timeout=STOP_SECONDS_MAX)
    except TimeoutExpired:
        raise RuntimeError(f"A client process didn't stop in {STOP_SECONDS_MAX} s.") from None
    finally:
        process.kill()
        process.wait()


def say(process: "Popen[str]", line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(line + "\n")
        process.stdin.flush()


def answer_of(process: "Popen[str]") -> str:
    """Wait for a line of what it says.

    Raises:
        RuntimeError: It ended.

    """
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("A client process ended before its work; its error stands above.")
    return line

"""Options that many commands share, and values that may come from a file or from stdin."""

import errno
import os
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from cyclopts import Parameter

from application.errors import Malformed, NotFound

TenantOption: TypeAlias = Annotated[
    str, Parameter(name="--tenant", help="The short name of the tenant.")
]
LogOption: TypeAlias = Annotated[
    str,
    Parameter(
        name="--tenant",
        help="The short name of the tenant; `system` is the log of what belongs to none.",
    ),
]


def _check_readable(_hint: object, path: Path | None) -> None:
    """Refuse what can't be read; None: no file was named."""
    if path is None:
        return
    if not path.exists():
        raise _unreadable(str(path), os.strerror(errno.ENOENT))
    if path.is_dir():
        raise _unreadable(str(path), os.strerror(errno.EISDIR))
    if not os.access(path, os.R_OK):
        raise _unreadable(str(path), os.strerror(errno.EACCES))


ReadableFile: TypeAlias = Annotated[Path, Parameter(validator=_check_readable)]
"""A file to read. One that can't be is refused as such; it is no wrong usage."""


def read_object(given: str) -> dict[str, object]:
    """Read a JSON object from text, from ``@FILE``, or from stdin for ``-``.

    Raises:
        NotFound: There is no such file, or it can't be read.
        Malformed: It holds no JSON object.

    """
    try:
        return msgspec.json.decode(_text(given), type=dict[str, object])
    except OSError as error:
        raise _unreadable(given.removeprefix("@"), error.strerror) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(
            "input.not_json",
            f"The input is no JSON object: {error}.",
            hint="Give an object such as '{\"lines\": []}', @FILE, or - for stdin.",
        ) from None


def _unreadable(name: str, why: str | None) -> NotFound:
    return NotFound(
        "input.unreadable_file",
        f"{name} can't be read: {why}.",
        hint="Name a file that is there and that you may read.",
    )


def _text(given: str) -> bytes:
    if given == "-":
        return sys.stdin.buffer.read()
    if given.startswith("@"):
        return Path(given[1:]).read_bytes()
    return given.encode()

"""Options that many commands share, and values that may come from a file or from stdin."""

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from cyclopts import Parameter

from application.errors import Malformed

TenantOption: TypeAlias = Annotated[
    str, Parameter(name="--tenant", help="The short name of the tenant.")
]


def read_object(given: str) -> dict[str, object]:
    """Read a JSON object from text, from ``@FILE``, or from stdin for ``-``.

    Raises:
        Malformed: There is no such file, or it holds no JSON object.

    """
    try:
        return msgspec.json.decode(_text(given), type=dict[str, object])
    except OSError as error:
        raise Malformed(
            "input.unreadable_file",
            f"{given.removeprefix('@')} can't be read: {error.strerror}.",
            hint="Name a file that you may read, after an @.",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(
            "input.not_json",
            f"The input is no JSON object: {error}.",
            hint="Give an object such as '{\"lines\": []}', @FILE, or - for stdin.",
        ) from None


def _text(given: str) -> bytes:
    if given == "-":
        return sys.stdin.buffer.read()
    if given.startswith("@"):
        return Path(given[1:]).read_bytes()
    return given.encode()

"""What changed in the schema since its release. What breaks clients must stand in the changelog.

``python -m adapters.graphql.released`` says it, and ends with 1 where a line is missing there;
with ``--write`` it takes the schema of today as the released one, if no line is missing.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from graphql import build_schema, find_breaking_changes, find_dangerous_changes
from msgspec import Struct

from adapters.graphql.sdl import sdl

RELEASED: Final = Path("docs/schema.released.graphql")
CHANGELOG: Final = Path("CHANGELOG.md")
SECTION: Final = "Breaking (GraphQL)"


class Changes(Struct, frozen=True, kw_only=True):
    """What changed, in the words of the check.

    Attributes:
        breaking: A document or a client of before may fail.
        dangerous: A client of before may be surprised.

    """

    breaking: tuple[str, ...]
    dangerous: tuple[str, ...]


def changes(released: str, today: str) -> Changes:
    """Compare two schemas in their own language."""
    old, new = build_schema(released), build_schema(today)
    return Changes(
        breaking=_said(each.description for each in find_breaking_changes(old, new)),
        dangerous=_said(each.description for each in find_dangerous_changes(old, new)),
    )


def unlisted(breaking: Iterable[str], changelog: str) -> list[str]:
    """Name what breaks clients and has no line under the newest version of the changelog."""
    newest = [*re.split(r"^## ", changelog, flags=re.MULTILINE), ""][1]
    sections = re.split(r"^### ", newest, flags=re.MULTILINE)
    ours = [each for each in sections if each.partition("\n")[0].strip() == SECTION]
    lines = [
        " ".join(item.split())
        for section in ours
        for item in re.split(r"^- ", section, flags=re.MULTILINE)[1:]
    ]
    return [each for each in breaking if not any(line.startswith(each) for line in lines)]


def _said(descriptions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(" ".join(each.split()) for each in descriptions))


def _report(found: Changes, missing: list[str]) -> str:
    lines = [f"breaking: {each}" for each in found.breaking]
    lines += [f"dangerous: {each}" for each in found.dangerous]
    lines += [f"{CHANGELOG} lacks under ### {SECTION}:"] * bool(missing)
    lines += [f"- {each}" for each in missing]
    return "".join(f"{line}\n" for line in lines)


def main(*arguments: str) -> int:
    """Say what changed, and return the exit code."""
    today = sdl()
    found = changes(RELEASED.read_text(encoding="utf-8"), today)
    missing = unlisted(found.breaking, CHANGELOG.read_text(encoding="utf-8"))
    sys.stdout.write(_report(found, missing))
    if "--write" in arguments and not missing:
        RELEASED.write_text(today, encoding="utf-8")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

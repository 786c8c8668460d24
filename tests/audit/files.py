"""Exports, and hands that may do to a file whatever they like."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from adapters.audit.recipe import SEPARATOR, Fields, Links, Record, led
from domain.ids import TenantId

VERIFIER = Path(__file__).parents[2] / "docs" / "verify_log.py"
SECONDS_MAX = 60
Lines: TypeAlias = list[dict[str, Any]]
Tampering: TypeAlias = Callable[[Lines], object]


def lines_of(path: Path) -> Lines:
    return [msgspec.json.decode(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def write(path: Path, lines: Lines) -> None:
    texts = [msgspec.json.encode(line) + b"\n" for line in lines]
    path.write_bytes(gzip.compress(b"".join(texts), 1))


def seal(lines: Lines) -> None:
    """Make the trailer's SHA-256 right again, as whoever edits a file can."""
    texts = [msgspec.json.encode(line) + b"\n" for line in lines[:-1]]
    lines[-1]["sha256"] = sha256(b"".join(texts)).hexdigest()


def tampered(path: Path, change: Tampering, *, sealed: bool) -> None:
    lines = lines_of(path)
    change(lines)
    if sealed:
        seal(lines)
    write(path, lines)


def stand_alone(*arguments: str | Path) -> tuple[int, str]:
    """Run docs/verify_log.py as a stranger does, who has nothing of ours."""
    command = [sys.executable, "-I", str(VERIFIER), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout


def one(line: int, **changes: object) -> Tampering:
    """Change fields of one line; the header is line 0, the event of a position its number."""
    return lambda lines: lines[line].update(changes)


def without(*positions: int) -> Tampering:
    def change(lines: Lines) -> None:
        for position in sorted(positions, reverse=True):
            del lines[position]

    return change


def swapped(first: int, second: int) -> Tampering:
    def change(lines: Lines) -> None:
        lines[first], lines[second] = lines[second], lines[first]

    return change


def numbered_again(change: Tampering) -> Tampering:
    """Do as *change* does, and number the events as if nothing had happened."""

    def both(lines: Lines) -> None:
        change(lines)
        events: Sequence[dict[str, Any]] = [each for each in lines if each["line"] == "event"]
        for position, event in enumerate(events, 1):
            event["position"] = position
        lines[-1]["events"] = lines[-1]["position"] = len(events)

    return both


def inserted(position: int) -> Tampering:
    return lambda lines: lines.insert(position, lines[position] | {"data": "{}"})


def rewrite(path: Path, change: Tampering, tenant: str | None = None) -> None:
    """Change lines, and make all hashes of them whole again."""
    lines = lines_of(path)
    change(lines)
    links, link = Links(TenantId(tenant or lines[0]["tenant"])), bytes(32)
    for line in lines:
        if line["line"] == "event":
            link = links.link(link, record_of(line))
            line["hash"] = link.hex()
    lines[-1]["hash"] = link.hex()
    seal(lines)
    write(path, lines)


def record_of(line: dict[str, Any]) -> Record:
    tags = [tag.encode() for tag in line["tags"]]
    texts = {
        **line,
        "position": str(line["position"]),
        "tags": SEPARATOR.join(tags).decode(),
        "recorded_at": str(line["recorded_at"]),
    }
    content = led(*(texts[name].encode() for name in Fields.__struct_fields__))
    return Record(position=line["position"], tag_count=len(tags), hash=b"", content=content)

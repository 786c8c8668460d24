"""A log that was rewritten whole is still found out, by a head that was signed before."""

from pathlib import Path

import msgspec
import pytest

from adapters.anchors.checking import head_of
from adapters.anchors.evidence import gather
from adapters.anchors.making import make
from adapters.anchors.mark import Mark
from adapters.anchors.signing_key import signing_key
from adapters.audit.form import EventLine
from adapters.audit.form import read as record_of
from adapters.audit.reading import verify_file
from adapters.audit.recipe import Links
from adapters.audit.registry import known_anchors
from adapters.cli.session import operator
from adapters.runtime import Runtime
from application.ports import Append
from domain.ids import SYSTEM_TENANT
from tests.audit import files
from tests.audit.conftest import EVENTS, Books, happened
from tests.audit.files import Lines


@pytest.fixture
async def anchor(runtime: Runtime, books: Books, tmp_path: Path) -> Path:
    """Anchor the log of ``books``, and let it go on."""
    made = await make(runtime, operator(SYSTEM_TENANT))
    copy = tmp_path / "anchor.json"
    copy.write_bytes(made.path.read_bytes())
    await runtime.store.append(books.tenant, Append(events=(happened(1),)))
    return copy


def rewritten(path: Path, first: int) -> None:
    """Change an event, and make every hash behind it right again."""
    lines: Lines = files.lines_of(path)
    lines[first]["data"] = '{"thing":"another"}'
    files.write(path, lines)
    links, hashes = Links(lines[0]["tenant"]), bytes(32)
    for line in lines[1:-1]:
        hashes = links.link(hashes, record_of(msgspec.convert(line, EventLine)))
        line["hash"] = hashes.hex()
    lines[-1]["hash"] = hashes.hex()
    files.seal(lines)
    files.write(path, lines)


def test_a_whole_log_passes_through_its_anchor(
    books: Books, runtime: Runtime, anchor: Path, tmp_path: Path
) -> None:
    path = books.export(tmp_path / "file")
    signed = gather(runtime.settings, anchor).anchor
    checked = verify_file(path, mark_of=lambda header: Mark(head_of(signed, header.tenant)))
    assert (checked.verified.ok, checked.verified.events) == (True, EVENTS + 1)
    assert checked.header.anchors == ()
    key = signing_key(runtime.settings).public_key
    code, said = files.stand_alone(path, "--anchor", anchor, "--public-key", key)
    assert (code, "passes through the anchor" in said) == (0, True)
    code, said = files.stand_alone(path, "--anchor", anchor)
    assert (code, key in said) == (0, True)


def test_a_log_that_was_rewritten_whole_is_found_by_its_anchor(
    books: Books, runtime: Runtime, anchor: Path, tmp_path: Path
) -> None:
    path = books.export(tmp_path / "file")
    rewritten(path, 5)
    assert verify_file(path).verified.ok
    assert files.stand_alone(path)[0] == 0
    signed = gather(runtime.settings, anchor).anchor
    mark = Mark(head_of(signed, books.tenant))
    found = verify_file(path, mark_of=lambda _header: mark).verified
    assert (found.ok, found.first_bad, found.problem) == (False, EVENTS, "anchor")
    code, said = files.stand_alone(path, "--anchor", anchor)
    assert (code, "rewritten" in said) == (1, True)


def test_an_older_log_than_the_anchor_is_found(
    books: Books, runtime: Runtime, anchor: Path, tmp_path: Path
) -> None:
    path = books.export(tmp_path / "file")
    lines = files.lines_of(path)
    del lines[EVENTS - 1 : -1]
    lines[-1] |= {"events": EVENTS - 2, "position": EVENTS - 2, "hash": lines[-2]["hash"]}
    files.seal(lines)
    files.write(path, lines)
    assert verify_file(path).verified.ok
    mark = Mark(head_of(gather(runtime.settings, anchor).anchor, books.tenant))
    assert verify_file(path, mark_of=lambda _header: mark).verified.problem == "anchor"
    code, said = files.stand_alone(path, "--anchor", anchor)
    assert (code, "the log ends" in said) == (1, True)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 99},
        {"heads": []},
        {"public_key": "00" * 32},
        {"signature": "00" * 64},
        {"signature": "ff" * 64},
        {"signature": "short"},
        {"version": 2},
    ],
)
def test_a_forged_anchor_is_refused(
    books: Books, anchor: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    path = books.export(tmp_path / "file")
    forged = msgspec.json.decode(anchor.read_bytes()) | change
    anchor.write_bytes(msgspec.json.encode(forged, order="sorted"))
    code, said = files.stand_alone(path, "--anchor", anchor)
    assert (code, said.startswith("BAD: the anchor")) == (1, True)


def test_an_anchor_of_another_key_is_refused(books: Books, anchor: Path, tmp_path: Path) -> None:
    path = books.export(tmp_path / "file")
    code, said = files.stand_alone(path, "--anchor", anchor, "--public-key", "ab" * 32)
    assert (code, "another key" in said) == (1, True)


@pytest.mark.usefixtures("anchor")
async def test_an_export_names_the_anchors_before_it(
    runtime: Runtime, books: Books, tmp_path: Path
) -> None:
    from_registry = await known_anchors(runtime)
    path = books.export(tmp_path / "file", anchors=from_registry)
    header = files.lines_of(path)[0]
    assert header["anchors"][-1]["number"] == from_registry[-1].number
    assert verify_file(path).verified.ok

"""A file of a log proves by itself that it is whole, to us and to a stranger's own script."""

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from adapters.audit.export import PART
from adapters.audit.form import FORMAT
from adapters.audit.reading import verify_file
from application.codec import event_types
from application.errors import ApplicationError, Conflict, Malformed
from tests.audit import files
from tests.audit.conftest import EVENTS, Books
from tests.audit.files import Tampering, inserted, numbered_again, one, swapped, without

HALF_WRITTEN = """
import sys, time
from pathlib import Path
from adapters.audit.export import complete
with complete(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    sys.stdout.write("ready")
    sys.stdout.flush()
    time.sleep(60)
"""

# What was done, the event where it shows, what it is called; all with a trailer that fits.
EDITED: dict[str, tuple[Tampering, int, str]] = {
    "data changed": (one(5, data="{}"), 5, "changed"),
    "type changed": (one(5, type="Faked"), 5, "changed"),
    "actor changed": (one(5, actor="user:9"), 5, "changed"),
    "time changed": (one(5, recorded_at=0), 5, "changed"),
    "tags changed": (one(5, tags=["thing:5"]), 5, "changed"),
    "hash changed": (one(5, hash="0" * 64), 5, "changed"),
    "an empty tag": (one(5, tags=[""]), 5, "unfit"),
    "two tags in one": (one(5, tags=["thing:5\x1fwhere:Cádiz"]), 5, "unfit"),
    "a field more": (one(5, note="trust me"), 5, "unfit"),
    "a field of another type": (one(5, recorded_at="1"), 5, "unfit"),
    "lines in another order": (swapped(5, 9), 5, "swapped"),
    "events in each other's place": (numbered_again(swapped(5, 9)), 5, "swapped"),
    "one taken out": (without(5), 5, "removed"),
    "one taken out, numbered again": (numbered_again(without(5)), 5, "removed"),
    "one slipped in": (inserted(5), 5, "inserted"),
    "one slipped in, numbered again": (numbered_again(inserted(5)), 5, "inserted"),
    "the last ones taken out": (without(11, 12), 11, "truncated"),
    "the last ones taken out, numbered again": (numbered_again(without(11, 12)), 10, "head"),
    "the trailer's hash": (one(-1, hash="0" * 64), EVENTS, "head"),
    "the trailer's position": (one(-1, events=EVENTS + 1, position=EVENTS + 1), 13, "truncated"),
    "the trailer's count": (one(-1, events=EVENTS - 1), EVENTS, "head"),
    "another tenant": (one(0, tenant="00000000-0000-7000-8000-000000000001"), 1, "changed"),
    "no trailer": (lambda lines: lines.pop(), EVENTS, "unfit"),
    "a second header": (lambda lines: lines.insert(3, lines[0]), 3, "unfit"),
    "a line of another kind": (lambda lines: lines.insert(3, {"line": "note"}), 3, "unfit"),
    "a trailer in the middle": (lambda lines: lines.insert(3, lines[-1]), 3, "unfit"),
    "a trailer twice": (lambda lines: lines.append(lines[-1]), 13, "unfit"),
}


def seen_as_whole(path: Path) -> bool:
    """Tell whether a file verifies; one whose first line is damaged is no export at all."""
    try:
        return verify_file(path).verified.ok
    except Malformed:
        return False


def test_an_export_of_a_log_verifies(books: Books, exported: Path) -> None:
    checked = verify_file(exported)
    found = checked.verified
    assert (found.ok, found.events, found.head) == (True, EVENTS, books.verify().head)
    assert checked.header.slug == "acme"
    assert files.stand_alone(exported)[0] == 0


def test_an_export_says_what_it_is(exported: Path) -> None:
    header, *events, trailer = files.lines_of(exported)
    assert (header["format"], header["version"], header["line"]) == (FORMAT, 1, "header")
    assert set(header["types"]) == set(event_types())
    assert "invoice" in str(header["types"]["InvoiceIssued"])
    assert any("SHA-256" in line for line in header["recipe"])
    assert [event["position"] for event in events] == list(range(1, EVENTS + 1))
    assert (trailer["line"], trailer["events"]) == ("trailer", EVENTS)


def test_a_log_without_events_is_exported_too(books: Books, tmp_path: Path) -> None:
    books.tamper(
        "DELETE FROM event WHERE tenant_id = %(tenant)s",
        "DELETE FROM event_tag WHERE tenant_id = %(tenant)s",
        "DELETE FROM log_head WHERE tenant_id = %(tenant)s",
    )
    empty = books.export(tmp_path / "empty")
    assert verify_file(empty).verified.ok
    assert files.stand_alone(empty)[0] == 0


@pytest.mark.parametrize(("change", "position", "problem"), EDITED.values(), ids=EDITED)
def test_what_was_done_to_a_file_is_named(
    exported: Path, change: Tampering, position: int, problem: str
) -> None:
    files.tampered(exported, change, sealed=True)
    found = verify_file(exported).verified
    code, said = files.stand_alone(exported)
    assert (found.ok, found.first_bad, found.problem) == (False, position, problem), found.reason
    assert code == 1, said
    assert said.startswith("BAD: ")


@pytest.mark.parametrize("change", [one(0, name="Acme Two"), one(0, recipe=[])])
def test_an_edited_header_is_found_by_the_trailer(exported: Path, change: Tampering) -> None:
    files.tampered(exported, change, sealed=False)
    found = verify_file(exported).verified
    assert not found.ok
    assert "SHA-256" in (found.reason or "")
    assert "edited" in files.stand_alone(exported)[1]


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.99])
def test_a_file_that_is_cut_off_is_named(exported: Path, kept: float) -> None:
    whole = exported.read_bytes()
    exported.write_bytes(whole[: int(len(whole) * kept)])
    code, said = files.stand_alone(exported)
    assert code == 1
    assert "cut off" in said or "damaged" in said
    assert not seen_as_whole(exported)


@pytest.mark.parametrize("place", [20, 200, 400, -6, -2])
def test_a_bit_that_fell_over_is_found(exported: Path, place: int) -> None:
    bits = bytearray(exported.read_bytes())
    bits[place] ^= 1
    exported.write_bytes(bits)
    assert files.stand_alone(exported)[0] == 1
    assert not seen_as_whole(exported)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", gzip.compress(b"", mtime=0), gzip.compress(b"{}\n", mtime=0), b"\x1f\x8b"],
)
def test_what_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Malformed) as refused:
        verify_file(path)
    assert refused.value.code == "audit.no_export"
    assert files.stand_alone(path)[0] == 1


def test_what_is_empty_or_unpacked_is_said_to_be_so(exported: Path) -> None:
    exported.write_bytes(gzip.decompress(exported.read_bytes()))
    with pytest.raises(Malformed, match="no gzip file"):
        verify_file(exported)
    assert "no gzip file" in files.stand_alone(exported)[1]
    exported.write_bytes(b"")
    with pytest.raises(Malformed, match="empty"):
        verify_file(exported)
    assert "empty" in files.stand_alone(exported)[1]


def test_what_stands_behind_the_packed_data_is_found(exported: Path) -> None:
    with exported.open("ab") as file:
        file.write(b"and more")
    assert not seen_as_whole(exported)
    assert files.stand_alone(exported)[0] == 1


def test_a_line_without_an_end_is_not_held_whole(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(b'{"line":"header","name":"' + b" " * (80 << 20), 9))
    with pytest.raises(Malformed, match="too long"):
        verify_file(bomb)
    assert "too long" in files.stand_alone(bomb)[1]


def test_a_file_is_not_written_over_unless_asked(books: Books, exported: Path) -> None:
    before = exported.read_bytes()
    with pytest.raises(Conflict) as refused:
        books.export(exported)
    assert refused.value.code == "audit.file_exists"
    assert exported.read_bytes() == before
    books.export(exported, force=True)
    assert verify_file(exported).verified.ok


def test_a_log_that_no_file_can_hold_is_named(books: Books, tmp_path: Path) -> None:
    books.tamper(
        "UPDATE event SET recorded_at = 'infinity' WHERE tenant_id = %(tenant)s AND position = 5"
    )
    with pytest.raises(Conflict) as refused:
        books.export(tmp_path / "file")
    assert (refused.value.code, "Event 5" in refused.value.message) == ("audit.unfit_log", True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(books: Books, tmp_path: Path) -> None:
    with pytest.raises(ApplicationError) as refused:
        books.export(tmp_path / "nowhere" / "file")
    assert refused.value.code == "audit.no_folder"


def test_a_full_disk_leaves_no_file(books: Books) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("This system has no device that is always full.")
    link = books.settings.data / f"full{PART}"
    link.unlink(missing_ok=True)
    link.symlink_to(full)
    with pytest.raises(ApplicationError) as refused:
        books.export(books.settings.data / "full")
    assert refused.value.code == "audit.not_written"
    assert not (books.settings.data / "full").exists()


def test_a_kill_leaves_no_file_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", HALF_WRITTEN, str(path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == b"ready"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not path.exists()
    assert path.with_name(path.name + PART).exists()


def test_no_text_of_an_event_is_lost(books: Books, exported: Path) -> None:
    assert books.verify().ok
    events = files.lines_of(exported)[1:-1]
    assert msgspec.json.decode(events[0]["data"])["said"] == "año ✓ \\u00e9"
    assert events[0]["tags"] == ["thing:1", "where:Cádiz"]

"""The verifier that stands alone refuses, in one line, whatever a hostile hand put into a file."""

import gzip
import json
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from adapters.anchors.signing_key import SigningKey
from adapters.audit.reading import verify_file
from tests.audit import files
from tests.audit.conftest import EVENTS, Books
from tests.audit.files import one

KEY = SigningKey(bytes(32))
OTHER = "00000000-0000-7000-8000-000000000001"
SURROGATE = b'"\\ud800"'
GOOD_HEAD: dict[str, object] = {"tenant": OTHER, "position": 1, "hash": "0" * 64}
BAD_HEADS: dict[str, object] = {
    "a number": 5,
    "a list of numbers": [5],
    "none": None,
    "no position": [{"tenant": OTHER, "hash": "0" * 64}],
    "a text as position": [GOOD_HEAD | {"position": "1"}],
    "true as position": [GOOD_HEAD | {"position": True}],
    "a list as tenant": [GOOD_HEAD | {"tenant": []}],
    "a number as hash": [GOOD_HEAD | {"hash": 1}],
    "a field more": [GOOD_HEAD | {"note": {}}],
}


def anchor_with(to: Path, **changes: object) -> Path:
    """Write an anchor that somebody signed who may sign anything."""
    statement: dict[str, object] = {
        "format": "asiento-anchor",
        "version": 1,
        "number": 1,
        "made_at": "2026-01-01T00:00:00Z",
        "previous": None,
        "heads": [GOOD_HEAD],
        "public_key": KEY.public_key,
    } | changes
    signature = KEY.sign(canonical(statement))
    to.write_bytes(canonical(statement | {"signature": signature}))
    return to


def canonical(value: dict[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("heads", BAD_HEADS.values(), ids=BAD_HEADS)
@pytest.mark.parametrize("keyed", [True, False])
def test_an_anchor_of_another_shape_is_refused(
    exported: Path, tmp_path: Path, heads: object, *, keyed: bool
) -> None:
    anchor = anchor_with(tmp_path / "anchor", heads=heads)
    key = ("--public-key", KEY.public_key) if keyed else ()
    code, said = files.stand_alone(exported, "--anchor", anchor, *key)
    assert (code, said.startswith("BAD: ")) == (1, True)
    assert "head" in said or "anchor" in said


@pytest.mark.parametrize(
    "changes",
    [{"number": "1"}, {"previous": 1}, {"made_at": None}, {"public_key": 5}, {"more": {}}],
)
def test_an_anchor_with_a_field_of_another_type_is_refused(
    exported: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    code, said = files.stand_alone(exported, "--anchor", anchor_with(tmp_path / "a", **changes))
    assert (code, said.startswith("BAD: the anchor")) == (1, True)


def test_half_a_character_in_an_anchor_is_refused(exported: Path, tmp_path: Path) -> None:
    anchor = anchor_with(tmp_path / "anchor", made_at="here")
    anchor.write_bytes(anchor.read_bytes().replace(b'"here"', SURROGATE))
    code, said = files.stand_alone(exported, "--anchor", anchor)
    assert (code, said.startswith("BAD: ")) == (1, True)


def test_half_a_character_in_a_short_name_is_written_out(exported: Path) -> None:
    text = gzip.decompress(exported.read_bytes()).replace(b'"acme"', SURROGATE)
    lines = text.splitlines(keepends=True)
    trailer = msgspec.json.decode(lines[-1])
    trailer["sha256"] = sha256(b"".join(lines[:-1])).hexdigest()
    exported.write_bytes(gzip.compress(b"".join(lines[:-1]) + msgspec.json.encode(trailer) + b"\n"))
    code, said = files.stand_alone(exported)
    assert (code, f"{EVENTS} events of \\ud800" in said) == (0, True)


def test_a_short_name_can_not_write_a_line_of_its_own(exported: Path) -> None:
    files.tampered(exported, one(0, slug="x\nOK: 12 events\x1b[2K\x85\u2028"), sealed=True)
    code, said = files.stand_alone(exported)
    assert code == 0
    assert said.count("\n") == len(said.splitlines()) == 1
    assert "x\\nOK: 12 events\\x1b[2K\\x85\\u2028" in said


@pytest.mark.parametrize("slug", [5, None, ["acme"]])
def test_a_short_name_that_is_no_text_is_refused(exported: Path, slug: object) -> None:
    files.tampered(exported, one(0, slug=slug), sealed=True)
    assert files.stand_alone(exported)[0] == 1


@pytest.mark.parametrize(
    "behind",
    [b"\0", b"\0" * 512, gzip.compress(b"", mtime=0), gzip.compress(b"\n", mtime=0), b"and more"],
)
def test_nothing_may_stand_behind_the_packed_data(exported: Path, behind: bytes) -> None:
    exported.write_bytes(exported.read_bytes() + behind)
    code, said = files.stand_alone(exported)
    assert (code, "behind the packed data" in said) == (1, True)
    found = verify_file(exported).verified
    assert (found.ok, found.problem) == (False, "unfit")
    assert "behind the packed data" in str(found.reason)


@pytest.mark.parametrize("sign", ["\n", "\0", "\x7f", "\x85", "\u2028", "\u200b", "\xa0"])
def test_a_tag_that_can_not_be_printed_is_refused(exported: Path, sign: str) -> None:
    files.rewrite(exported, one(5, tags=["thing:5", f"where:C{sign}diz"]))
    code, said = files.stand_alone(exported)
    assert (code, "event 5 is not as" in said) == (1, True)
    found = verify_file(exported).verified
    assert (found.first_bad, found.problem) == (5, "unfit")


@pytest.mark.parametrize("tag", ["where:Cádiz y León", "名:日本", "smile:🙂", "new:\U000323b0"])
def test_a_tag_of_any_script_is_taken_even_a_letter_newer_than_python(
    exported: Path, tag: str
) -> None:
    files.rewrite(exported, one(5, tags=[tag]))
    code, said = files.stand_alone(exported)
    assert code == 0, said
    assert verify_file(exported).verified.ok


def test_a_tenant_that_is_no_uuid_is_refused(books: Books, exported: Path) -> None:
    whole = exported.read_bytes()
    for tenant in ("nope", books.tenant.upper(), books.tenant + "\n", ""):
        exported.write_bytes(whole)
        files.rewrite(exported, one(0, tenant=tenant), tenant)
        code, said = files.stand_alone(exported)
        assert (code, "whose log" in said) == (1, True), tenant


def test_a_line_of_many_pieces_is_read_whole(exported: Path) -> None:
    files.rewrite(exported, one(5, data="é" * (3 << 20)))
    code, said = files.stand_alone(exported)
    assert code == 0, said

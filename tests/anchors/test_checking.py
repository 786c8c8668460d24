"""An anchor is believed whole and by the right key, or not at all."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import settings as how
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.anchors.checking import (
    BadAnchor,
    checked_anchor,
    disagreement,
    head_of,
    read_anchor,
    trusted_key,
)
from adapters.anchors.evidence import gather
from adapters.anchors.folder import timestamp_path
from adapters.anchors.signing_key import FILE, SigningKey, known_signing_key, signing_key
from adapters.anchors.timestamps import HttpTimestamper
from adapters.settings import Settings
from application.anchors import Head, Statement, TimestampFailed, canonical, digest, signed
from application.errors import Malformed, NotFound
from domain.ids import TenantId
from tests.anchors.authority import Authority

ACME = TenantId("00000000-0000-0000-0000-00000000000a")
BOLT = TenantId("00000000-0000-0000-0000-00000000000b")
KEY, OTHER_KEY = SigningKey(b"k" * 32), SigningKey(b"o" * 32)
HEADS = (
    Head(tenant=ACME, position=3, hash="1" * 64),
    Head(tenant=BOLT, position=7, hash="2" * 64),
)
STATEMENT = Statement(
    number=2,
    made_at=datetime(2026, 5, 2, 9, 30, tzinfo=UTC),
    previous="3" * 64,
    heads=HEADS,
    public_key=KEY.public_key,
)
CONTENT = canonical(signed(STATEMENT, KEY))


def edited(**changed: object) -> bytes:
    """Change the file and leave the signature as it was."""
    document: dict[str, Any] = msgspec.json.decode(CONTENT)
    return msgspec.json.encode(document | changed, order="sorted")


def refusal(content: bytes, key: SigningKey = KEY) -> str:
    with pytest.raises(BadAnchor) as error:
        checked_anchor(content, key.public_key)
    return error.value.code


def test_a_genuine_anchor_is_read(tmp_path: Path) -> None:
    (tmp_path / "anchor.json").write_bytes(CONTENT)
    anchor = read_anchor(tmp_path / "anchor.json", KEY.public_key)
    assert anchor.statement == STATEMENT
    assert head_of(anchor, BOLT) == HEADS[1]


def test_the_documented_bytes_are_what_is_signed() -> None:
    document = msgspec.json.decode(CONTENT)
    signature = document.pop("signature")
    assert KEY.sign(msgspec.json.encode(document, order="sorted")) == signature
    assert msgspec.json.encode(msgspec.json.decode(CONTENT), order="sorted") == CONTENT


def test_the_documented_example_is_genuine() -> None:
    page = (Path(__file__).parents[2] / "docs" / "anchors.md").read_text(encoding="utf-8")
    statement, content = re.findall(r"^```json\n(.+)\n```$", page, re.MULTILINE)
    anchor = checked_anchor(content.encode(), SigningKey(bytes(range(32))).public_key)
    assert canonical(anchor.statement).decode() == statement
    assert digest(content.encode()) in page


def test_edited_heads_are_found() -> None:
    heads = [msgspec.to_builtins(head) for head in HEADS]
    heads[0]["position"] = 2
    assert refusal(edited(heads=heads)) == "anchors.altered"
    assert refusal(edited(heads=heads[1:])) == "anchors.altered"


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 3},
        {"previous": None},
        {"made_at": "2026-05-03T09:30:00Z"},
        {"signature": "0" * 128},
        {"signature": "zz"},
        {"heads": "none"},
        {"more": 1},
    ],
)
def test_every_edited_field_is_found(changed: dict[str, object]) -> None:
    assert refusal(edited(**changed)) == "anchors.altered"


def test_another_key_is_named() -> None:
    assert refusal(CONTENT, OTHER_KEY) == "anchors.other_key"
    resigned = signed(replace(STATEMENT, public_key=OTHER_KEY.public_key), OTHER_KEY)
    assert refusal(canonical(resigned)) == "anchors.other_key"


def test_a_key_that_did_not_sign_can_not_be_claimed() -> None:
    assert refusal(canonical(signed(STATEMENT, OTHER_KEY))) == "anchors.altered"


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b"PK\x03\x04", b"null"])
def test_a_file_of_another_format_is_named(content: bytes) -> None:
    assert refusal(content) == "anchors.unknown_format"


def test_a_newer_version_is_named() -> None:
    assert refusal(edited(version=2)) == "anchors.unknown_format"


@pytest.mark.parametrize(
    "content",
    [CONTENT + b"\n", b" " + CONTENT, CONTENT.replace(b'"number":2', b'"number":1,"number":2')],
)
def test_another_writing_of_the_same_is_refused(content: bytes) -> None:
    assert refusal(content) == "anchors.altered"


def test_heads_out_of_order_are_refused_even_if_signed() -> None:
    assert refusal(canonical(signed(replace(STATEMENT, heads=HEADS[::-1]), KEY))) == (
        "anchors.altered"
    )
    assert refusal(canonical(signed(replace(STATEMENT, heads=HEADS[:1] * 2), KEY))) == (
        "anchors.altered"
    )


@how(max_examples=150, deadline=None)
@for_all(st.integers(0, len(CONTENT) - 1), st.integers(1, 255))
def test_no_byte_can_change_unseen(place: int, change: int) -> None:
    content = bytearray(CONTENT)
    content[place] ^= change
    with pytest.raises(BadAnchor):
        checked_anchor(bytes(content), KEY.public_key)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(NotFound, match="can't be read"):
            read_anchor(path, KEY.public_key)


def test_a_tenant_that_is_not_in_the_anchor_is_named() -> None:
    anchor = checked_anchor(CONTENT, KEY.public_key)
    with pytest.raises(NotFound) as error:
        head_of(anchor, "00000000-0000-0000-0000-00000000000c")
    assert error.value.code == "anchors.tenant_absent"


def test_a_log_agrees_rolled_back_or_rewritten() -> None:
    head = HEADS[0]
    assert disagreement(head, end=9, hash_there=head.hash) is None
    assert "ends at 2" in (disagreement(head, end=2, hash_there=None) or "")
    assert "rewritten up to 3" in (disagreement(head, end=9, hash_there="f" * 64) or "")


def test_the_key_given_comes_before_the_instances_own(tmp_path: Path) -> None:
    settings = Settings(asiento_data=tmp_path)
    with pytest.raises(Malformed, match="no key"):
        trusted_key(settings, None)
    assert not list(tmp_path.iterdir())  # To look for a key makes none.
    own = signing_key(settings)
    assert trusted_key(settings, None) == own.public_key
    assert trusted_key(settings, f" {KEY.public_key.upper()}\n") == KEY.public_key
    for wrong in ("", "abc", "zz" * 32, "ab" * 31):
        with pytest.raises(Malformed, match="64 hex digits"):
            trusted_key(settings, wrong)


def test_the_signing_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = Settings(asiento_data=tmp_path / "data")
    assert known_signing_key(settings) is None
    assert signing_key(settings).public_key == signing_key(settings).public_key
    assert (tmp_path / "data" / FILE).stat().st_mode & 0o777 == 0o600


def test_a_signing_key_that_is_given_is_used(tmp_path: Path) -> None:
    settings = Settings(asiento_data=tmp_path, anchor_signing_key=(b"k" * 32).hex())
    assert signing_key(settings).public_key == KEY.public_key
    assert not list(tmp_path.iterdir())
    for wrong in ("short", "ab" * 31, "x" * 64):
        with pytest.raises(Malformed, match="32 bytes in hex"):
            signing_key(Settings(asiento_data=tmp_path, anchor_signing_key=wrong))


async def test_a_timestamp_beside_an_anchor_is_verified_with_it(
    tmp_path: Path, authority: Authority
) -> None:
    path = tmp_path / "anchor.json"
    path.write_bytes(CONTENT)
    trusting = Settings(asiento_data=tmp_path, tsa_root_certificate=authority.root)
    assert gather(trusting, path, KEY.public_key).timestamp.status == "none"
    timestamp_path(path).write_bytes(await HttpTimestamper(authority.url).stamp(CONTENT))
    evidence = gather(trusting, path, KEY.public_key)
    assert (evidence.timestamp.status, evidence.digest) == ("verified", digest(CONTENT))
    unaware = Settings(asiento_data=tmp_path)
    assert gather(unaware, path, KEY.public_key).timestamp.status == "unverified"
    timestamp_path(path).write_bytes(await HttpTimestamper(authority.url).stamp(b"other"))
    with pytest.raises(TimestampFailed) as error:
        gather(trusting, path, KEY.public_key)
    assert error.value.code == "anchors.bad_timestamp"

"""A timestamp is believed for what was sent, from whom the root vouches for, and in time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import settings as how
from hypothesis import strategies as st

from adapters.anchors.der import with_sorted_certificates
from adapters.anchors.timestamps import (
    HttpTimestamper,
    root_certificates,
    stamped_at,
    timestamper,
)
from adapters.settings import Settings
from application.anchors import TimestampFailed
from application.errors import Malformed
from tests.anchors.authority import Authority, Mood, make_authority, openssl

CONTENT = b'{"format":"asiento-anchor"}'


def settings_of(authority: Authority) -> Settings:
    return Settings(tsa_url=authority.url, tsa_root_certificate=authority.root)


async def test_a_timestamp_tells_when_the_anchor_was_there(authority: Authority) -> None:
    settings = settings_of(authority)
    asked = timestamper(settings)
    assert asked is not None
    response = await asked.stamp(CONTENT)
    at = stamped_at(response, CONTENT, root_certificates(settings))
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)


async def test_a_timestamp_is_good_to_other_programs(authority: Authority, tmp_path: Path) -> None:
    response = await HttpTimestamper(authority.url).stamp(CONTENT)
    (tmp_path / "anchor.json").write_bytes(CONTENT)
    (tmp_path / "anchor.json.tsr").write_bytes(response)
    given = ("-data", "anchor.json", "-in", "anchor.json.tsr", "-CAfile", str(authority.root))
    assert openssl("ts", "-verify", *given, folder=tmp_path) == "Verification: OK"


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("broken", "500"),
        ("garbage", "no time-stamp response"),
        ("slow", "reached|broke"),
        ("dripping", "too slowly"),
        ("other", "nonce"),
        ("stale", "nonce"),
    ],
)
async def test_a_bad_authority_is_not_believed(authority: Authority, mood: Mood, said: str) -> None:
    await HttpTimestamper(authority.url).stamp(CONTENT)  # What a stale answer repeats.
    authority.mood = mood
    asked = HttpTimestamper(authority.url, seconds_max=0.5)
    with pytest.raises(TimestampFailed, match=said) as failure:
        await asked.stamp(CONTENT)
    assert failure.value.code == "anchors.not_timestamped"


async def test_an_authority_that_is_away_is_not_believed() -> None:
    with pytest.raises(TimestampFailed, match="can't be reached"):
        await HttpTimestamper("http://127.0.0.1:1/").stamp(CONTENT)


async def test_a_timestamp_of_other_content_is_refused(authority: Authority) -> None:
    response = await HttpTimestamper(authority.url).stamp(CONTENT)
    roots = root_certificates(settings_of(authority))
    with pytest.raises(TimestampFailed, match="digest differs"):
        stamped_at(response, CONTENT + b" ", roots)


async def test_a_timestamp_of_a_stranger_is_refused(authority: Authority, tmp_path: Path) -> None:
    stranger = make_authority(tmp_path / "stranger")
    settings = Settings(tsa_root_certificate=stranger.root)
    response = await HttpTimestamper(authority.url).stamp(CONTENT)
    with pytest.raises(TimestampFailed, match="can't be verified"):
        stamped_at(response, CONTENT, root_certificates(settings))
    asked = HttpTimestamper(authority.url, root_certificates(settings))
    with pytest.raises(TimestampFailed, match="can't be verified"):
        await asked.stamp(CONTENT)


async def test_a_timestamp_with_a_changed_byte_is_refused(authority: Authority) -> None:
    response = await HttpTimestamper(authority.url).stamp(CONTENT)
    roots = root_certificates(settings_of(authority))
    good = stamped_at(response, CONTENT, roots)
    for place in range(0, len(response), 7):
        changed = bytearray(response)
        changed[place] ^= 1
        try:
            at = stamped_at(bytes(changed), CONTENT, roots)
        except TimestampFailed:
            continue
        # What is not signed, such as a certificate more, may change and prove the same.
        assert at == good


@pytest.mark.parametrize("text", ["", "not a certificate"])
def test_a_file_without_a_root_certificate_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "root.pem").write_text(text)
    with pytest.raises(Malformed, match="TSA_ROOT_CERTIFICATE"):
        root_certificates(Settings(tsa_root_certificate=tmp_path / "root.pem"))


def test_an_authority_without_http_is_refused() -> None:
    with pytest.raises(Malformed, match="TSA_URL"):
        timestamper(Settings(tsa_url="file:///etc/passwd"))


@how(max_examples=200, deadline=None)
@for_all(st.binary(max_size=400))
def test_no_answer_is_so_odd_that_it_breaks_anything(answer: bytes) -> None:
    assert with_sorted_certificates(answer) == answer
    with pytest.raises(TimestampFailed):
        stamped_at(answer, CONTENT, ())


async def test_certificates_are_sorted_and_nothing_else_is_touched(authority: Authority) -> None:
    response = await HttpTimestamper(authority.url).stamp(CONTENT)
    in_order = with_sorted_certificates(response)
    assert in_order != response  # openssl sends the signer's first.
    assert sorted(in_order) == sorted(response)
    assert with_sorted_certificates(in_order) == in_order

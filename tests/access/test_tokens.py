"""Access tokens: read back as signed, and refused after any change."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as some

from adapters.access.tokens import Tokens
from domain.ids import TenantId

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TOKENS = Tokens([b"k" * 32])
TOKEN = TOKENS.sign("user:1", TenantId("t"), "s", now=NOW, seconds=600)


def test_a_token_says_who_and_for_whom() -> None:
    claims = TOKENS.read(TOKEN, now=NOW)
    assert claims is not None
    assert (claims.sub, claims.tenant, claims.sid) == ("user:1", "t", "s")


def test_what_a_former_key_signed_is_read_until_it_runs_out() -> None:
    rolled = Tokens([b"n" * 32, b"k" * 32])
    assert rolled.read(TOKEN, now=NOW) == TOKENS.read(TOKEN, now=NOW)
    new = rolled.sign("user:1", TenantId("t"), "s", now=NOW, seconds=600)
    assert TOKENS.read(new, now=NOW) is None


def test_a_token_ends_to_the_second() -> None:
    assert TOKENS.read(TOKEN, now=NOW + timedelta(seconds=599)) is not None
    assert TOKENS.read(TOKEN, now=NOW + timedelta(seconds=600)) is None


@given(some.text(max_size=200) | some.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"))
def test_no_other_text_is_a_token(text: str) -> None:
    assert TOKENS.read(text, now=NOW) is None


@given(some.integers(0, len(TOKEN) - 2), some.sampled_from("AZaz09-_."))
def test_a_changed_token_is_refused(at: int, letter: str) -> None:
    changed = TOKEN[:at] + letter + TOKEN[at + 1 :]
    assert changed == TOKEN or TOKENS.read(changed, now=NOW) is None


def test_what_was_read_before_is_still_looked_at_for_its_end() -> None:
    tokens = Tokens([b"k" * 32])
    for _ in range(2):
        assert tokens.read(TOKEN, now=NOW) is not None
    assert tokens.read(TOKEN, now=NOW + timedelta(seconds=600)) is None

"""Tokens of links: for one purpose, of one instance, and written down nowhere."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace

from adapters.accounts.links import Links, Purpose, invitation_name, read_invitation
from adapters.settings import Settings
from application.errors import Malformed
from domain.access import InvitationId
from domain.ids import TenantId

SETTINGS = Settings(asiento_secret_key="a" * 32, public_url="https://books.example/app/")
LINKS = Links(SETTINGS)
TOKEN = LINKS.token("password", "l1")


def test_a_token_names_its_link() -> None:
    assert LINKS.read("password", TOKEN) == "l1"
    assert LINKS.url("password", "l1") == f"https://books.example/app/password#token={TOKEN}"


@pytest.mark.parametrize("purpose", ["invitation", "email"])
def test_a_token_is_good_for_its_purpose_alone(purpose: Purpose) -> None:
    with pytest.raises(Malformed, match="none of ours"):
        LINKS.read(purpose, TOKEN)


def test_a_token_is_good_with_its_instance_alone() -> None:
    with pytest.raises(Malformed):
        Links(replace(SETTINGS, asiento_secret_key="b" * 32)).read("password", TOKEN)


def test_a_token_is_good_after_the_secret_was_changed_while_the_former_is_named() -> None:
    newer = Links(replace(SETTINGS, asiento_secret_key=f"{'b' * 32},{'a' * 32}"))
    assert newer.read("password", TOKEN) == "l1"
    assert newer.token("password", "l1") != TOKEN


@given(some.text(max_size=400) | some.from_regex(r"l1\.[\w-]{43}", fullmatch=True))
def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(Malformed):
        LINKS.read("password", text)


@given(some.integers(0, len(TOKEN) - 2), some.sampled_from("AZaz09-_."))
def test_a_changed_token_is_refused(at: int, letter: str) -> None:
    changed = TOKEN[:at] + letter + TOKEN[at + 1 :]
    if changed != TOKEN:
        with pytest.raises(Malformed):
            LINKS.read("password", changed)


def test_the_link_of_an_invitation_says_whose_it_is() -> None:
    place = TenantId("0196bd00-0000-7abc-8def-0123456789ab"), InvitationId("i-1")
    assert read_invitation(invitation_name(*place)) == place


def test_without_a_public_address_links_lead_to_the_api(tmp_path: Path) -> None:
    links = Links(Settings(asiento_data=tmp_path, port=8123))
    assert links.url("email", "l1").startswith("http://127.0.0.1:8123/email#token=l1.")

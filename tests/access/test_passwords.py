"""Passwords: hashed at a cost, typed in any form, and none that is tried first."""

import asyncio
import gzip
from hashlib import sha1
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from msgspec.structs import replace

from adapters.accounts.breached import OURS, Breached, breached, prefixes_in, write_prefixes
from adapters.accounts.passwords import (
    WAITING_MAX,
    hash_password,
    hashed,
    is_outdated,
    is_password,
)
from adapters.settings import Settings
from application.accounts import LENGTH_MAX, check_password
from application.errors import Malformed, Unavailable

QUICK = Settings(password_kib=7_168, password_passes=1)
ANA = "ana.maria@example.org"
GOOD = "correct horse battery staple"


def refusal(password: str, email: str = ANA) -> str | None:
    """Tell why a password may not be chosen; None: it may."""
    try:
        check_password(password, email, breached(QUICK))
    except Malformed as error:
        return error.code
    return None


def test_a_hash_costs_what_the_settings_say() -> None:
    assert hash_password(GOOD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password(GOOD, QUICK).startswith("$argon2id$v=19$m=7168,t=1,p=1$")


async def test_a_password_is_known_by_its_hash() -> None:
    kept = await hashed(GOOD, QUICK)
    assert await is_password(kept, GOOD, QUICK)
    assert not await is_password(kept, GOOD.upper(), QUICK)
    assert not await is_password(None, GOOD, QUICK)


async def test_a_hash_made_at_another_cost_is_outdated_and_still_good() -> None:
    kept = await hashed(GOOD, QUICK)
    dearer = replace(QUICK, password_passes=2)
    assert (is_outdated(kept, QUICK), is_outdated(kept, dearer)) == (False, True)
    assert await is_password(kept, GOOD, dearer)


@pytest.mark.parametrize("kept", ["one", None, "broken"], ids=["known", "nobody", "no hash"])
async def test_one_password_is_checked_whoever_asks(
    kept: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, kept: str, password: bytes) -> bool:
        checked.append(kept)
        return verify(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    against = hash_password(GOOD, QUICK) if kept == "one" else kept
    assert not await is_password(against, "another password", QUICK)
    assert len(checked) == 1
    if kept != "broken":
        assert "$m=7168,t=1,p=1$" in checked[0]


async def test_who_comes_when_hundreds_wait_is_told_to_come_later() -> None:
    asked = (is_password(None, GOOD, QUICK) for _ in range(WAITING_MAX + 1))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [each for each in answers if each is not False] == answers[-1:]
    assert isinstance(answers[-1], Unavailable)
    assert not await is_password(None, GOOD, QUICK)


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        ("contrase\u00f1a larga", "contrasen\u0303a larga"),
        ("un espacio duro aqui", "un\u00a0espacio\u3000duro aqui"),
        ("\u1e9b\u0323 y algo mas", "\u017f\u0323\u0307 y algo mas"),
        ("\U0001f40e\U0001f50b\U0001f4ce correcto", "\U0001f40e\U0001f50b\U0001f4ce correcto"),
    ],
    ids=["composed or not", "kinds of space", "canonical alone", "pictures"],
)
async def test_a_password_is_the_same_however_it_is_typed(chosen: str, typed: str) -> None:
    assert refusal(chosen) is None
    assert await is_password(hash_password(chosen, QUICK), typed, QUICK)


@pytest.mark.parametrize(
    "other",
    ["Contrase\u00f1a larga", "contrase\u00f1a larga ", "contrase\u00f1a \uff4carga"],
    ids=["case", "end", "width"],
)
async def test_case_width_and_ends_of_a_password_count(other: str) -> None:
    assert not await is_password(hash_password("contrase\u00f1a larga", QUICK), other, QUICK)


async def test_a_long_password_counts_to_its_end() -> None:
    long = "all of it counts, " * 8
    assert len(long) > 128
    assert refusal(long) is None
    kept = hash_password(long, QUICK)
    assert await is_password(kept, long, QUICK)
    assert not await is_password(kept, long[:-1], QUICK)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        (GOOD, None),
        ("zwölf Zeichen", None),
        ("elf Zeichen", "access.password_too_short"),
        ("x" * (LENGTH_MAX + 1), "access.password_too_long"),
        ("x" * 1_000_000, "access.password_too_long"),
        ("with a\ttab inside", "access.password_unreadable"),
        ("half a \ud800 character", "access.password_unreadable"),
        ("ANA.Maria likes it", "access.password_of_name"),
        ("my Asiento account", "access.password_of_name"),
        ("JustinBieber", "access.password_common"),
        ("Dragon2024!!", "access.password_common"),
        ("passwordpassword", "access.password_common"),
        ("aaaaaaaaaaaaaaa", "access.password_common"),
        ("123456789012", "access.password_common"),
        ("abcdefghijklm", "access.password_common"),
        ("dragon-of-the-north", None),
    ],
    ids=lambda each: None if each is None else each[:20].replace("\ud800", "?"),
)
def test_what_may_be_chosen(password: str, code: str | None) -> None:
    assert refusal(password) == code


def test_a_short_name_may_stand_in_a_password() -> None:
    assert refusal("banana and mango", "ana@example.org") is None


def test_our_list_holds_what_the_documents_say() -> None:
    ours = Breached(OURS)
    assert len(ours) == 19_640
    assert "password1234" in ours
    assert GOOD not in ours


def digest(password: str) -> str:
    return sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Lists in each form: texts, hashes with counts, and a range."""
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "plain.txt").write_text("seen in a list\nseen in a list\n\ncontraseña vista\n")
    (folder / "packed.txt.gz").write_bytes(gzip.compress(b"seen in a packed list\n"))
    often, seldom = digest("often seen one"), digest("seldom seen")
    (folder / "ordered.txt").write_text(f"{often}:1000\r\n{seldom}:2\r\n")
    ranged = digest("seen in a range")
    (folder / f"{ranged[:5]}.txt").write_text(f"{ranged[5:]}:30\r\n{'0' * 35}:1\r\n")
    return folder


def test_an_operator_brings_a_list_of_any_form(lists: Path, tmp_path: Path) -> None:
    to = tmp_path / "mine.sha1"
    found = [prefix for each in sorted(lists.iterdir()) for prefix in prefixes_in(each, 10)]
    assert write_prefixes(found, to) == 5
    mine = breached(replace(QUICK, breached_passwords=to))
    assert len(mine) == 5
    seen = ("seen in a list", "contraseña vista", "seen in a packed list", "often seen one")
    assert all(each in mine for each in (*seen, "seen in a range"))
    assert not any(each in mine for each in ("seldom seen", "", "\x00", "\uffff" * 40))


def test_no_file_is_made_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="no password"):
        write_prefixes([], tmp_path / "mine.sha1")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "content", [None, b"", b"password\n", b"asiento common passwords 1\n12345"]
)
def test_a_file_of_another_form_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "list"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Malformed, match="nobody may choose"):
        Breached(path)

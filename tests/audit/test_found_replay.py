"""A file that is whole may still hold keys and data that are not: a replay says which."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from adapters.audit.replay import replay
from application.errors import Conflict
from tests.audit import files
from tests.audit.conftest import DRAFTS, Books
from tests.audit.files import Lines
from tests.audit.test_replay import names_in, opened, strange
from tests.cli.conftest import Asiento

__all__ = ["strange"]
DIGITS = "9" * 5_000
Line = dict[str, Any]  # Any: fields of any type.


def every(kind: str, change: Callable[[Line], object]) -> files.Tampering:
    def both(lines: Lines) -> None:
        for line in lines:
            if line["line"] == kind:
                change(line)

    return both


def with_data(change: Callable[[Line], object]) -> files.Tampering:
    def both(line: Line) -> None:
        data = msgspec.json.decode(line["data"])
        change(data)
        line["data"] = msgspec.json.encode(data).decode()

    return every("event", both)


@pytest.mark.parametrize("key", ["", "AAAA", b64encode(bytes(16)).decode(), "no base64!", "é"])
async def test_a_key_that_is_none_is_named_and_nothing_is_made(
    company: Books, strange: str, tmp_path: Path, key: str
) -> None:
    path = opened(company, tmp_path / "file")
    files.tampered(path, every("key", lambda line: line.update(key=key)), sealed=True)
    with pytest.raises(Conflict) as refused:
        await replay(strange, path, "mine")
    assert refused.value.code == "audit.bad_key"
    with psycopg.connect(strange) as connection:
        assert connection.execute("SELECT to_regnamespace('mine')").fetchone() == (None,)


@pytest.mark.parametrize("generation", [DIGITS, "٣", "-1", ""])
async def test_a_text_that_only_begins_like_a_seal_reads_as_it_is(
    company: Books, strange: str, tmp_path: Path, generation: str
) -> None:
    path = opened(company, tmp_path / "file")
    sealed = f"asiento:sealed:1:{generation}:AAAA"
    files.rewrite(path, with_data(lambda data: data.update(customer_name=sealed)))
    seen = await replay(strange, path, "mine")
    assert (seen.unknown, seen.unreadable, seen.unopened) == ({}, {}, {})
    assert names_in(strange, seen) == [sealed] * DRAFTS


async def test_a_key_that_does_not_open_is_told_from_an_unknown_type(
    company: Books, strange: str, tmp_path: Path
) -> None:
    path = opened(company, tmp_path / "file")
    other = b64encode(bytes(32)).decode()
    files.tampered(path, every("key", lambda line: line.update(key=other)), sealed=True)
    seen = await replay(strange, path, "mine")
    assert (seen.unknown, seen.unreadable) == ({}, {})
    assert seen.unopened == {"InvoiceDrafted": DRAFTS}


@pytest.mark.parametrize("data", ["{}", "no JSON", "[" * 100_000, '{"more":' * 5_000 + "1"])
async def test_data_that_does_not_fit_is_told_from_an_unknown_type(
    company: Books, strange: str, tmp_path: Path, data: str
) -> None:
    path = company.export(tmp_path / "file")
    files.rewrite(path, files.one(2, data=data))
    seen = await replay(strange, path, "mine")
    assert (seen.unknown, seen.unopened) == ({}, {})
    assert seen.unreadable == {"InvoiceDrafted": 1}
    assert seen.tables["invoices"] == DRAFTS - 1


def test_the_command_says_which_it_was(
    company: Books, strange: str, asiento: Asiento, tmp_path: Path
) -> None:
    path = opened(company, tmp_path / "file")
    other = b64encode(bytes(32)).decode()
    files.tampered(path, every("key", lambda line: line.update(key=other)), sealed=True)
    files.rewrite(path, files.one(1, data="{}"))
    files.rewrite(path, files.one(2, type="ThingHappened"))
    urls = {"DATABASE_URL": strange, "DATABASE_ADMIN_URL": strange, "REDIS_URL": ""}
    said = asiento("audit", "replay", str(path), "--into", "mine", **urls)
    assert said.code == 1, said.err
    assert "No code here knows 1 event of type ThingHappened." in said.out
    assert "The data of 1 event of type InvoiceDrafted does not fit that type." in said.out
    assert "The key in the file does not open 3 events of type InvoiceDrafted." in said.out

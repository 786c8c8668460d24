"""Whoever has only the file sees the read models, on a server that never heard of us."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import msgspec
import psycopg
import pytest

from adapters.audit.export import Keys, export
from adapters.audit.keys import open_keys
from adapters.audit.replay import LABEL, Replayed, replay
from adapters.embedded.servers import Urls
from adapters.keyring import open_keyring
from adapters.postgres.models.versions import table_name
from adapters.runtime import Runtime
from application.errors import ApplicationError, Conflict, Malformed
from application.kernel import SystemClock
from application.ports import Append
from projections.invoices import Invoices
from tests.audit import files
from tests.audit.conftest import DRAFTS, EVENTS, Books, happened, rows_of
from tests.audit.files import one
from tests.cli.conftest import Asiento


@pytest.fixture
def strange(urls: Urls) -> Iterator[str]:
    """Make a database in which nothing of ours is."""
    name = f"strange_{token_hex(6)}"
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        yield psycopg.conninfo.make_conninfo(urls.admin_database_url, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def names_in(url: str, replayed: Replayed) -> list[str | None]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            f"SELECT customer::text FROM {replayed.schema}.invoices".encode()
        )
        return sorted(msgspec.json.decode(text)["name"] for (text,) in found)


def opened(books: Books, to: Path) -> Path:
    keyring = open_keyring(books.settings)
    keys: Keys = lambda connection, tenant: open_keys(connection, tenant, keyring)  # noqa: E731
    url = books.settings.database_url or ""
    export(url, books.owner, to, clock=SystemClock(), keys=keys)
    return to


async def test_an_export_is_seen_where_nothing_of_ours_is(
    company: Books, strange: str, tmp_path: Path
) -> None:
    replayed = await replay(strange, opened(company, tmp_path / "file"), "mine")
    assert (replayed.schema, replayed.events, replayed.unknown) == ("mine", DRAFTS, {})
    assert replayed.tables["invoices"] == DRAFTS
    there = company.settings.database_admin_url
    here = Books(
        settings=msgspec.structs.replace(company.settings, database_admin_url=strange),
        owner=company.owner,
    )
    assert there != strange
    assert rows_of(here, "invoices", "mine") == rows_of(company, table_name(Invoices))


async def test_what_is_personal_stays_sealed_unless_asked_for(
    company: Books, strange: str, tmp_path: Path
) -> None:
    closed = await replay(strange, company.export(tmp_path / "closed"))
    assert names_in(strange, closed) == [LABEL] * DRAFTS
    seen = await replay(strange, opened(company, tmp_path / "open"), "open")
    assert names_in(strange, seen) == [f"Customer {number}" for number in range(DRAFTS)]
    assert files.stand_alone(tmp_path / "open")[0] == 0
    text = str(files.lines_of(tmp_path / "closed"))
    assert "Customer" not in text


async def test_the_forgotten_stay_forgotten_in_an_open_export(
    company: Books, strange: str, asiento: Asiento, tmp_path: Path
) -> None:
    person = ("--tenant", company.owner.slug, "--subject", "customer_code:C1")
    done = asiento("personal", "forget", *person, "--reason", "asked")
    assert done.code == 0, done.err
    seen = await replay(strange, opened(company, tmp_path / "open"))
    assert "Customer 1" not in names_in(strange, seen)
    assert "Customer 2" in names_in(strange, seen)


async def test_events_that_nobody_knows_are_counted_and_named(
    runtime: Runtime, company: Books, strange: str, tmp_path: Path
) -> None:
    events = tuple(happened(number) for number in range(1, 4))
    await runtime.store.append(company.tenant, Append(events=events))
    replayed = await replay(strange, company.export(tmp_path / "file"))
    assert replayed.unknown == {"ThingHappened": 2, "ThingSeen": 1}
    assert replayed.tables["invoices"] == DRAFTS


async def test_a_bad_file_is_refused_before_anything_is_made(
    company: Books, strange: str, tmp_path: Path
) -> None:
    path = company.export(tmp_path / "file")
    files.tampered(path, one(2, actor="nobody"), sealed=True)
    with pytest.raises(Conflict) as refused:
        await replay(strange, path, "mine")
    assert refused.value.code == "audit.bad_file"
    assert "event 2" in refused.value.message
    with psycopg.connect(strange) as connection:
        assert connection.execute("SELECT to_regnamespace('mine')").fetchone() == (None,)


async def test_a_schema_is_not_written_over(company: Books, strange: str, tmp_path: Path) -> None:
    path = company.export(tmp_path / "file")
    await replay(strange, path)
    with pytest.raises(Conflict) as refused:
        await replay(strange, path)
    assert refused.value.code == "audit.schema_exists"


@pytest.mark.parametrize("name", ["public", "pg_temp", "a;b", "Ünsafe", "x" * 64, "1a"])
async def test_a_name_that_is_no_schema_of_a_replay_is_refused(
    books: Books, strange: str, tmp_path: Path, name: str
) -> None:
    with pytest.raises(Malformed) as refused:
        await replay(strange, books.export(tmp_path / "file"), name)
    assert refused.value.code == "audit.bad_schema"


async def test_a_login_that_may_make_no_schema_is_named(books: Books, tmp_path: Path) -> None:
    with pytest.raises(ApplicationError) as refused:
        await replay(books.settings.database_url or "", books.export(tmp_path / "file"))
    assert refused.value.code == "audit.no_right"


async def test_a_server_that_is_away_is_named(books: Books, tmp_path: Path) -> None:
    nobody = "host=127.0.0.1 port=1 user=nobody password=x dbname=none"
    with pytest.raises(ApplicationError) as refused:
        await replay(nobody, books.export(tmp_path / "file"))
    assert refused.value.code == "database.unavailable"


def test_the_command_tells_where_to_look(
    company: Books, strange: str, asiento: Asiento, tmp_path: Path
) -> None:
    path = str(tmp_path / "file")
    written = asiento("audit", "export", "--tenant", company.owner.slug, "--to", path, "--json")
    assert (written.code, written.json["events"]) == (0, DRAFTS)
    again = asiento("audit", "export", "--tenant", company.owner.slug, "--to", path, "--json")
    assert (again.code, again.json["error"]["code"]) == (1, "audit.file_exists")
    urls = {"DATABASE_URL": strange, "DATABASE_ADMIN_URL": strange, "REDIS_URL": ""}
    said = asiento("audit", "replay", path, "--into", "mine", **urls)
    assert said.code == 0, said.err
    assert "mine.invoices" in said.out
    assert "DROP SCHEMA mine CASCADE" in said.out


def test_every_log_can_be_verified_at_once(
    company: Books, books: Books, asiento: Asiento, tmp_path: Path
) -> None:
    everything = asiento("audit", "verify", "--all", "--json")
    assert (everything.code, everything.json["ok"]) == (0, True)
    assert company.tenant in {each["tenant"] for each in everything.json["logs"]}
    system = asiento("audit", "verify", "--tenant", "system", "--json")
    assert (system.code, system.json["ok"], system.json["events"] > 0) == (0, True, True)
    file = asiento("audit", "verify", "--file", str(books.export(tmp_path / "file")), "--json")
    assert (file.code, file.json["events"]) == (0, EVENTS)
    assert asiento("audit", "verify").code == 2

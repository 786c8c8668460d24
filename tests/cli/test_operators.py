"""What operators look at and prove: tenants, projections, the audit, health."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from adapters.settings import Settings
from application.access import read_api_key
from tests.cli.conftest import Asiento

LINES = '{"lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]}'
NOBODY = "host=127.0.0.1 port=1 user=nobody password=x dbname=none"


@pytest.fixture(scope="module")
def audited(asiento: Asiento) -> str:
    """A tenant whose log holds three events."""
    slug = "audited"
    asiento("tenant", "create", slug, "--name", "Audited", "--country", "ES")
    for _ in range(3):
        assert asiento("draft-invoice", "--tenant", slug, "--input", LINES).code == 0
    return slug


@contextmanager
def changed(settings: Settings, position: int) -> Iterator[None]:
    """Change one byte of each log's event at a position, behind everyone's back."""
    swap = "UPDATE event SET data = replace(data, %s, %s) WHERE position = %s"
    with psycopg.connect(settings.database_admin_url or "", autocommit=True) as connection:
        connection.execute(swap, ("1.50", "1.51", position))
        try:
            yield
        finally:
            connection.execute(swap, ("1.51", "1.50", position))


def test_a_new_tenant_comes_with_its_first_key(asiento: Asiento) -> None:
    answer = asiento("tenant", "create", "newco", "--name", "New", "--country", "EC", "--json")
    assert answer.json["slug"] == "newco"
    assert read_api_key(answer.json["api_key"]) is not None
    again = asiento("events", "--tenant", "newco")
    assert again.code == 0


def test_a_key_is_kept_only_as_its_hash(asiento: Asiento, settings: Settings) -> None:
    answer = asiento("tenant", "create", "keyed", "--name", "Keyed", "--country", "EC", "--json")
    key = read_api_key(answer.json["api_key"])
    assert key is not None
    with psycopg.connect(settings.database_admin_url or "") as connection:
        data = [text for (text,) in connection.execute("SELECT data FROM event")]
    assert any(key["key"] in text for text in data)
    assert not any(key["secret"] in text for text in data)


def test_an_untouched_log_verifies(asiento: Asiento, audited: str) -> None:
    answer = asiento("audit", "verify", "--tenant", audited, "--json")
    assert answer.code == 0
    assert answer.json["ok"] is True
    assert answer.json["first_bad"] is None
    assert answer.json["events"] == 3
    assert len(bytes.fromhex(answer.json["head"])) == 32


def test_a_changed_byte_is_named_by_its_position(
    asiento: Asiento, audited: str, settings: Settings
) -> None:
    with changed(settings, position=2):
        found = asiento("audit", "verify", "--tenant", audited, "--json")
        said = asiento("audit", "verify", "--tenant", audited)
    assert found.code == said.code == 1
    assert found.json["ok"] is False
    assert found.json["first_bad"] == 2
    assert "event 2" in said.out
    assert asiento("audit", "verify", "--tenant", audited).code == 0


def test_a_projection_is_listed_with_its_lag(asiento: Asiento, audited: str) -> None:
    listed = asiento("projections", "list", "--json").json
    keys = {"name", "version", "tenant", "position", "head", "lag", "status"}
    assert all(keys <= set(each) for each in listed)
    assert {each["name"] for each in listed} >= {"invoices", "tenants", "jobs"}
    assert audited


def test_a_rebuild_says_what_it_did(asiento: Asiento, audited: str) -> None:
    rebuilt = asiento("projections", "rebuild", "invoices", "--tenant", audited, "--json")
    assert rebuilt.code == 0
    assert rebuilt.json["rows"] == 3
    assert rebuilt.json["verified"] is True
    assert {"name", "events", "seconds", "events_per_second"} <= set(rebuilt.json)


def test_health_is_ok_where_everything_answers(asiento: Asiento) -> None:
    answer = asiento("health", "--json")
    assert answer.code == 0
    assert answer.json["status"] == "ok"
    assert answer.json["checks"]["database"] == "ok"


def test_health_exits_with_3_where_a_server_is_away(asiento: Asiento) -> None:
    answer = asiento("health", "--json", DATABASE_URL=NOBODY, DATABASE_ADMIN_URL=NOBODY)
    assert answer.code == 3
    assert answer.json["status"] == "failing"
    assert answer.json["checks"]["redis"] == "ok"
    assert answer.json["checks"]["database"].startswith("unreachable")


def test_a_database_that_is_away_is_named_by_its_setting(asiento: Asiento) -> None:
    health = asiento("health", "--json", DATABASE_ADMIN_URL=NOBODY)
    assert (health.code, health.json["status"]) == (3, "failing")
    assert health.json["checks"]["database"] == "unreachable (DATABASE_ADMIN_URL)"
    for command in (("migrate", "--check"), ("projections", "status"), ("projections", "versions")):
        answer = asiento(*command, DATABASE_ADMIN_URL=NOBODY)
        assert answer.code == 3
        assert "It is that of DATABASE_ADMIN_URL." in answer.err
    assert "It is that of DATABASE_URL." in asiento("tenant", "list", DATABASE_URL=NOBODY).err


def test_health_starts_nothing(asiento: Asiento, tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = tmp_path_factory.mktemp("nothing") / "data"
    urls = {"DATABASE_URL": "", "DATABASE_ADMIN_URL": "", "REDIS_URL": ""}
    answer = asiento("health", "--json", ASIENTO_DATA=str(nowhere), **urls)
    assert answer.code == 3
    assert answer.json["checks"] == {"instance": "not running"}
    assert not nowhere.exists()

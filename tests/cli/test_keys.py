"""`asiento key` and `asiento service-account`."""

from typing import Any

import pytest

from tests.cli.conftest import Asiento

READ = "invoicing.invoice.read"
CREATE = ("key", "create", "till", "--permission", READ, "--tenant", "keys")


@pytest.fixture(scope="module", autouse=True)
def _company(asiento: Asiento) -> None:
    asiento("tenant", "create", "keys", "--name", "Keys", "--country", "ES")


def told(asiento: Asiento, *arguments: str) -> Any:  # noqa: ANN401 - JSON.
    answer = asiento(*arguments, "--json")
    assert answer.code == 0, answer
    return answer.json


def listed(asiento: Asiento, key: str) -> Any:  # noqa: ANN401 - JSON.
    found = told(asiento, "key", "list", "--tenant", "keys")
    return next(each["key"] for each in found if each["key"]["key"] == key)


def test_a_key_is_shown_when_it_is_made_or_rotated_and_in_no_list(asiento: Asiento) -> None:
    made = told(asiento, *CREATE, "--network", "192.0.2.0/24", "--days", "3")
    rotated = told(
        asiento, "key", "rotate", made["key"], "--overlap-hours", "2", "--tenant", "keys"
    )
    assert made["secret"].startswith(f"ask_{made['key']}_")
    assert rotated["secret"] != made["secret"]
    row = listed(asiento, made["key"])
    assert (row["name"], row["networks"], row["secret_id"]) == (
        *("till", ["192.0.2.0/24"]),
        rotated["secret_id"],
    )
    people = asiento("key", "list", "--tenant", "keys").out
    assert "192.0.2.0/24" in people
    assert not any(each["secret"].rpartition("_")[2] in people for each in (made, rotated))


def test_a_key_is_revoked(asiento: Asiento) -> None:
    made = told(asiento, *CREATE, "--never-expires")
    revoked = told(asiento, "key", "revoke", made["key"], "--tenant", "keys")
    assert [each["type"] for each in revoked["events"]] == ["ApiKeyRevoked"]
    row = listed(asiento, made["key"])
    assert (row["revoked"], row["expires_at"]) == (True, None)


def test_a_key_says_what_it_may(asiento: Asiento) -> None:
    answer = asiento("key", "create", "till", "--tenant", "keys", "--json")
    assert (answer.code, answer.json["error"]["code"]) == (1, "access.key_rights_unclear")


def test_a_program_is_added_changed_suspended_and_resumed(asiento: Asiento) -> None:
    of = ("--tenant", "keys")
    added = told(asiento, "service-account", "add", "till", "--role", "auditor", *of)
    account = added["service_account"]
    told(asiento, "key", "create", "till", "--service-account", account, *of)
    told(asiento, "service-account", "change", account, "--name", "door", "--role", "owner", *of)
    told(asiento, "service-account", "suspend", account, *of)
    (row,) = told(asiento, "service-account", "list", *of)
    assert (row["name"], row["roles"], row["suspended"]) == ("door", ["owner"], True)
    told(asiento, "service-account", "resume", account, *of)
    assert "door" in asiento("service-account", "list", *of).out

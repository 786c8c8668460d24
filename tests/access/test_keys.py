"""How keys are written, and what an owner may give by them."""

import re
from hashlib import sha256

import pytest

from adapters.access.owners import owner_permissions
from application.access import api_key_text, read_api_key
from application.kernel import SystemClock, build
from application.secret_text import digest, new_secret
from domain.access import CreateApiKey

KEY = "0196bd2f-0000-7123-b456-789abcdef012"
SECRET = "Az09" * 10 + "xyz"
HOSTILE = {
    "nothing": "",
    "no parts": "ask__",
    "no secret": f"ask_{KEY}_",
    "a short secret": f"ask_{KEY}_{SECRET[:-1]}",
    "a long secret": f"ask_{KEY}_{SECRET}x",
    "another prefix": f"sk_{KEY}_{SECRET}",
    "a line behind it": f"ask_{KEY}_{SECRET}\n",
    "a line in front": f"\nask_{KEY}_{SECRET}",
    "a NUL": f"ask_{KEY}_{SECRET[:-1]}\x00",
    "letters of another script": f"ask_{KEY}_{SECRET[:-1]}\u0430",
    "digits of another script": f"ask_{KEY}_{SECRET[:-1]}\u0663",
    "an id in capitals": f"ask_{KEY.upper()}_{SECRET}",
    "a tag for an id": f"ask_{KEY[:-2]}:x_{SECRET}",
    "much": "ask_" * 100_000,
}


def made() -> CreateApiKey:
    command = build(CreateApiKey, {"name": "till", "permissions": ()}, SystemClock())
    assert isinstance(command, CreateApiKey)
    return command


def test_a_key_is_written_with_its_id_and_its_secret() -> None:
    command = made()
    text = api_key_text(command)
    assert re.fullmatch(r"ask_[0-9a-f-]{36}_[0-9A-Za-z]{43}", text)
    assert read_api_key(text) == {"key": command.key, "secret": command.secret}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_key_can_be_told_from_other_texts(text: str) -> None:
    assert read_api_key(f"ask_{KEY}_{SECRET}") is not None
    assert read_api_key(text) is None


def test_of_a_secret_the_hash_is_kept() -> None:
    assert digest(SECRET) == sha256(SECRET.encode()).hexdigest()


def test_no_two_secrets_are_alike() -> None:
    assert len({new_secret() for _ in range(1000)}) == 1000


def test_an_owner_has_every_public_permission_by_name_and_no_operators() -> None:
    may = owner_permissions()
    assert {"invoicing.invoice.issue", "invoicing.invoice.read", "audit.event.read"} <= set(may)
    assert {"access.key.create", "access.key.read", "access.account.manage"} <= set(may)
    assert not {"*", "tenants.tenant.create", "access.user.register", "jobs.job.work"} & set(may)

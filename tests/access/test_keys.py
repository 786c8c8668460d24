"""Keys and passwords: shown once, kept as hashes, told apart without a doubt."""

import re
from datetime import UTC, datetime
from hashlib import sha256

from adapters.access import owner_permissions
from adapters.access.passwords import hash_password, is_password
from application.access import new_api_key, read_api_key
from application.kernel import SystemClock


def test_of_a_key_only_the_hash_is_kept() -> None:
    text, kept = new_api_key(SystemClock())
    read = read_api_key(text)
    assert read is not None
    assert read["key"] == kept["key"]
    assert sha256(read["secret"].encode()).hexdigest() == kept["secret_sha256"]
    assert read["secret"] not in str(kept)


def test_a_key_can_be_told_from_other_texts() -> None:
    text, _ = new_api_key(SystemClock())
    assert re.fullmatch(r"ask_[0-9a-f-]{36}_[0-9A-Za-z]{43}", text)
    for other in ("", "ask__", text[:-1], f"{text}x", text.replace("ask", "sk"), f"{text}\n"):
        assert read_api_key(other) is None


def test_no_two_keys_are_alike() -> None:
    class Still:
        def now(self) -> datetime:
            return datetime(2026, 1, 2, tzinfo=UTC)

    assert len({new_api_key(Still())[0] for _ in range(1000)}) == 1000


def test_an_owner_has_every_public_permission_by_name_and_no_operators() -> None:
    may = owner_permissions()
    assert {"invoicing.invoice.issue", "invoicing.invoice.read", "audit.event.read"} <= set(may)
    assert not {"*", "tenants.tenant.create", "access.key.create", "jobs.job.work"} & set(may)


async def test_a_password_is_known_by_its_hash() -> None:
    kept = hash_password("a password")
    assert kept.startswith("$argon2id$")
    assert await is_password(kept, "a password")
    assert not await is_password(kept, "another")


async def test_nobody_has_no_password() -> None:
    assert not await is_password(None, "nobody has this password")
    assert not await is_password("no hash", "a password")

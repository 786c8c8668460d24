"""Secrets at rest: sealed for one row of one tenant, and gone when they should be."""

import asyncio
from uuid import uuid4

import pytest

from adapters.credentials.keys import DataKeys, binding_of, wrap_keys_again
from adapters.credentials.safe import PostgresSafe, SealBroken, count_secrets, drop_idle
from adapters.credentials.using import User
from adapters.credentials.wrapping import ChosenWrapping
from adapters.keyring import Keyring
from adapters.runtime import Runtime
from application.errors import Forbidden, Malformed, NotFound, Unavailable
from application.kernel import build
from application.webhooks import Reach
from domain.credentials import CredentialName, StoreCredential
from domain.kernel import Refused
from tests.credentials.conftest import Look, Office, context_of

MARK = "c4nary-5ecret"
OWN = " WHERE tenant_id = %s AND credential = %s"


async def opened(office: Office, name: str, safe: PostgresSafe | None = None) -> str:
    runtime = office.runtime
    user = User(runtime.bus, safe or runtime.safe, runtime.clock)
    return (await user.open(office.context, CredentialName(name), purpose="a test")).text


async def test_what_is_stored_is_opened_and_its_use_is_in_the_log(office: Office) -> None:
    await office.store("word", MARK)
    assert await opened(office, "word") == MARK
    last = (await office.events())[-1]
    assert (last.type, last.actor) == ("CredentialUsed", "user:ana")
    assert '"purpose":"a test"' in last.data


async def test_a_rotated_secret_is_the_one_that_opens(office: Office, look: Look) -> None:
    await office.store("word", "first")
    await office.follow()
    await office.rotate("word", "second")
    assert await opened(office, "word") == "second"
    await office.follow()
    rows = look("SELECT settled FROM credential_secret" + OWN, office.tenant, "word")
    assert rows == [(True,)]


async def test_a_revoked_secret_is_destroyed_and_opens_no_more(office: Office, look: Look) -> None:
    await office.store("word", MARK)
    await office.revoke("word")
    with pytest.raises(Refused) as refused:
        await opened(office, "word")
    assert refused.value.code == "credentials.revoked"
    await office.follow()
    assert look("SELECT 1 FROM credential_secret" + OWN, office.tenant, "word") == []


async def test_who_may_not_use_credentials_opens_none(office: Office) -> None:
    await office.store("word", MARK)
    user = User(office.runtime.bus, office.runtime.safe, office.runtime.clock)
    reader = context_of(office.tenant, "credentials.secret.read", "credentials.secret.manage")
    with pytest.raises(Forbidden):
        await user.open(reader, CredentialName("word"), purpose="a test")


async def test_equal_secrets_have_equal_fingerprints_in_one_tenant_alone(
    runtime: Runtime, office: Office
) -> None:
    other = Office(runtime)
    await office.store("one", MARK)
    await office.store("two", MARK)
    await other.store("one", MARK)
    states = [await office.state("one"), await office.state("two"), await other.state("one")]
    mine, again, theirs = (state.fingerprint for state in states)
    assert mine == again != theirs


async def test_the_same_key_with_another_secret_is_another_request(office: Office) -> None:
    first = await office.store("word", "first", key="once")
    assert await office.store("word", "first", key="once") == first
    with pytest.raises(Malformed) as malformed:
        await office.store("word", "second", key="once")
    assert malformed.value.code == "idempotency.key_reused"
    assert await opened(office, "word") == "first"


async def test_two_tenants_have_secrets_of_one_name(runtime: Runtime, office: Office) -> None:
    other = Office(runtime)
    await asyncio.gather(office.store("word", "mine"), other.store("word", "theirs"))
    assert await opened(office, "word") == "mine"
    assert await opened(other, "word") == "theirs"


@pytest.mark.parametrize("what", ["tenants", "credentials", "versions"])
async def test_what_lies_in_another_row_does_not_open(
    runtime: Runtime, office: Office, look: Look, what: str
) -> None:
    """What is sealed is put into another row, which is left as it is otherwise."""
    other = Office(runtime) if what == "tenants" else office
    await office.store("one", "first")
    here = await office.state("one")
    if what == "versions":
        await office.rotate("one", "second")
        there = await office.state("one")
    else:
        await other.store("two", "second")
        there = await other.state("two")
    get = "SELECT sealed, key_id FROM credential_secret WHERE tenant_id = %s AND secret_id = %s"
    put = "UPDATE credential_secret SET sealed = %s WHERE tenant_id = %s AND secret_id = %s"
    ((foreign, key_id),) = look(get, office.tenant, here.secret_id)
    look(put, foreign, other.tenant, there.secret_id)
    if what == "tenants":  # And whoever swapped them has the keys, too.
        await share_key(runtime, office, other, look)
        look("UPDATE credential_secret SET key_id = %s WHERE tenant_id = %s", key_id, other.tenant)
    with pytest.raises(SealBroken) as broken:
        await opened(
            other, "one" if what == "versions" else "two", fresh_safe(runtime, runtime.keyring)
        )
    assert broken.value.code == "credentials.seal_broken"


async def share_key(runtime: Runtime, office: Office, other: Office, look: Look) -> None:
    """Wrap the key of one tenant for another, as only who has the master key can."""
    ((key_id, wrapped, master),) = look(
        "SELECT key_id::text, wrapped, master FROM credential_key WHERE tenant_id = %s",
        office.tenant,
    )
    key = runtime.keyring.unwrap(master, wrapped, binding_of(office.tenant, key_id))
    now, again = runtime.keyring.wrap(key, binding_of(other.tenant, key_id))
    look(
        "UPDATE credential_key SET key_id = %s, wrapped = %s, master = %s WHERE tenant_id = %s",
        key_id,
        again,
        now,
        other.tenant,
    )


async def test_the_key_of_another_tenant_does_not_open(
    runtime: Runtime, office: Office, look: Look
) -> None:
    other = Office(runtime)
    await office.store("word", "mine")
    await other.store("word", "theirs")
    move = "UPDATE credential_key SET wrapped = k.wrapped, key_id = k.key_id FROM credential_key"
    look(
        f"{move} AS k WHERE credential_key.tenant_id = %s AND k.tenant_id = %s",
        other.tenant,
        office.tenant,
    )
    with pytest.raises(Unavailable) as unavailable:
        await opened(other, "word", fresh_safe(runtime, runtime.keyring))
    assert unavailable.value.code == "privacy.wrong_master_key"
    look("DELETE FROM credential_key WHERE tenant_id = %s", other.tenant)


def fresh_safe(runtime: Runtime, keyring: Keyring) -> PostgresSafe:
    """Make a safe that was lent no key yet, as another process has it."""
    wrapping = ChosenWrapping(runtime.pool, keyring, None)
    return PostgresSafe(runtime.pool, DataKeys(runtime.pool, wrapping), Reach())


async def test_a_damaged_row_says_so_and_nothing_else(office: Office, look: Look) -> None:
    await office.store("word", MARK)
    for damage in ("\\x00", "\\x" + "00" * 60):
        look("UPDATE credential_secret SET sealed = %s::bytea" + OWN, damage, office.tenant, "word")
        with pytest.raises(SealBroken) as broken:
            await opened(office, "word")
        assert broken.value.code == "credentials.seal_broken"


async def test_a_secret_that_is_not_there_asks_to_be_sent_again(office: Office, look: Look) -> None:
    await office.store("word", MARK)
    look("DELETE FROM credential_secret" + OWN, office.tenant, "word")
    with pytest.raises(NotFound) as absent:
        await opened(office, "word")
    assert absent.value.code == "credentials.lost"
    await office.rotate("word", "again")
    assert await opened(office, "word") == "again"


async def test_a_new_master_key_wraps_the_keys_and_no_secret(runtime: Runtime, look: Look) -> None:
    offices = [Office(runtime), Office(runtime)]
    for each in offices:
        await each.store("word", f"{MARK} of {each.tenant}")
    sealed = look("SELECT * FROM credential_secret ORDER BY tenant_id, secret_id")
    former, made = runtime.keyring.current, runtime.keyring.add()
    wrapping = ChosenWrapping(runtime.pool, runtime.keyring, None)
    done: list[int] = []
    assert await wrap_keys_again(runtime.pool, wrapping, done.append) >= 2
    assert look("SELECT DISTINCT master FROM credential_key") == [(made,)]
    assert look("SELECT * FROM credential_secret ORDER BY tenant_id, secret_id") == sealed
    assert await wrap_keys_again(runtime.pool, wrapping, done.append) == 0
    only = Keyring({made: runtime.keyring._keys[made]})
    for each in offices:
        assert await opened(each, "word", fresh_safe(runtime, only)) == f"{MARK} of {each.tenant}"
    stale = Keyring({former: runtime.keyring._keys[former]})
    with pytest.raises(Unavailable):
        await opened(offices[0], "word", fresh_safe(runtime, stale))


async def test_what_no_event_refers_to_goes_and_nothing_else(
    runtime: Runtime, office: Office, look: Look
) -> None:
    await office.store("kept", MARK)  # Not settled yet: its reader is behind.
    with pytest.raises(Refused):
        await office.store("kept", "another")
    place = (office.tenant, "kept")
    assert len(look("SELECT 1 FROM credential_secret" + OWN, *place)) == 2
    assert await drop_idle(runtime.pool) == 0
    look("UPDATE credential_secret SET created_at = now() - interval '2 hours'")
    assert await drop_idle(runtime.pool) >= 1
    assert len(look("SELECT 1 FROM credential_secret" + OWN, *place)) == 1
    assert await opened(office, "kept") == MARK


async def test_an_id_that_the_caller_chose_holds_one_secret(office: Office) -> None:
    async def store(name: str, secret: str) -> None:
        given = {"credential": name, "kind": "generic", "secret": secret, "secret_id": "mine"}
        await office.execute(build(StoreCredential, given, office.runtime.clock))

    await store("word", MARK)
    await store("word", MARK)
    for name, secret in (("word", "another"), ("other", MARK)):
        with pytest.raises(Malformed) as malformed:
            await store(name, secret)
        assert malformed.value.code == "credentials.secret_id_taken"
    assert await opened(office, "word") == MARK


async def test_a_tenant_that_was_removed_leaves_no_key_to_seal_with(
    runtime: Runtime, office: Office, look: Look
) -> None:
    await office.store("before", MARK)
    for table in ("credential_key", "credential_secret"):
        look(f"DELETE FROM {table} WHERE tenant_id = %s", office.tenant)
    await office.store("after", MARK)  # By a process that still has the former key.
    assert await opened(office, "after", fresh_safe(runtime, runtime.keyring)) == MARK


async def test_secrets_are_counted_by_when_they_end(runtime: Runtime, look: Look) -> None:
    look("DELETE FROM credential_secret")
    place = (
        "INSERT INTO credential_secret"
        " (tenant_id, secret_id, credential, key_id, sealed, settled, expires_at)"
    )
    for number, ends in enumerate(
        ("NULL", "now() + interval '5 days'", "now() + interval '50 days'", "now()")
    ):
        look(
            f"{place} VALUES (%s, %s, 'c', %s, '', true, ({ends})::timestamptz)",
            uuid4(),
            str(number),
            uuid4(),
        )
    figures = await count_secrets(runtime.pool, 30)
    assert (figures.kept, figures.ending, figures.ended) == (4, 1, 1)
    look("DELETE FROM credential_secret")

"""The master keys: made once, given by a setting, changed without touching an event."""

import asyncio
import stat
from base64 import b64encode
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.keyring import FILE, Keyring, open_keyring
from adapters.postgres import subject_keys
from adapters.postgres.subject_keys import PostgresSubjectKeys, wrap_again
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.errors import Malformed, Unavailable
from application.vault import Vault
from tests.privacy.conftest import Desk, Look

ONE, TWO = bytes(32), bytes(range(32))


def text(key: bytes) -> str:
    return b64encode(key).decode()


def kept_in(folder: Path, keys: str | None = None) -> Settings:
    return Settings(asiento_data=folder, asiento_master_keys=keys)


def test_the_first_process_makes_a_master_key_that_nobody_else_may_read(tmp_path: Path) -> None:
    first = open_keyring(kept_in(tmp_path / "new"))
    again = open_keyring(kept_in(tmp_path / "new"))
    assert first.current == again.current
    assert again.unwrap(*first.wrap(ONE, b"a"), b"a") == ONE
    assert stat.S_IMODE((tmp_path / "new" / FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE]


async def test_processes_that_start_together_make_one_master_key(tmp_path: Path) -> None:
    opened = await asyncio.gather(
        *(asyncio.to_thread(open_keyring, kept_in(tmp_path)) for _ in range(16))
    )
    assert len({keyring.current for keyring in opened}) == 1


def test_a_setting_names_the_current_key_first(tmp_path: Path) -> None:
    keyring = open_keyring(kept_in(tmp_path, f"new:{text(TWO)}, old:{text(ONE)}"))
    assert keyring.current == "new"
    assert list(tmp_path.iterdir()) == []
    former = Keyring({"old": ONE}).wrap(TWO, b"a")
    assert keyring.unwrap(*former, b"a") == TWO


@pytest.mark.parametrize(
    "keys",
    [
        "plain",
        "a:",
        f":{text(ONE)}",
        f"a:{text(ONE)[:-4]}",
        "a:!!!!",
        f"a:{text(ONE)},a:{text(TWO)}",
        f"a:{text(ONE)},",
    ],
)
def test_what_is_no_master_key_is_told_without_being_shown(tmp_path: Path, keys: str) -> None:
    with pytest.raises(Malformed) as malformed:
        open_keyring(kept_in(tmp_path, keys))
    assert malformed.value.code == "settings.bad_master_key"
    assert text(ONE)[:8] not in str(malformed.value)


def test_an_emptied_file_is_no_reason_for_a_new_key(tmp_path: Path) -> None:
    open_keyring(kept_in(tmp_path))
    (tmp_path / FILE).write_text("")
    with pytest.raises(Malformed):
        open_keyring(kept_in(tmp_path))
    assert (tmp_path / FILE).read_text() == ""


def test_a_key_that_lies_in_another_row_does_not_open(tmp_path: Path) -> None:
    keyring = open_keyring(kept_in(tmp_path))
    with pytest.raises(Unavailable) as unavailable:
        keyring.unwrap(*keyring.wrap(ONE, b"t1 customer_code:C7"), b"t1 customer_code:C8")
    assert unavailable.value.code == "privacy.wrong_master_key"


def test_a_process_finds_the_key_that_another_made(tmp_path: Path) -> None:
    first, second = open_keyring(kept_in(tmp_path)), open_keyring(kept_in(tmp_path))
    before = first.wrap(ONE, b"a")
    made = first.add()
    assert second.unwrap(*first.wrap(TWO, b"a"), b"a") == TWO
    assert second.current == first.current == made
    assert second.unwrap(*before, b"a") == ONE


def test_a_file_that_is_gone_leaves_a_running_process_its_keys(tmp_path: Path) -> None:
    keyring = open_keyring(kept_in(tmp_path))
    wrapped = keyring.wrap(ONE, b"a")
    (tmp_path / FILE).unlink()
    assert keyring.unwrap(*wrapped, b"a") == ONE


async def test_a_new_master_key_wraps_every_key_of_every_tenant_and_no_event_changes(
    runtime: Runtime, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject_keys, "WRAPPED_TOGETHER", 3)
    desks = [Desk(runtime), Desk(runtime)]
    for desk in desks:
        for number in range(4):
            await desk.record(str(number), f"C{number}")
    events = look("SELECT * FROM event ORDER BY tenant_id, position")
    former, made = runtime.keyring.current, runtime.keyring.add()
    done: list[int] = []
    assert await wrap_again(runtime.pool, runtime.keyring, done.append) == 8
    assert done[-1] == 8
    assert look("SELECT DISTINCT master FROM subject_key") == [(made,)]
    assert look("SELECT * FROM event ORDER BY tenant_id, position") == events
    assert await wrap_again(runtime.pool, runtime.keyring, done.append) == 0

    only = Keyring({made: runtime.keyring._keys[made]})
    box = Vault(PostgresSubjectKeys.of_pool(runtime.pool, only))
    stored = [each async for each in runtime.store.read(desks[0].tenant)]
    assert {getattr(event, "customer_name") for event in await box.read(desks[0].tenant, stored)}  # noqa: B009
    assert former != made


async def test_a_rotation_that_was_broken_off_goes_on_where_it_was(
    runtime: Runtime, look: Look, settings: Settings
) -> None:
    desk = Desk(runtime)
    for number in range(5):
        await desk.record(str(number), f"D{number}")
    # A key that an unknown master wraps breaks it off in the midst of the tenant.
    lost = Keyring({"lost": ONE})
    stranger = PostgresSubjectKeys.of_pool(runtime.pool, lost)
    await stranger.find(desk.tenant, ["customer_code:D3x"], make=True)
    runtime.keyring.add()
    with pytest.raises(Unavailable):
        await wrap_again(runtime.pool, runtime.keyring, lambda _: None)
    assert ("lost",) in look("SELECT DISTINCT master FROM subject_key")
    found = open_keyring(
        replace(settings, asiento_master_keys=_all_of(runtime.keyring) + f",lost:{text(ONE)}")
    )
    assert await wrap_again(runtime.pool, found, lambda _: None) > 0
    assert len(look("SELECT DISTINCT master FROM subject_key WHERE wrapped IS NOT NULL")) == 1


def _all_of(keyring: Keyring) -> str:
    return ",".join(f"{name}:{text(key)}" for name, key in keyring._keys.items())


async def test_a_key_destroyed_during_a_rotation_stays_destroyed(
    runtime: Runtime, look: Look
) -> None:
    desk = Desk(runtime)
    await desk.record("1", "E1")
    before = await runtime.vault.last_generation(desk.tenant, "customer_code:E1")
    done = await desk.forget("E1")

    class Slow(Keyring):
        """While it unwraps, the key is destroyed."""

        def unwrap(self, master: str, wrapped: bytes, about: bytes) -> bytes:
            key = super().unwrap(master, wrapped, about)
            look_and_destroy(look, str(desk.tenant))
            return key

    former = runtime.keyring._keys
    slow = Slow({"newest": TWO, **former})
    await wrap_again(runtime.pool, slow, lambda _: None)
    rows = look(f"SELECT wrapped FROM subject_key WHERE tenant_id = '{desk.tenant}'")
    assert (before, done.events[0][0], rows) == (0, "SubjectForgotten", [(None,)])
    await wrap_again(runtime.pool, Keyring({**former, "newest": TWO}), lambda _: None)


def look_and_destroy(look: Look, tenant: str) -> None:
    look(
        "UPDATE subject_key SET wrapped = NULL, forgotten_at = now()"
        f" WHERE tenant_id = '{tenant}' RETURNING subject"
    )

"""Keys that are wrong, gone or damaged: it is told, it stops nobody else, and it heals."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from adapters.keyring import FILE, Keyring, open_keyring
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.versions import consumer_of
from adapters.postgres.projecting.consumers import consumer_names
from adapters.postgres.projecting.projector import Projector
from adapters.postgres.subject_keys import PostgresSubjectKeys, list_subjects, wrap_again
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.bus import Bus
from application.errors import Unavailable
from application.vault import SealBroken, Vault
from domain.ids import SYSTEM_TENANT
from domain.invoicing import Number
from domain.kernel import FORGOTTEN
from domain.privacy import ForgetSubject
from projections.invoices import Invoices
from tests.privacy.conftest import Desk, Look

INVOICES = consumer_of(Invoices)

Project = Callable[[], Awaitable[None]]
RIGHT, WRONG = bytes(32), bytes(range(32))


def cursor(look: Look, desk: Desk, name: str = INVOICES) -> tuple[int, str | None]:
    ((position, error),) = look(
        "SELECT position, error FROM projection_cursor"
        f" WHERE tenant_id = '{desk.tenant}' AND projection = '{name}'"
    )
    return position, error


def alter(settings: Settings, statement: str, *values: object) -> None:
    """Do what an administrator of the database can do."""
    with psycopg.connect(settings.database_admin_url or "", autocommit=True) as admin:
        admin.execute(statement.encode(), values)


async def lagging(runtime: Runtime) -> list[str]:
    """Name the tenants that `/ready` takes for behind."""
    async with tenant_transaction(runtime.pool, SYSTEM_TENANT) as connection:
        asked = (*consumer_names(), 1_000)
        found = await connection.execute(
            "SELECT tenant_id::text FROM lagging_v1(%s, %s, %s)", asked
        )
        return [tenant for (tenant,) in await found.fetchall()]


async def name_in_fold(desk: Desk, bus: Bus | None = None) -> str | None:
    bus = bus or Bus(desk.runtime.store, vault=Vault(desk.runtime.vault._keys))
    holder = (await bus.fold(desk.tenant, Number.at(number="1"))).holder
    return holder.customer_name if holder else None


async def test_a_key_destroyed_behind_the_back_of_the_log_is_told_and_can_be_restored(
    desk: Desk, runtime: Runtime, settings: Settings, look: Look
) -> None:
    await desk.record("1")
    of_tenant = f"WHERE tenant_id = '{desk.tenant}'"
    ((wrapped,),) = look(f"SELECT wrapped FROM subject_key {of_tenant}")
    gone = f"UPDATE subject_key SET wrapped = NULL, forgotten_at = now() {of_tenant}"
    alter(settings, gone)

    with pytest.raises(SealBroken) as broken:
        await name_in_fold(desk)
    assert broken.value.code == "privacy.key_destroyed"
    unaware = Projector(runtime.pool, Vault(runtime.vault._keys))
    await unaware.catch_up()
    position, error = cursor(look, desk)
    assert (position, (error or "").partition(":")[0]) == (0, "privacy.key_destroyed")
    (listed,) = await list_subjects(runtime.pool, desk.tenant, ("", -1), 10)
    assert (listed.forgotten_at, listed.destroyed_at is None) == (None, False)

    back = f"UPDATE subject_key SET wrapped = %s, forgotten_at = NULL {of_tenant}"
    alter(settings, back, wrapped)
    assert await name_in_fold(desk) == "Ana Núñez"
    await unaware.catch_up()
    assert cursor(look, desk) == (1, None)


def test_a_running_process_takes_the_right_master_key_when_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / FILE
    settings = Settings(asiento_data=tmp_path)
    wrapped = Keyring({"a": RIGHT}).wrap(bytes(32), b"of")
    file.write_text(f"a:{b64encode(WRONG).decode()}\n")
    keyring = open_keyring(settings)
    with pytest.raises(Unavailable) as wrong:
        keyring.unwrap(*wrapped, b"of")
    assert wrong.value.code == "privacy.wrong_master_key"
    file.write_text("no key at all\n")
    with pytest.raises(Unavailable):
        keyring.unwrap(*wrapped, b"of")
    file.write_text(f"a:{b64encode(RIGHT).decode()}\n")
    assert keyring.unwrap(*wrapped, b"of") == bytes(32)


def test_what_is_too_short_to_be_wrapped_is_told_like_what_another_key_wrapped() -> None:
    with pytest.raises(Unavailable) as wrong:
        Keyring({"a": RIGHT}).unwrap("a", b"", b"of")
    assert wrong.value.code == "privacy.wrong_master_key"


async def test_another_key_under_a_known_id_wraps_nothing(
    desk: Desk, runtime: Runtime, look: Look
) -> None:
    await desk.record("1")
    kept = runtime.keyring.current
    false = Keyring({kept: WRONG})
    before = look("SELECT * FROM subject_key ORDER BY tenant_id, subject")
    keys = PostgresSubjectKeys.of_pool(runtime.pool, false)
    stranger = Desk(runtime)
    for _ in range(2):
        with pytest.raises(Unavailable) as wrong:
            await keys.find(stranger.tenant, ["customer_code:C1"], make=True)
        assert wrong.value.code == "privacy.wrong_master_key"
    with pytest.raises(Unavailable):
        await wrap_again(runtime.pool, false, lambda _: None)
    assert look("SELECT * FROM subject_key ORDER BY tenant_id, subject") == before


async def test_one_damaged_key_stops_no_other_tenant_from_making_keys(
    desk: Desk, runtime: Runtime, settings: Settings
) -> None:
    for number in range(3):
        await desk.record(str(number), f"C{number}")
    one = f"WHERE tenant_id = '{desk.tenant}' AND subject = 'customer_code:C0'"
    alter(settings, f"UPDATE subject_key SET wrapped = '\\x00' {one}")
    fresh = PostgresSubjectKeys.of_pool(runtime.pool, open_keyring(settings))
    (made,) = await fresh.find(Desk(runtime).tenant, ["customer_code:C1"], make=True)
    assert made.key is not None


async def test_a_tenant_whose_keys_can_not_be_opened_stops_alone_and_goes_on_by_itself(
    desk: Desk, runtime: Runtime, look: Look
) -> None:
    lost = Keyring({"lost": RIGHT})
    apart = Bus(runtime.store, vault=Vault(PostgresSubjectKeys.of_pool(runtime.pool, lost)))
    await desk.record("1", bus=apart)
    other = Desk(runtime)
    ring = Keyring({runtime.keyring.current: runtime.keyring._keys[runtime.keyring.current]})
    vault = Vault(PostgresSubjectKeys.of_pool(runtime.pool, ring))
    running = asyncio.create_task(Projector(runtime.pool, vault).run())
    try:
        await _until(lambda: bool(_found(look, desk, "privacy.master_key_absent")))
        await other.record("1")
        await _until(lambda: _found(look, other, None))
        assert desk.tenant not in await lagging(runtime)
        assert cursor(look, desk, "privacy.destroy_keys") == (1, None)
        first = look(_UPDATED.format(desk.tenant))
        await asyncio.sleep(1.5)
        assert look(_UPDATED.format(desk.tenant)) == first  # What is no news is not written.
        ring._keys["lost"] = RIGHT
        await _until(lambda: _found(look, desk, None))
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert cursor(look, desk) == (1, None)


_UPDATED = (
    "SELECT updated_at FROM projection_cursor"
    f" WHERE tenant_id = '{{}}' AND projection = '{INVOICES}'"
)


def _found(look: Look, desk: Desk, error: str | None) -> bool:
    found = look(
        "SELECT position, error FROM projection_cursor"
        f" WHERE tenant_id = '{desk.tenant}' AND projection = '{INVOICES}'"
    )
    return any(
        (at > 0 and told is None) if error is None else (told or "").startswith(error)
        for at, told in found
    )


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not true():  # noqa: ASYNC110 - another process's rows tell no event.
            await asyncio.sleep(0.1)


async def test_somebody_whose_key_can_not_be_opened_can_be_forgotten(
    desk: Desk, runtime: Runtime, look: Look
) -> None:
    await desk.record("1")
    vault = Vault(PostgresSubjectKeys.of_pool(runtime.pool, Keyring({"another": WRONG})))
    bus = Bus(runtime.store, vault=vault)
    forget = ForgetSubject(kind="customer_code", value="C7", reason="Asked for it.")
    done = await bus.execute(forget, desk.context)
    assert [kind for kind, _ in done.events] == ["SubjectForgotten"]
    assert (await bus.execute(forget, desk.context)).events == ()
    await Projector(runtime.pool, vault).catch_up()
    assert cursor(look, desk) == (2, None)
    assert await name_in_fold(desk, bus) is FORGOTTEN
    rows = look(f"SELECT wrapped FROM subject_key WHERE tenant_id = '{desk.tenant}'")
    assert rows == [(None,)]


async def test_who_is_forgotten_is_listed_with_the_read_models_that_still_name_them(
    desk: Desk, runtime: Runtime, settings: Settings, project: Project
) -> None:
    await desk.record("1")
    await desk.record("2", "C8", "Eva Gil")
    await project()
    alter(
        settings,
        "UPDATE projection_cursor SET failed_position = 3, error = 'Event 3: a bug'"
        f" WHERE tenant_id = %s AND projection = '{INVOICES}'",
        desk.tenant,
    )
    await desk.forget()
    tenants, _ = consumer_names()

    async def listed() -> list[tuple[str, bool, bool, tuple[str, ...]]]:
        found = await list_subjects(runtime.pool, desk.tenant, ("", -1), 10, consumers=tenants)
        return [
            (e.subject, e.forgotten_at is not None, e.destroyed_at is not None, e.pending)
            for e in found
        ]

    waiting = await listed()
    assert waiting[0][:3] == ("customer_code:C7", True, False)
    assert set(waiting[0][3]) >= {"invoices", "privacy.destroy_keys"}
    assert waiting[1] == ("customer_code:C8", False, False, ())
    await project()
    assert (await listed())[0] == ("customer_code:C7", True, True, ("invoices",))
    alter(
        settings,
        "UPDATE projection_cursor SET failed_position = NULL, error = NULL WHERE tenant_id = %s",
        desk.tenant,
    )
    await project()
    assert (await listed())[0] == ("customer_code:C7", True, True, ())

"""Somebody is forgotten for good, on a real PostgreSQL, and nobody else is touched by it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import date

import psycopg
import pytest

from adapters.access.door import door_of
from adapters.access.sessions import Client
from adapters.accounts.accounts import account_of
from adapters.keyring import Keyring, open_keyring
from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.moments import row_as_of
from adapters.postgres.models.versions import consumer_of, table_name
from adapters.postgres.projecting.building.rebuild import rebuild
from adapters.postgres.projecting.projector import Projector
from adapters.postgres.subject_keys import DestroyKeys, PostgresSubjectKeys
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.access import email_fields
from application.bus import Bus
from application.errors import Unavailable
from application.kernel import Outcome, build
from application.vault import UNKNOWN, Vault
from domain.access import RegisterUser, UserId
from domain.ids import SYSTEM_TENANT, TenantId
from domain.invoicing import (
    Customer,
    CustomerCode,
    DraftInvoice,
    InvoiceId,
    InvoiceRecorded,
    IssueInvoice,
    Number,
    SeriesCode,
)
from domain.kernel import FORGOTTEN, Event, Refused
from domain.privacy import ForgetSubject
from projections.access import Users
from projections.invoices import InvoiceRow, Invoices
from tests.invoicing.examples import LINES
from tests.privacy.conftest import Desk, Look

INVOICES = consumer_of(Invoices)
TABLE = table_name(Invoices)

Project = Callable[[], Awaitable[None]]
EVERYWHERE = ("event", "event_tag", "idempotency", "snapshot", "subject_key", "projection_cursor")


async def row(desk: Desk, number: str) -> InvoiceRow:
    """Read a row of the read model."""
    runtime = desk.runtime
    async with tenant_transaction(runtime.pool, desk.tenant) as connection:
        found = await connection.execute(
            f"SELECT customer, position FROM {TABLE} WHERE tenant_id = %s AND invoice = %s",
            (desk.tenant, f"i{number}"),
        )
        ((customer, _),) = await found.fetchall()
    head = await runtime.store.head(desk.tenant)
    as_of = await row_as_of(runtime, Invoices, desk.context, f"i{number}", head)
    assert isinstance(as_of, InvoiceRow)
    assert as_of.customer is not None
    assert f'"name":"{as_of.customer.name}"' in customer
    return as_of


async def name(desk: Desk, number: str) -> str | None:
    found = (await row(desk, number)).customer
    return found.name if found else None


async def living_keys(desk: Desk, look: Look) -> int:
    ((count,),) = look(f"SELECT count(wrapped) FROM subject_key WHERE tenant_id = '{desk.tenant}'")
    return int(count)


async def test_a_name_lies_nowhere_in_the_log_as_it_is(desk: Desk, look: Look) -> None:
    await desk.record("1")
    for table in EVERYWHERE:
        for (text,) in look(f"SELECT t::text FROM {table} AS t"):
            assert "Núñez" not in text
            assert "N\\u" not in text
            assert "12345678Z" not in text
    ((data,),) = look(f"SELECT data FROM event WHERE tenant_id = '{desk.tenant}'")
    assert '"customer_name":"asiento:sealed:1:0:' in data


async def test_who_is_forgotten_reads_as_the_blank_and_others_as_before(
    desk: Desk, project: Project, look: Look
) -> None:
    await desk.record("1")
    await desk.record("2", "C8", "Eva Gil")
    await project()
    assert [await name(desk, "1"), await name(desk, "2")] == ["Ana Núñez", "Eva Gil"]

    before = await row(desk, "1")
    done = await desk.forget()
    assert [kind for kind, _ in done.events] == ["SubjectForgotten"]
    await project()
    assert [await name(desk, "1"), await name(desk, "2")] == ["[forgotten]", "Eva Gil"]
    after = await row(desk, "1")
    assert (after.total, after.number, after.customer_code) == (before.total, "1", "C7")
    assert await living_keys(desk, look) == 1
    ((shown,),) = look(
        f"SELECT i::text FROM {TABLE} AS i WHERE tenant_id = '{desk.tenant}' AND number = '1'"
    )
    assert "12345678Z" not in shown


async def test_forgetting_again_changes_nothing_and_a_stranger_can_not_be_forgotten(
    desk: Desk,
) -> None:
    await desk.record("1")
    await desk.forget()
    assert (await desk.forget()).events == ()
    with pytest.raises(Refused) as refused:
        await desk.forget("C99")
    assert refused.value.code == "privacy.subject_absent"


async def test_two_who_forget_at_once_forget_once(desk: Desk) -> None:
    await desk.record("1")
    done = await asyncio.gather(*(desk.forget() for _ in range(8)))
    assert sorted(len(each.events) for each in done) == [0] * 7 + [1]


async def test_what_is_forgotten_is_forgotten_in_every_process_at_once(
    desk: Desk, settings: Settings
) -> None:
    """Another process kept the state and the key, and nobody has destroyed the key yet."""
    await desk.record("1")
    async with open_runtime(settings) as another:
        boundary = Number.at(number="1")
        kept = await another.bus.fold(desk.tenant, boundary)
        assert isinstance(kept.holder, InvoiceRecorded)
        assert kept.holder.customer_name == "Ana Núñez"
        await desk.forget()
        for bus in (another.bus, desk.runtime.bus):
            held = (await bus.fold(desk.tenant, boundary)).holder
            assert held is not None
            assert held.customer_name is FORGOTTEN


async def test_a_document_of_somebody_forgotten_is_not_recorded_twice(desk: Desk) -> None:
    await desk.record("1")
    await desk.forget()
    assert (await desk.record("1", name="Ana Núñez Gil")).events == ()


async def test_who_comes_back_is_known_by_what_they_say_then(
    desk: Desk, project: Project, look: Look
) -> None:
    await desk.record("1")
    await desk.forget()
    await desk.record("2", name="Ana Gil")
    await project()
    assert [await name(desk, "1"), await name(desk, "2")] == ["[forgotten]", "Ana Gil"]
    assert await living_keys(desk, look) == 1
    await desk.forget()
    await project()
    assert [await name(desk, "1"), await name(desk, "2")] == ["[forgotten]"] * 2
    assert await living_keys(desk, look) == 0


async def test_nothing_new_is_sealed_with_a_key_that_is_about_to_go(
    desk: Desk, settings: Settings, project: Project
) -> None:
    """Another process forgets between this one's look and its append."""
    await desk.record("1")

    class Late(Vault):
        """Seals, and before the append somebody is forgotten."""

        async def seal(
            self, tenant: TenantId, events: Sequence[Event], *, erased: int = UNKNOWN
        ) -> Sequence[Event]:
            sealed = await super().seal(tenant, events, erased=erased)
            if not forgotten:
                forgotten.append(await desk.forget())
            return sealed

    forgotten: list[Outcome] = []
    async with open_runtime(settings) as another:
        keys = PostgresSubjectKeys.of_pool(another.pool, another.keyring)
        await desk.record("2", name="Ana Gil", bus=Bus(another.store, vault=Late(keys)))
    assert len(forgotten) == 1
    await project()
    assert [await name(desk, "1"), await name(desk, "2")] == ["[forgotten]", "Ana Gil"]


async def test_a_key_that_was_not_destroyed_for_a_crash_is_destroyed_later(
    desk: Desk, runtime: Runtime, look: Look
) -> None:
    await desk.record("1")
    done = await desk.forget()
    # The process that forgot is gone. The one that destroys dies in the midst of it.
    with suppress(asyncio.CancelledError):
        async with tenant_transaction(runtime.pool, desk.tenant) as connection:
            folded = await DestroyKeys()(connection, desk.tenant, 0, done.position)
            assert folded.events == 1
            raise asyncio.CancelledError
    assert await living_keys(desk, look) == 1
    assert await name_in_fold(desk) is FORGOTTEN  # Though its key still lies there.
    await Projector(runtime.pool, runtime.vault).catch_up()
    assert await living_keys(desk, look) == 0


async def name_in_fold(desk: Desk) -> str | None:
    holder = (await desk.runtime.bus.fold(desk.tenant, Number.at(number="1"))).holder
    return holder.customer_name if holder else None


async def test_a_rebuild_gives_the_rows_that_forgetting_left(
    desk: Desk, runtime: Runtime, settings: Settings, project: Project, look: Look
) -> None:
    for number in range(30):
        await desk.record(str(number), f"C{number % 3}", f"Name {number}")
    await project()
    await desk.forget("C1")
    await desk.record("30", "C1", "Name 30")
    await project()
    rows = f"SELECT * FROM {TABLE} WHERE tenant_id = '{desk.tenant}' ORDER BY invoice"
    before = look(rows)
    blank = [each for each in before if "[forgotten]" in str(each)]
    assert (len(before), len(blank)) == (31, 10)
    admin = settings.database_admin_url or ""
    await rebuild(admin, "invoices", desk.tenant, keyring=runtime.keyring)
    assert look(rows) == before
    await rebuild(admin, "invoices", keyring=runtime.keyring)
    assert look(rows) == before


async def test_without_the_master_key_nothing_is_read_written_or_lost(
    desk: Desk, runtime: Runtime, settings: Settings, project: Project, look: Look
) -> None:
    await desk.record("1")
    before = look("SELECT * FROM subject_key ORDER BY tenant_id, subject")
    for keys, code in (
        ({"another": bytes(32)}, "privacy.master_key_absent"),
        ({runtime.keyring.current: bytes(32)}, "privacy.wrong_master_key"),
    ):
        vault = Vault(PostgresSubjectKeys.of_pool(runtime.pool, Keyring(keys)))
        bus = Bus(runtime.store, vault=vault)
        with pytest.raises(Unavailable) as unavailable:
            await bus.fold(desk.tenant, Number.at(number="1"))
        assert unavailable.value.code == code
        await Projector(runtime.pool, vault).catch_up()
        ((error,),) = look(
            f"SELECT error FROM projection_cursor"
            f" WHERE tenant_id = '{desk.tenant}' AND projection = '{INVOICES}'"
        )
        assert error.startswith(code)
    assert look("SELECT * FROM subject_key ORDER BY tenant_id, subject") == before
    await project()
    assert await name(desk, "1") == "Ana Núñez"
    assert open_keyring(settings).current == runtime.keyring.current


async def test_no_tenant_sees_the_keys_of_another(desk: Desk, runtime: Runtime) -> None:
    await desk.record("1")
    stranger = Desk(runtime)
    keys = PostgresSubjectKeys.of_pool(runtime.pool, runtime.keyring)
    assert await keys.find(stranger.tenant, ["customer_code:C7"]) == []
    async with tenant_transaction(runtime.pool, stranger.tenant) as connection:
        found = await connection.execute("SELECT count(*) FROM subject_key")
        assert await found.fetchone() == (0,)


async def test_the_application_can_not_delete_a_key_or_rename_its_subject(
    desk: Desk, runtime: Runtime
) -> None:
    await desk.record("1")
    for statement in ("DELETE FROM subject_key", "UPDATE subject_key SET subject = 'x'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with tenant_transaction(runtime.pool, desk.tenant) as connection:
                await connection.execute(statement)


async def test_many_who_seal_at_once_make_one_key(desk: Desk, runtime: Runtime, look: Look) -> None:
    pools = [PostgresSubjectKeys.of_pool(runtime.pool, runtime.keyring) for _ in range(8)]
    subjects = [f"customer_code:N{n}" for n in range(20)]
    found = await asyncio.gather(
        *(
            keys.find(desk.tenant, subjects[::step], make=True)
            for keys, step in zip(pools, (1, -1) * 4, strict=True)
        )
    )
    assert len({tuple(key.key for key in each) for each in found}) == 1
    assert await living_keys(desk, look) == 20


async def test_an_invoice_drafted_for_somebody_forgotten_is_issued_without_their_name(
    desk: Desk, project: Project
) -> None:
    bus = desk.runtime.bus
    customer = Customer(code=CustomerCode("C7"), name="Ana Núñez")
    await bus.execute(
        DraftInvoice(invoice=InvoiceId("i1"), lines=LINES, customer=customer), desk.context
    )
    await desk.forget()
    await bus.execute(
        IssueInvoice(invoice=InvoiceId("i1"), series=SeriesCode("A"), issued_on=date(2026, 5, 2)),
        desk.context,
    )
    await project()
    assert await name(desk, "1") == "[forgotten]"


async def test_a_user_who_is_forgotten_can_not_log_in_and_has_no_address_anywhere(
    runtime: Runtime, project: Project, look: Look
) -> None:
    system, email = Desk(runtime, SYSTEM_TENANT), "eva@example.org"
    given = {
        **await email_fields(runtime.vault, email),
        "password_hash": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        "tenant": system.tenant,
        "permissions": (),
    }
    user = (
        await runtime.bus.execute(build(RegisterUser, given, runtime.clock), system.context)
    ).ids["user"]
    await project()
    assert await account_of(runtime, email) is not None
    sessions = door_of(runtime).sessions
    opened = await sessions.open(UserId(user), system.tenant, "tokens", Client(agent=email))
    forget = ForgetSubject(kind="user", value=user, reason="Left.")
    await runtime.bus.execute(forget, system.context)
    await project()
    assert await account_of(runtime, email) is None
    assert await sessions.find(opened.session.session) is None
    for table in (*EVERYWHERE, table_name(Users), "session"):
        assert not [text for (text,) in look(f"SELECT t::text FROM {table} AS t") if email in text]


async def test_a_projector_that_met_somebody_before_they_came_back_reads_them_then(
    desk: Desk, project: Project
) -> None:
    """Its kept keys know nothing of the new one."""
    await desk.record("1")
    await project()
    await desk.forget()
    await project()
    await desk.record("2", name="Ana Gil")
    await project()
    assert [await name(desk, "1"), await name(desk, "2")] == ["[forgotten]", "Ana Gil"]


async def test_a_projection_that_can_not_open_a_text_stops_there_and_says_why(
    desk: Desk, runtime: Runtime, project: Project, settings: Settings
) -> None:
    await desk.record("1")
    done = await desk.record("2", "C8", "Eva Gil")
    admin = settings.database_admin_url or ""
    with psycopg.connect(admin, autocommit=True) as connection:
        lost = "DELETE FROM subject_key WHERE tenant_id = %s AND subject = 'customer_code:C8'"
        connection.execute(lost, (desk.tenant,))
        await Projector(runtime.pool, Vault(runtime.vault._keys)).catch_up()
        failed = connection.execute(
            "SELECT position, failed_position, error FROM projection_cursor"
            f" WHERE tenant_id = %s AND projection = '{INVOICES}'",
            (desk.tenant,),
        ).fetchone()
    assert failed is not None
    assert failed[:2] == (done.position - 1, done.position)
    assert "customer_code:C8 can't be opened: there is no such key" in failed[2]
    assert "Eva" not in failed[2]
    await project()
    assert await name(desk, "1") == "Ana Núñez"

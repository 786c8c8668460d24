"""Jobs and reactions are held to what is switched off and suspended, and end as they should."""

from pathlib import Path

import pytest

from application.bus import Bus
from application.errors import Forbidden
from application.jobs import companions
from application.kernel import EVERYTHING, Context
from application.reactions import Cause, react
from domain.ids import SYSTEM_TENANT, BatchId
from domain.imports import IngestRows, PromoteImportBatch, ValidateImportBatch
from domain.kernel import Command
from domain.modules import DisableModule, EnableModule, ModuleName
from domain.tenants import ResumeTenant, SuspendTenant
from tests.application.desk import TENANT, Store, context
from tests.application.test_reactions import Issues
from tests.imports.office import TENANT as IMPORTING
from tests.imports.office import Office
from tests.invoicing.examples import drafted

IMPORTS, INVOICING = ModuleName("imports"), ModuleName("invoicing")
FILE = "number,date,quantity,unit_price\nA-1,2026-05-01,1,2.00\nA-2,2026-05-01,1,2.00\n"
OPERATOR = Context(
    tenant=SYSTEM_TENANT,
    actor="system",
    permissions=frozenset({EVERYTHING}),
    correlation_id="request-1",
)


@pytest.fixture
async def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    await office.open_books()
    return office


async def queue(office: Office, command: type[Command], **given: object) -> str:
    return (await office.execute(command, **given)).ids["job"]


async def validated(office: Office) -> BatchId:
    batch = await office.ingest(FILE)
    await office.step(ValidateImportBatch, batch=batch)
    return batch


async def ended(office: Office, job: str) -> tuple[str, str | None]:
    """Do a job, in a process that knows nothing yet; say how it ended."""
    office.start()
    await office.work(job)
    row = (await office.jobs())[job]
    return row.status, row.error_code


async def test_a_job_of_a_module_that_is_switched_off_meanwhile_fails_and_says_why(
    office: Office,
) -> None:
    batch = await office.open_batch()
    job = await queue(office, IngestRows, batch=batch, **await office.file(FILE))
    await office.execute(DisableModule, module=IMPORTS)
    assert await ended(office, job) == ("failed", "modules.disabled")
    assert (await office.batch(batch)).status == "open"


async def test_nothing_enters_the_books_while_invoicing_is_switched_off(office: Office) -> None:
    batch = await validated(office)
    job = await queue(office, PromoteImportBatch, batch=batch)
    await office.execute(DisableModule, module=IMPORTS)
    await office.execute(DisableModule, module=INVOICING)
    assert await ended(office, job) == ("failed", "modules.disabled")
    assert not await office.invoices()
    assert not office.errors(batch)


async def test_a_batch_goes_on_once_its_module_is_on_again(office: Office) -> None:
    batch = await validated(office)
    job = await queue(office, PromoteImportBatch, batch=batch)
    await office.execute(DisableModule, module=IMPORTS)
    await ended(office, job)
    await office.execute(EnableModule, module=IMPORTS)
    await office.step(PromoteImportBatch, batch=batch)
    assert len(await office.invoices()) == 2


async def test_a_job_of_a_suspended_company_fails_and_is_asked_for_again_later(
    office: Office,
) -> None:
    batch = await validated(office)
    job = await queue(office, PromoteImportBatch, batch=batch)
    suspend = SuspendTenant(tenant=IMPORTING, reason="The fee is not paid.")
    await office.place.bus.execute(suspend, OPERATOR)
    assert await ended(office, job) == ("failed", "tenants.suspended")
    assert (await office.batch(batch)).status == "validated"
    await office.place.bus.execute(ResumeTenant(tenant=IMPORTING), OPERATOR)
    await office.step(PromoteImportBatch, batch=batch)
    assert len(await office.invoices()) == 2


async def test_the_command_of_a_reaction_that_is_switched_off_is_a_dead_letter() -> None:
    store = Store()
    bus = Bus(store, vault=store.vault, companions=companions)
    for module in (IMPORTS, INVOICING):
        await bus.execute(DisableModule(module=module), context())
    cause = Cause(tenant=TENANT, position=1, correlation_id="request-1", event=drafted())
    letter = await react(bus, Issues, cause)
    assert letter is not None
    assert letter.code == "modules.disabled"


async def test_a_job_that_is_asked_for_while_its_module_is_off_is_not_queued(
    office: Office,
) -> None:
    batch = await validated(office)
    await office.execute(DisableModule, module=IMPORTS)
    with pytest.raises(Forbidden, match="imports"):
        await office.execute(PromoteImportBatch, batch=batch)

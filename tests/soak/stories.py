"""What happens in an office, each story as one function: commands in the order of a day's work."""

from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from typing import Final, TypeAlias

from application.access import email_fields
from domain.access import CreateApiKey, KeyId, KeySecretId, RegisterUser, RevokeApiKey, UserId
from domain.ids import BatchId, JobId, TenantId
from domain.imports import (
    AbandonStep,
    FinishIngestion,
    FinishPromotion,
    FinishValidation,
    IngestRows,
    NoteHeader,
    NoteIngested,
    NotePromoted,
    NoteValidated,
    OpenImportBatch,
    PromoteImportBatch,
    ValidateImportBatch,
)
from domain.imports.columns import Layout
from domain.invoicing import (
    Customer,
    CustomerCode,
    DraftInvoice,
    InvoiceId,
    InvoiceNumber,
    IssueInvoice,
    Line,
    RecordInvoice,
    SeriesCode,
)
from domain.jobs import CancelJob, FailJob, FinishJob, ReportProgress, StartJob
from domain.kernel import Command
from domain.privacy import ForgetSubject
from domain.webhooks import EndpointId, PauseWebhook, RegisterWebhook, ResumeWebhook, SecretId
from tests.soak.reactions import LEFT
from tests.soak.writing import ENDPOINTS_MAX, Writer, new_company

CUSTOMERS: Final = 9
TOGETHER_MAX: Final = 700
NO_SECRET: Final = "0" * 64
ISSUED_ON: Final = date(2026, 5, 1)  # In a series no invoice is older than the one before.
RATES: Final = (Decimal(21), Decimal(10), Decimal(4), Decimal(0))
SENT: Final = (
    ("InvoiceRecorded",),
    ("InvoiceDrafted", "InvoiceIssued"),
    ("BatchOpened", "InvoiceIssued", "JobQueued", "SubjectForgotten"),
)
Story: TypeAlias = Callable[[Writer, TenantId], Awaitable[object]]


async def an_invoice_is_issued(writer: Writer, tenant: TenantId) -> None:
    invoice, chance = InvoiceId(writer.new_id()), writer.random
    for _ in range(chance.choice((1, 1, 2, 3))):
        draft = DraftInvoice(invoice=invoice, lines=_lines(writer), customer=_customer(writer))
        await writer.do(tenant, draft)
    if chance.random() < 0.8:
        series = SeriesCode(chance.choice("AB"))
        await writer.do(tenant, IssueInvoice(invoice=invoice, series=series, issued_on=ISSUED_ON))


async def an_invoice_is_recorded(writer: Writer, tenant: TenantId) -> None:
    await writer.do(tenant, _recorded(writer))


async def many_invoices_are_recorded(writer: Writer, tenant: TenantId) -> None:
    """Record more than the projector takes at a time, sooner or later."""
    many = writer.random.randrange(100, TOGETHER_MAX)
    await writer.do(tenant, *(_recorded(writer) for _ in range(many)))


async def a_batch_is_imported(writer: Writer, tenant: TenantId) -> None:
    """Do what surfaces and workers do for a file, here without the file."""
    batch = BatchId(writer.new_id())
    if not await writer.do(tenant, OpenImportBatch(batch=batch, origin="soak")):
        return
    for step in (_ingested, _validated, _promoted):
        job = JobId(writer.new_id())
        asked, worked = step(batch, job)
        if not await writer.do(tenant, asked):
            return
        await writer.do(tenant, StartJob(job=job))
        if writer.random.random() < 0.1:
            await writer.do(tenant, CancelJob(job=job))
            await writer.do(tenant, FailJob(job=job, code="soak.failed", message="No.", hint="."))
            await writer.do(tenant, AbandonStep(batch=batch))
            return
        for command in worked:
            await writer.do(tenant, command)
        await writer.do(tenant, ReportProgress(job=job, done=50, total=100))
        await writer.do(tenant, FinishJob(job=job, done=100))


async def a_file_is_left(writer: Writer, tenant: TenantId) -> None:
    """Receive a file that a reaction is for, and that nobody goes on with."""
    batch, job = BatchId(writer.new_id()), JobId(writer.new_id())
    if await writer.do(tenant, OpenImportBatch(batch=batch, origin="soak")):
        await writer.do(tenant, _received(batch, job, LEFT))


async def a_key_is_made(writer: Writer, tenant: TenantId) -> None:
    key = KeyId(writer.new_id())
    made = CreateApiKey(
        key=key,
        secret_id=KeySecretId(writer.new_id()),
        secret=NO_SECRET,
        name="soak",
        permissions=(),
    )
    if await writer.do(tenant, made) and writer.random.random() < 0.5:
        await writer.do(tenant, RevokeApiKey(key=key))


async def a_person_is_let_in(writer: Writer, tenant: TenantId) -> None:
    user = UserId(writer.new_id())
    fields = await email_fields(writer.runtime.vault, f"{user}@example.com")
    enrolled = RegisterUser(
        user=user, tenant=tenant, password_hash=NO_SECRET, permissions=(), **fields
    )
    await writer.do(tenant, enrolled)


async def a_company_is_created(writer: Writer, tenant: TenantId) -> None:
    await writer.do(tenant, new_company(TenantId(writer.new_id()), TOGETHER_MAX))


async def a_customer_is_forgotten(writer: Writer, tenant: TenantId) -> None:
    code = f"C{writer.random.randrange(CUSTOMERS)}"
    await writer.do(tenant, ForgetSubject(kind="customer_code", value=code, reason="asked for"))


async def an_endpoint_is_registered(writer: Writer, tenant: TenantId) -> None:
    if len(writer.endpoints) < ENDPOINTS_MAX:
        endpoint = EndpointId(writer.new_id())
        writer.endpoints.append((tenant, endpoint))
        registered = RegisterWebhook(
            endpoint=endpoint,
            secret_id=SecretId(writer.new_id()),
            url=writer.hooks.url_of(endpoint),
            types=writer.random.choice(SENT),
        )
        await writer.do(tenant, registered)


async def an_endpoint_rests(writer: Writer, _: TenantId) -> None:
    """Pause one: what happens meanwhile waits, and comes once it goes on."""
    if writer.endpoints:
        tenant, endpoint = writer.random.choice(writer.endpoints)
        await writer.do(tenant, PauseWebhook(endpoint=endpoint))
        await writer.rest()
        await writer.do(tenant, ResumeWebhook(endpoint=endpoint))


STORIES: Final[dict[Story, int]] = {
    an_invoice_is_issued: 30,
    an_invoice_is_recorded: 20,
    many_invoices_are_recorded: 1,
    a_batch_is_imported: 6,
    a_file_is_left: 10,
    a_key_is_made: 4,
    a_person_is_let_in: 2,
    a_company_is_created: 2,
    a_customer_is_forgotten: 1,
    an_endpoint_is_registered: 5,
    an_endpoint_rests: 1,
}
"""Every story, and how often it is told beside the others."""


def _recorded(writer: Writer) -> RecordInvoice:
    sign = -1 if writer.random.random() < 0.1 else 1
    number = InvoiceNumber(f"R{writer.new_id()[:13].replace('-', '')}")
    return RecordInvoice(
        invoice=InvoiceId(writer.new_id()),
        number=number,
        issued_on=date(2026, writer.random.randrange(1, 13), writer.random.randrange(1, 29)),
        lines=_lines(writer, sign),
        currency=writer.random.choice(("EUR", "USD")),
        customer=_customer(writer),
    )


def _lines(writer: Writer, sign: int = 1) -> tuple[Line, ...]:
    chance = writer.random
    return tuple(
        Line(
            description=f"Bolt {n}",
            quantity=Decimal(sign * chance.randrange(1, 50)),
            unit_price=Decimal(chance.randrange(1, 10_000)) / 100,
            tax_rate=chance.choice(RATES),
        )
        for n in range(chance.randrange(1, 4))
    )


def _customer(writer: Writer) -> Customer | None:
    number = writer.random.randrange(CUSTOMERS + 1)
    if number == CUSTOMERS:
        return None
    code = CustomerCode(f"C{number}")
    return Customer(code=code, name=f"Ana {number} García", country="ES", tax_id=f"X{number:07}L")


def _ingested(batch: BatchId, job: JobId) -> tuple[Command, list[Command]]:
    return _received(batch, job, "soak.csv"), [
        NoteHeader(batch=batch, header=("number", "date"), layout=Layout(columns={"number": 0})),
        NoteIngested(batch=batch, through_line=100, rows=100),
        FinishIngestion(batch=batch),
    ]


def _received(batch: BatchId, job: JobId, name: str) -> IngestRows:
    return IngestRows(batch=batch, job=job, sha256=NO_SECRET, name=name, size_bytes=1)


def _validated(batch: BatchId, job: JobId) -> tuple[Command, list[Command]]:
    return ValidateImportBatch(batch=batch, job=job), [
        NoteValidated(batch=batch, through_document="Z", through_line=100, rows=100, rejected=3),
        FinishValidation(batch=batch, held=2),
    ]


def _promoted(batch: BatchId, job: JobId) -> tuple[Command, list[Command]]:
    return PromoteImportBatch(batch=batch, job=job), [
        NotePromoted(
            batch=batch,
            after_document="",
            through_document="Z",
            rows=95,
            invoices=40,
            credit_notes=2,
            existing=1,
            rejected=1,
        ),
        FinishPromotion(batch=batch),
    ]

"""What people see of what happened."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from domain.access import (
    OWNER,
    ApiKeyCreated,
    ApiKeyRevoked,
    ApiKeyRotated,
    Email,
    KeyId,
    KeySecretId,
    ServiceAccountAdded,
    ServiceAccountChanged,
    ServiceAccountId,
    ServiceAccountResumed,
    ServiceAccountSuspended,
    UserEnrolled,
    UserId,
)
from domain.ids import BatchId, JobId, TenantId
from domain.invoicing import InvoiceIssued, InvoiceRecorded, Line
from domain.jobs import (
    JobCancelled,
    JobCancelRequested,
    JobFailed,
    JobProgressed,
    JobQueued,
    JobStarted,
    JobSucceeded,
    JobWaiting,
)
from domain.kernel import Event
from domain.tenants import Slug, TenantCreated
from projections.access import (
    ApiKeyRow,
    ApiKeys,
    ServiceAccountRow,
    ServiceAccounts,
    UserRow,
    Users,
)
from projections.imports import ImportBatches, ImportBatchRow
from projections.invoices import CustomerOfInvoice, InvoiceRow, Invoices, LineOfInvoice
from projections.jobs import JobRow, Jobs
from projections.kernel import events_of, gathers, project, read_models
from projections.tenants import TenantRow, Tenants
from tests.imports import test_batches as imports
from tests.invoicing.examples import LINES, MAY_2, ONE, RETURNED, drafted, issued, line, recorded

DIGEST = "ab" * 32
JOB, TENANT, KEY = JobId("j1"), TenantId("t1"), KeyId("k1")


def invoice_of(*history: Event) -> InvoiceRow:
    (row,) = project(Invoices, history).values()
    return row


def totals(lines: tuple[Line, ...], currency: str = "EUR") -> tuple[str, str, str]:
    row = invoice_of(recorded(lines=lines, currency=currency))
    assert row.due == row.total
    return str(row.net), str(row.tax), str(row.total)


def test_a_draft_shows_what_is_to_be_billed() -> None:
    assert invoice_of(drafted()) == InvoiceRow(
        invoice=ONE,
        status="draft",
        kind="invoice",
        currency="EUR",
        lines=(
            LineOfInvoice(
                description="Bolt",
                quantity=Decimal(3),
                unit_price=Decimal("1.50"),
                tax_rate=Decimal(21),
                amount=Decimal("4.50"),
                item="B-1",
            ),
        ),
        net=Decimal("4.50"),
        tax=Decimal("0.95"),
        total=Decimal("5.45"),
        paid=Decimal(0),
        customer=CustomerOfInvoice(
            id="C7", code="C7", name="Ana Núñez", country="ES", tax_id="12345678Z"
        ),
        customer_code=drafted().customer_code,
    )


def test_an_issued_invoice_shows_its_number() -> None:
    assert invoice_of(drafted(), issued()) == replace(
        invoice_of(drafted()),
        status="issued",
        number="A-000001",
        series="A",
        issued_on=MAY_2,
    )


def test_a_recorded_invoice_shows_where_it_came_from() -> None:
    row = invoice_of(replace(recorded(), batch=BatchId("b1")))
    assert (row.status, row.number, row.series, row.batch) == ("issued", "536365", None, "b1")
    assert (row.customer, row.customer_code) == (None, None)


def test_what_is_due_is_the_total_less_what_is_paid() -> None:
    row = invoice_of(recorded())
    assert row.due == Decimal("5.45")
    assert replace(row, paid=Decimal(2)).due == Decimal("3.45")


def test_a_draft_below_zero_shows_as_a_credit_note() -> None:
    row = invoice_of(drafted(lines=RETURNED))
    assert (row.kind, row.net, row.tax, row.total) == (
        "credit_note",
        Decimal("-4.50"),
        Decimal("-0.95"),
        Decimal("-5.45"),
    )


def test_a_credit_note_by_its_prefix_keeps_its_sign() -> None:
    row = invoice_of(recorded(number="C1", kind="credit_note"))
    assert (row.kind, row.net) == ("credit_note", Decimal("4.50"))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((line("1", "0.005"),), ("0.01", "0.00", "0.01")),
        ((line("1", "-0.005"),), ("-0.01", "0.00", "-0.01")),
        ((line("1", "0.0049"),), ("0.00", "0.00", "0.00")),
        ((line("3", "0.335"),), ("1.01", "0.00", "1.01")),
        ((line("1", "0.05", "10"),), ("0.05", "0.01", "0.06")),
        ((line("1", "0.05", "10"), line("1", "0.05", "10")), ("0.10", "0.01", "0.11")),
        ((line("1", "0.05", "10"), line("1", "0.05", "10.0")), ("0.10", "0.01", "0.11")),
        ((line("1", "0.05", "10"), line("1", "0.025", "20")), ("0.08", "0.02", "0.10")),
        ((line("1", "10", "21"), line("-1", "10", "21")), ("0.00", "0.00", "0.00")),
        ((line("1", "100", "21"), line("1", "100", "0")), ("200.00", "21.00", "221.00")),
    ],
)
def test_tax_is_rounded_half_up_once_for_each_rate(
    lines: tuple[Line, ...], expected: tuple[str, str, str]
) -> None:
    net, tax, total = totals(lines)
    assert tuple(map(Decimal, (net, tax, total))) == tuple(map(Decimal, expected))


@pytest.mark.parametrize(
    ("currency", "expected"),
    [
        ("EUR", ("10.11", "2.12", "12.23")),
        ("JPY", ("10", "2", "12")),
        ("KWD", ("10.105", "2.122", "12.227")),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(
    currency: str, expected: tuple[str, str, str]
) -> None:
    assert totals((line("1", "10.105", "21"),), currency) == expected


def test_the_largest_amounts_are_added_exactly() -> None:
    most = line("1", "999999999999999.99", "21")
    assert totals((most, most)) == (
        "1999999999999999.98",
        "420000000000000.00",
        "2419999999999999.98",
    )


def test_nothing_is_lost_before_the_one_rounding() -> None:
    figure = "999999999999999.999999999999"
    assert totals((line(figure, "1"), line("-0.000000000001", "1")))[0] == "1000000000000000.00"
    assert totals((line(figure, figure),))[0] == "999999999999999999999999998000.00"
    assert totals((line("10000000000000", "10"), line("0.004999999999", "1")))[0] == (
        "100000000000000.00"
    )


def job_of(*history: Event) -> JobRow:
    (row,) = project(Jobs, history).values()
    return row


QUEUED = JobQueued(job=JOB, kind="imports.ingest", subject="b1")
QUEUED_ROW = JobRow(job=JOB, kind="imports.ingest", subject="b1", status="queued")
HALF = JobProgressed(job=JOB, done=50, total=100, message="half")


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (JobStarted(job=JOB), replace(QUEUED_ROW, status="running")),
        (HALF, replace(QUEUED_ROW, done=50, total=100, message="half")),
        (JobWaiting(job=JOB, reason="Full."), replace(QUEUED_ROW, message="Full.")),
        (
            JobSucceeded(job=JOB, done=9, message="All."),
            replace(QUEUED_ROW, status="succeeded", done=9, total=9, message="All."),
        ),
        (
            JobFailed(job=JOB, code="a.b", message="No.", hint="Do."),
            replace(QUEUED_ROW, status="failed", error_code="a.b", message="No.", hint="Do."),
        ),
        (JobCancelRequested(job=JOB), replace(QUEUED_ROW, status="cancelling")),
        (JobCancelled(job=JOB), replace(QUEUED_ROW, status="cancelled")),
    ],
)
def test_a_job_shows_what_becomes_of_it(event: Event, row: JobRow) -> None:
    assert job_of(QUEUED) == QUEUED_ROW
    assert job_of(QUEUED, event) == row


def test_a_job_that_goes_on_forgets_why_it_stood_still() -> None:
    assert job_of(QUEUED, JobWaiting(job=JOB, reason="Full."), JobStarted(job=JOB)).message == ""


def batch_of(*history: Event) -> ImportBatchRow:
    (row,) = project(ImportBatches, history).values()
    return row


def test_a_batch_shows_its_file_and_its_header() -> None:
    row = batch_of(*imports.RECEIVED)
    assert (row.status, row.file_name, row.size_bytes, row.sha256, row.job) == (
        "ingesting",
        "may.csv",
        900,
        imports.SHA,
        "j1",
    )
    assert (row.header, row.rows) == (imports.HEADER, 100)


def test_a_batch_shows_each_step() -> None:
    assert batch_of(imports.opened).status == "open"
    assert batch_of(*imports.INGESTED).status == "ingested"
    validating = batch_of(*imports.VALIDATING)
    assert (validating.status, validating.validated, validating.rejected) == ("validating", 60, 2)
    validated = batch_of(*imports.VALIDATED)
    assert (validated.accepted, validated.rejected, validated.held) == (95, 2, 3)
    promoted = batch_of(*imports.PROMOTED)
    assert (promoted.status, promoted.promoted, promoted.invoices) == ("promoted", 50, 9)
    assert (promoted.credit_notes, promoted.existing) == (1, 1)


def test_rows_that_are_refused_on_the_way_in_are_accepted_no_more() -> None:
    refused = replace(imports.some_made, rejected=5)
    row = batch_of(*imports.VALIDATED, imports.to_promote, refused)
    assert (row.accepted, row.rejected) == (90, 7)


def test_reading_again_starts_the_counts_anew() -> None:
    again = batch_of(*imports.VALIDATED, imports.to_validate)
    assert (again.status, again.validated, again.rejected) == ("validating", 0, 0)


def test_a_batch_that_cannot_be_read_says_why() -> None:
    row = batch_of(imports.opened, imports.received, imports.unreadable)
    assert (row.status, row.error_code, row.error, row.hint) == (
        "failed",
        "imports.empty",
        "It is empty.",
        "Send.",
    )


def test_a_batch_that_is_opened_twice_stays_as_it_is() -> None:
    row = batch_of(*imports.RECEIVED)
    assert ImportBatches.apply(None, imports.opened) == batch_of(imports.opened)
    assert row.status == "ingesting"


def test_a_company_is_shown_by_its_short_name() -> None:
    created = TenantCreated(tenant=TENANT, slug=Slug("acme"), name="Acme", country="EC")
    assert project(Tenants, [created]) == {
        "t1": TenantRow(tenant=TENANT, slug=Slug("acme"), name="Acme", country="EC")
    }


def test_a_key_is_shown_until_it_is_revoked_and_after() -> None:
    end = datetime(2026, 12, 31, tzinfo=UTC)
    created = ApiKeyCreated(
        key=KEY,
        tenant=TENANT,
        name="console",
        secret_sha256=DIGEST,
        permissions=("a.b.c",),
        expires_at=end,
    )
    row = ApiKeyRow(key=KEY, owner=TENANT, name="console", permissions=("a.b.c",), expires_at=end)
    assert project(ApiKeys, [created]) == {"k1": row}
    assert project(ApiKeys, [created, ApiKeyRevoked(key=KEY)]) == {"k1": replace(row, revoked=True)}


def test_a_key_is_shown_with_its_last_secret_and_until_when_the_former_one_holds() -> None:
    end, until = datetime(2026, 12, 31, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
    created = ApiKeyCreated(
        key=KEY, tenant=TENANT, name="till", secret_sha256=DIGEST, permissions=()
    )
    rotated = ApiKeyRotated(
        key=KEY,
        tenant=TENANT,
        secret_id=KeySecretId("s2"),
        secret_sha256=DIGEST,
        former_until=until,
        expires_at=end,
    )
    row = project(ApiKeys, [created, rotated])["k1"]
    assert (row.secret_id, row.former_until, row.expires_at) == ("s2", until, end)


def test_a_service_account_is_shown_as_it_is_now() -> None:
    robot = ServiceAccountId("a1")
    history: list[Event] = [
        ServiceAccountAdded(service_account=robot, name="till", roles=(OWNER,)),
        ServiceAccountSuspended(service_account=robot),
        ServiceAccountChanged(service_account=robot, name="door", roles=()),
    ]
    row = ServiceAccountRow(service_account=robot, name="door", roles=(), suspended=True)
    assert project(ServiceAccounts, history) == {"a1": row}
    resumed = ServiceAccountResumed(service_account=robot)
    assert project(ServiceAccounts, [*history, resumed])["a1"] == replace(row, suspended=False)


def test_a_person_is_named_and_known_by_no_password() -> None:
    argon2id = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"
    registered = UserEnrolled(
        user=UserId("u1"),
        email=Email("ana@example.org"),
        password_hash=argon2id,
        tenant=TENANT,
        permissions=(),
    )
    row = UserRow(user=UserId("u1"), email=Email("ana@example.org"), owner=TENANT)
    assert project(Users, [registered]) == {"u1": row}


def test_every_read_model_is_found_by_name() -> None:
    found = read_models()
    assert {"api_keys", "import_batches", "invoices", "jobs", "tenants", "users"} <= found.keys()
    for name, model in found.items():
        assert model.name == name
        assert model.key in model.row.__struct_fields__
        of_keys = all(model.key in event.__struct_fields__ for event in events_of(model))
        assert of_keys or gathers(model)


def test_events_of_other_modules_leave_a_read_model_alone() -> None:
    assert project(Invoices, [QUEUED, HALF]) == {}


def test_lines_of_every_kind_are_invoiced_alike() -> None:
    for event in (issued(lines=LINES), recorded(lines=LINES)):
        assert isinstance(event, InvoiceIssued | InvoiceRecorded)
        assert invoice_of(event).issued_on in (MAY_2, date(2026, 5, 1))

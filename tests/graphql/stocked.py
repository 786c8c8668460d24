"""A tenant whose books hold what is rare: nulls, ties, names that need escaping, odd decimals."""

from typing import Any, Final

from graphql import GraphQLEnumType, GraphQLInputObjectType, get_named_type
from msgspec import Struct

from adapters.graphql.asking import Asking
from adapters.graphql.documents import core_schema
from adapters.graphql.queries.rows import row_types
from adapters.graphql.shapes import singular
from adapters.runtime import Runtime
from application.kernel import EVERYTHING, Context, Outcome, exposed_commands
from domain.access import (
    AddServiceAccount,
    AdmitMember,
    CreateApiKey,
    DefineRole,
    InviteMember,
    OpenBranch,
)
from domain.credentials import StoreCredential
from domain.ids import TenantId
from domain.imports import IngestRows, OpenImportBatch
from domain.invoicing import DraftInvoice, IssueInvoice, RecordInvoice
from domain.kernel import Command
from domain.modules import DisableModule
from domain.profiles import ChangeProfile
from domain.webhooks import RegisterWebhook
from tests.graphql.answers import ask
from tests.graphql.arguments import Known
from tests.rest.api import make_tenant, until_projected

NAMES: Final = (
    "Ana Núñez",
    'The "Nut" & Bolt',
    "back\\slash",
    "line\nbreak\ttab",
    "漢字 🦊 e\u0301",
    "{null,NULL}",
    None,
    "O'Neill; --",
)
QUANTITIES: Final = ("1", "3", "1E+2", "0.0000001", "2.50", "1234567890.123456789", "1E-7")
PRICES: Final = ("1.50", "0", "0.005", "9.99", "1E+1", "0.10", "99999.9999")
CURRENCIES: Final = ("EUR", "EUR", "USD", "JPY")
CODES: Final = ("C1", "C2", 'C"3', "C\\4", "C5,{x}", "Ñ6", "c1", "C:8")
BRANCHES: Final = ("norte", "sol")
DAYS: Final = ("2026-01-31", "2026-02-01", "2026-02-01", "2025-12-31", "1999-01-01")
DOCUMENTS: Final = 48
DRAFTS: Final = 14
FAR: Final = 1_000_000


class Clerk:
    """Does business on behalf of a caller."""

    def __init__(self, runtime: Runtime, context: Context) -> None:
        self._runtime = runtime
        self._context = context

    async def do(self, command: type[Command], **given: object) -> Outcome:
        runtime, exposed = self._runtime, exposed_commands()[command]
        built = await exposed.build(given, self._context, runtime.blobs, runtime.clock)
        return await runtime.bus.execute(built, self._context)


class Office(Struct):
    """Two tenants: one with much in its books, and one with little."""

    runtime: Runtime
    much: TenantId
    little: TenantId

    def asking(self, *permissions: str) -> Asking:
        """Ask for the tenant with much, with these permissions or with all."""
        return Asking(runtime=self.runtime, caller=acting(self.much, *permissions))

    def asking_for_little(self) -> Asking:
        return Asking(runtime=self.runtime, caller=acting(self.little))


def acting(tenant: TenantId, *permissions: str) -> Context:
    return Context(
        tenant=tenant,
        actor="user:ana",
        permissions=frozenset(permissions or {EVERYTHING}),
        correlation_id="test",
    )


async def open_office(runtime: Runtime) -> Office:
    """Fill the books of both, and wait until every read model shows them."""
    much, little = await make_tenant(runtime), await make_tenant(runtime)
    await _stock(runtime, much.id, DOCUMENTS)
    await _stock(runtime, little.id, 2)
    return Office(runtime, much.id, little.id)


async def _stock(runtime: Runtime, tenant: TenantId, documents: int) -> None:
    clerk = Clerk(runtime, acting(tenant))
    batches = [(await clerk.do(OpenImportBatch, origin=f"b{n}")).ids["batch"] for n in range(3)]
    for branch in BRANCHES:
        await clerk.do(OpenBranch, branch=branch, name=f"Branch {branch}")
    for n in range(documents):
        await clerk.do(RecordInvoice, **_recorded(n, batches))
    for n in range(DRAFTS if documents == DOCUMENTS else 1):
        drafted = await clerk.do(DraftInvoice, **_billed(n))
        if n % 3 == 0:
            issue = {"invoice": drafted.ids["invoice"], "series": "S", "issued_on": "2026-03-01"}
            await clerk.do(IssueInvoice, **issue)
    for n in range(3):
        url = f"https://hooks.example/{n}"
        await clerk.do(RegisterWebhook, url=url, types=["InvoiceIssued"][: n % 2])
    for n in range(3):
        role = await clerk.do(DefineRole, name=f"Clerk {n}", permissions=["jobs.job.read"])
        own = ["owner", role.ids["role"]]
        await clerk.do(AdmitMember, user=f"u{n}-{tenant}", email=f"u{n}@example.org", roles=own)
    for n in range(2):
        address = f"i{n}-{tenant}@example.org"
        await clerk.do(InviteMember, email=address, roles=["auditor"])
        await clerk.do(AddServiceAccount, name=f"Till {n}", roles=["auditor"])
        await clerk.do(CreateApiKey, name=f"key {n}", permissions=["jobs.job.read"])
    await clerk.do(ChangeProfile, legal_name="Núñez, S.L.", time_zone="Europe/Madrid")
    await clerk.do(DisableModule, module="webhooks")
    of_bank = {"credential": "bank", "kind": "generic", "secret": "hidden"}
    await clerk.do(StoreCredential, **of_bank)
    rows = [{"number": "R-1", "date": "2026-01-31", "quantity": 1, "unit_price": "1"}]
    done = await clerk.do(IngestRows, batch=batches[0], rows=rows)
    await until_projected(runtime, tenant, done.position)


def _recorded(n: int, batches: list[str]) -> dict[str, Any]:
    """Say what is recorded; every fifth document is of a batch that nobody opened."""
    batch = {"batch": [*batches, "lost", None][n % 5]} if n % 3 else {}
    kind = {"kind": "credit_note"} if n % 9 == 0 else {}
    return {**_billed(n), "number": f"N-{n % 7}/{n}", "issued_on": DAYS[n % 5], **kind, **batch}


def _billed(n: int) -> dict[str, Any]:
    lines = [
        {
            "description": NAMES[(n + at) % len(NAMES)] or "",
            "quantity": QUANTITIES[(n + at) % len(QUANTITIES)],
            "unit_price": PRICES[(n + 2 * at) % len(PRICES)],
            "tax_rate": ("21", "21.0", "10", "0")[(n + at) % 4],
            "item": None if at % 2 else f"I-{n}",
        }
        for at in range(n % 4 + 1)
    ]
    if n % 9 == 0:
        lines[0]["quantity"] = f"-{lines[0]['quantity']}"
    code, name = CODES[n % len(CODES)], NAMES[n % len(NAMES)]
    customer = {"code": code, "name": name, "country": None, "tax_id": "X-1" if n % 2 else None}
    somebody = {"customer": customer} if n % 6 else {}
    branch = {"branch": BRANCHES[n % 2]} if n % 3 == 0 else {}
    return {"lines": lines, "currency": CURRENCIES[n % 4], **branch, **somebody}


async def known_of(asking: Asking) -> Known:
    """Look up what documents may name: values of columns, cursors of every order."""
    values: dict[tuple[str, str], list[Any]] = {}
    cursors: dict[tuple[str, str | None], list[str]] = {}
    core = core_schema()
    assert core.query_type is not None, "There are queries."
    lists = {
        get_named_type(field.type).name.removesuffix("Connection"): (name, field)
        for name, field in core.query_type.fields.items()
        if "orderBy" in field.args
    }
    for row in map(singular, row_types()):
        name, field = lists[row]
        filters = get_named_type(field.args["filter"].type)
        orders = get_named_type(field.args["orderBy"].type)
        assert isinstance(filters, GraphQLInputObjectType), "Filters are inputs."
        assert isinstance(orders, GraphQLEnumType), "Orders are words."
        columns = [each for each in filters.fields if each != "search"]
        for order in (None, *orders.values):
            ordered = f", orderBy: {order}" if order else ""
            asked = f"{{ rows: {name}(first: 100{ordered}) {{"
            asked += f" edges {{ cursor node {{ {' '.join(columns)} }} }} }} }}"
            edges = (await ask(asking, asked))["rows"]["edges"]
            cursors[row, order] = [edge["cursor"] for edge in edges]
            for column in columns:
                found = [edge["node"][column] for edge in edges if edge["node"][column] is not None]
                values[row, column] = sorted(set(found))
    head = await asking.runtime.store.head(asking.context.tenant)
    return Known(values, cursors, ["0", "1", str(FAR), str(head - 1), str(head)])

"""A company with sellers in branches, whose books are read on behalf of each over every surface."""

import csv
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any, Final, cast
from uuid import uuid4

import httpx
from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from msgspec import Struct

from adapters.graphql.asking import Asking
from adapters.graphql.compiled.answers import answer_compiled
from adapters.postgres.projecting.projector import Projector
from adapters.rest.problems import HANDLERS
from adapters.rest.reads import read_handlers
from adapters.runtime import Runtime
from application.kernel import EVERYTHING, Context
from domain.access import OpenBranch
from domain.ids import BranchId, TenantId
from domain.invoicing import (
    Customer,
    CustomerCode,
    DraftInvoice,
    InvoiceId,
    InvoiceNumber,
    IssueInvoice,
    RecordInvoice,
)
from domain.kernel import Command
from tests.graphql.answers import Told, execute, sent
from tests.invoicing.examples import LINES, MAY_2, A

READ: Final = "invoicing.invoice.read"
SEE_TAX_ID: Final = "invoicing.customer.see_tax_id"
ACTORS: Final = ("user:ana", "user:luis", "key:till", "job:import")
BRANCHES: Final = (BranchId("sol"), BranchId("norte"), None)
LIST: Final = """
query ($first: Int, $after: String) {
  invoices(first: $first, after: $after, orderBy: DUE_DESC) {
    totalCount nodes { id customer { code taxId } } edges { cursor node { id } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


class Made(Struct, frozen=True):
    """An invoice, who made it, and of which branch it is."""

    id: str
    actor: str
    branch: BranchId | None


class Answered(Struct, frozen=True):
    """What GraphQL answered."""

    plain: Any  # Any: JSON.
    errors: dict[str, str]


def plain(told: Any) -> Any:  # noqa: ANN401 - JSON.
    """Read as objects what was read as lists of fields."""
    if isinstance(told, list) and told and all(isinstance(each, tuple) for each in told):
        return {name: plain(value) for name, value in told}
    return [plain(each) for each in told] if isinstance(told, list) else told


class Shop:
    """Does business on behalf of one tenant, and reads what came of it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.tenant = TenantId(str(uuid4()))
        self.made: list[Made] = []
        self.known = Callers()
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=cast("Any", rest_for(runtime, self.known))),
            base_url="http://test/api/v1",
        )

    async def open(self) -> None:
        """Draft, issue and record an invoice for each of the actors in each of the branches."""
        for named in filter(None, BRANCHES):
            await self.do(OpenBranch(branch=named, name=named))
        for at, actor in enumerate(ACTORS):
            for branch in BRANCHES:
                await self._bill(actor, branch, at)
        await Projector(self.runtime.pool, self.runtime.vault).catch_up()

    async def _bill(self, actor: str, branch: BranchId | None, at: int) -> None:
        drafted, recorded = (InvoiceId(str(uuid4())) for _ in range(2))
        customer = Customer(code=CustomerCode(f"C{at}"), name="Ana", tax_id="12345678Z")
        about: Any = {"lines": LINES, "customer": customer, "branch": branch}
        number = InvoiceNumber(f"{actor}/{branch}")
        await self.do(DraftInvoice(invoice=drafted, **about), actor=actor)
        record = RecordInvoice(invoice=recorded, number=number, issued_on=MAY_2, **about)
        await self.do(record, actor=actor)
        if at % 2:
            await self.do(IssueInvoice(invoice=drafted, series=A, issued_on=MAY_2))
        self.made += [Made(each, actor, branch) for each in (drafted, recorded)]

    async def do(self, command: Command, actor: str = "system") -> int:
        done = await self.runtime.bus.execute(command, self.caller(EVERYTHING, actor=actor))
        return done.position

    def caller(
        self, *permissions: str, actor: str = "user:ana", branches: Iterable[BranchId] = ()
    ) -> Context:
        return Context(
            tenant=self.tenant,
            actor=actor,
            permissions=frozenset(permissions),
            correlation_id="test",
            branches=frozenset(branches),
        )

    def asking(self, caller: Context) -> Asking:
        return Asking(runtime=self.runtime, caller=caller)

    async def ask(self, caller: Context, query: str, **variables: object) -> "Answered":
        """Ask GraphQL both ways, which agree where both answer."""
        asked, request = sent(query, variables)
        executed = await execute(self.asking(caller), asked)
        compiled = await answer_compiled(self.asking(caller), asked, request)
        if compiled is not None:
            assert Told.of(compiled) == executed
        return Answered(plain(executed.data), executed.errors)

    async def compiled(self, caller: Context, query: str, **variables: object) -> Any:  # noqa: ANN401 - JSON.
        """Ask for what can be compiled."""
        told = await answer_compiled(self.asking(caller), *sent(query, variables))
        assert told is not None, "It is not compiled."
        return json.loads(told)

    async def get(self, caller: Context, path: str, accept: str = "") -> httpx.Response:
        headers = {"Authorization": self.known.name(caller)} | (
            {"Accept": accept} if accept else {}
        )
        return await self.http.get(path, headers=headers)


class Callers:
    """Who calls, by a name that stands for a credential."""

    def __init__(self) -> None:
        self._known: dict[str, Context] = {}

    def name(self, caller: Context) -> str:
        name = str(len(self._known))
        self._known[name] = caller
        return name

    def __getitem__(self, name: str) -> Context:
        return self._known[name]


def rest_for(runtime: Runtime, callers: Callers) -> Litestar:
    """Serve the lists of REST to callers that are known already."""

    class Known(AbstractAuthenticationMiddleware):
        async def authenticate_request(
            self,
            connection: ASGIConnection[Any, Any, Any, Any],  # Any: as the framework has them.
        ) -> AuthenticationResult:
            return AuthenticationResult(callers[connection.headers["authorization"]], None)

    router = Router("/api/v1", route_handlers=read_handlers(), middleware=[Known])
    state = State({"runtime": runtime})
    return Litestar([router], state=state, exception_handlers=HANDLERS, openapi_config=None)


def rows_of(text: str) -> list[dict[str, str]]:
    """Read CSV."""
    return list(csv.DictReader(StringIO(text)))


@asynccontextmanager
async def open_shop(runtime: Runtime) -> AsyncIterator[Shop]:
    shop = Shop(runtime)
    await shop.open()
    try:
        yield shop
    finally:
        await shop.http.aclose()

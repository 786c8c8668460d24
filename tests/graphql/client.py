"""A client of GraphQL as others write one."""

from types import TracebackType
from typing import Any, Self

import httpx
from gql import Client as GqlClient
from gql.transport.websockets import WebsocketsTransport

from adapters.access.owners import owner_permissions
from adapters.graphql.subscriptions.watching import EVENTS_PERMISSION
from tests.rest.api import Tenant

LINES = [{"description": "Bolt", "quantity": "3", "unitPrice": "1.50", "taxRate": "21"}]
DRAFT = """
mutation Draft($input: DraftInvoiceInput!, $key: String) {
  draftInvoice(input: $input, idempotencyKey: $key) {
    position invoice events { type position }
  }
}
"""
RECORD = """
mutation Record($input: RecordInvoiceInput!) {
  recordInvoice(input: $input) { position invoice }
}
"""


def audited() -> tuple[str, ...]:
    """List what an owner may do who also reads the log."""
    return (*owner_permissions(), EVENTS_PERMISSION)


class Client:
    """Asks on behalf of one tenant."""

    def __init__(self, url: str, tenant: Tenant) -> None:
        self.url = url
        self.tenant = tenant
        self.headers = {"Authorization": f"Bearer {tenant.key}"}
        self.http = httpx.AsyncClient(headers=self.headers, timeout=15)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    async def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Return the whole answer."""
        asked = {"query": query, "variables": variables}
        answer = await self.http.post(self.url, json=asked)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def data(self, query: str, **variables: object) -> Any:  # noqa: ANN401 - JSON.
        """Return the data of an answer that has no errors."""
        told = await self.ask(query, **variables)
        assert "errors" not in told, told["errors"]
        return told["data"]

    async def error(self, query: str, **variables: object) -> dict[str, Any]:
        """Return the first error of an answer, its code and hint beside its message."""
        told = await self.ask(query, **variables)
        first: dict[str, Any] = told["errors"][0]
        return {"message": first["message"], **first["extensions"]}

    async def draft(self, **given: object) -> Any:  # noqa: ANN401 - JSON.
        answer = await self.data(DRAFT, input={"lines": LINES, **given})
        return answer["draftInvoice"]

    async def record(self, number: str, **given: object) -> Any:  # noqa: ANN401 - JSON.
        document = {"number": number, "issuedOn": "2026-01-31", "lines": LINES, **given}
        answer = await self.data(RECORD, input=document)
        return answer["recordInvoice"]

    def socket(self, *, in_handshake: bool = False) -> GqlClient:
        """Connect by graphql-transport-ws, with a client that someone else wrote."""
        transport = WebsocketsTransport(
            url=self.url.replace("http", "ws", 1),
            headers=self.headers if in_handshake else {},
            init_payload={} if in_handshake else self.headers,
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        )
        return GqlClient(transport=transport)

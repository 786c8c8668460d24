"""`asiento webhooks`: the endpoints of a tenant, how far each has come, what it never took."""

from typing import Annotated, Final

from cyclopts import Parameter
from msgspec import Struct

from adapters.cli.options import TenantOption
from adapters.cli.output import Result, Table, moment
from adapters.cli.session import find_tenant, with_runtime
from adapters.runtime import Runtime
from adapters.webhooks.ledger import DeadLetter, Delivery, letters_of, list_deliveries
from application.codec import decode
from application.ports import QueryItem
from domain.ids import TenantId
from domain.webhooks import ENDPOINTS, EndpointId, Webhook, WebhookRegistered

PAGE: Final = 500


class ListedWebhook(Struct, frozen=True, kw_only=True):
    """An endpoint, and how the sending goes; None where it has not begun."""

    endpoint: EndpointId
    url: str
    types: tuple[str, ...]
    description: str
    status: str
    delivery: Delivery | None


def list_all(*, tenant: TenantOption) -> Result:
    """List the endpoints of a tenant, and how far each has come."""

    async def work(runtime: Runtime) -> list[ListedWebhook]:
        owner = await find_tenant(runtime, tenant)
        deliveries = {each.endpoint: each for each in await list_deliveries(runtime.pool, owner)}
        found = [
            (endpoint, await runtime.bus.fold(owner, Webhook.at(endpoint=endpoint)))
            for endpoint in await _registered(runtime, owner)
        ]
        return [
            ListedWebhook(
                endpoint=endpoint,
                url=webhook.url,
                types=webhook.types,
                description=webhook.description,
                status=webhook.status,
                delivery=deliveries.get(endpoint),
            )
            for endpoint, webhook in found
            if webhook.status != "removed"
        ]

    found = with_runtime(work)
    columns = (
        *("ENDPOINT", "URL", "TYPES", "STATUS", "POSITION", "HEAD", "DEAD"),
        *("NEXT ATTEMPT", "LAST ERROR"),
    )
    return Result(document=found, people=(Table(columns, [_row(each) for each in found]),))


def dead_letters(
    endpoint: Annotated[str, Parameter(help="Its id, as `asiento webhooks list` shows it.")],
    /,
    *,
    tenant: TenantOption,
) -> Result:
    """List what an endpoint never took. `asiento retry-webhook` sends it once more."""

    async def work(runtime: Runtime) -> list[DeadLetter]:
        owner = await find_tenant(runtime, tenant)
        found: list[DeadLetter] = []
        after = 0
        while page := await letters_of(runtime.pool, owner, endpoint, after=after, limit=PAGE):
            found += page
            after = page[-1].position
        return found

    found = with_runtime(work)
    columns = ("POSITION", "TYPE", "ATTEMPTS", "STATUS", "SINCE", "ERROR", "ANSWER")
    rows = [
        (e.position, e.type, e.attempts, e.status, moment(e.dead_at), e.error, e.excerpt)
        for e in found
    ]
    return Result(document=found, people=(Table(columns, rows),))


async def _registered(runtime: Runtime, tenant: TenantId) -> list[EndpointId]:
    """Read the endpoints off the log itself, which needs no projector."""
    query = [QueryItem(types=(WebhookRegistered.__name__,), tags=(ENDPOINTS,))]
    events = [decode(stored) async for stored in runtime.store.read(tenant, query)]
    return [event.endpoint for event in events if isinstance(event, WebhookRegistered)]


def _row(each: ListedWebhook) -> tuple[object, ...]:
    delivery = each.delivery
    about = (each.endpoint, each.url, ", ".join(each.types) or "all", each.status)
    if delivery is None:
        return (*about, None, None, None, "", "It begins in a moment.")
    # Where nothing is left to send, or nothing is sent, there is no next one.
    waits = delivery.active and delivery.position < delivery.head
    at = moment(delivery.next_attempt_at) if waits else ""
    how = (delivery.position, delivery.head, delivery.dead_letters, at, delivery.last_error)
    return (*about, *how)

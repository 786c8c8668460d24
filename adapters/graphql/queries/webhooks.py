"""Queries about the sending of webhooks, which stands in no read model: it is not folded."""

from datetime import datetime
from typing import Final

import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Info
from adapters.graphql.scalars import Long, Position
from adapters.graphql.shapes import field_of, summary
from adapters.postgres.models.conditions import require
from adapters.postgres.models.paging import FIRST_DEFAULT, checked_first
from adapters.webhooks.ledger import DeadLetter, Delivery, delivery_of, letters_of
from application.webhooks import READ

DELIVERY: Final = "How far an endpoint has come."
DEAD_LETTERS: Final = (
    "Up to `first` events that an endpoint never took, after the position `after`."
)


@strawberry.type(name="WebhookDelivery", description="How far an endpoint has come.")
class DeliveryType:
    endpoint: strawberry.ID
    position: Position = strawberry.field(
        description="Everything up to here is sent, or a dead letter."
    )
    head: Position = strawberry.field(description="Where the log ends.")
    active: bool
    failed_attempts: Long = strawberry.field(description="Those at the next event.")
    next_attempt_at: datetime
    sent_at: datetime | None = strawberry.field(description="When the last one was taken.")
    last_status: Long | None
    last_error: str | None
    dead_letters: Long


@strawberry.type(name="WebhookDeadLetter", description=summary(DeadLetter))
class DeadLetterType:
    position: Position
    type: str
    attempts: Long
    status: Long | None
    error: str
    excerpt: str
    dead_at: datetime


def webhook_fields() -> dict[str, StrawberryField]:
    """Make the fields of Query, by name."""
    webhook_delivery.__annotations__["return"] = DeliveryType
    webhook_dead_letters.__annotations__["return"] = list[DeadLetterType]
    return {
        "webhook_delivery": field_of(webhook_delivery, DELIVERY),
        "webhook_dead_letters": field_of(webhook_dead_letters, DEAD_LETTERS),
    }


async def webhook_delivery(info: Info, endpoint: strawberry.ID) -> Delivery:
    asking = info.context
    require(asking.context, READ)
    return await delivery_of(asking.runtime.pool, asking.context.tenant, endpoint)


async def webhook_dead_letters(
    info: Info,
    endpoint: strawberry.ID,
    first: int | None = FIRST_DEFAULT,
    after: Position | None = None,
) -> list[DeadLetter]:
    asking = info.context
    require(asking.context, READ)
    return await letters_of(
        asking.runtime.pool,
        asking.context.tenant,
        endpoint,
        after=after or 0,
        limit=checked_first(first),
    )

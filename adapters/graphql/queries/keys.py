"""When API keys were used last, which stands in no read model: no event is written for a use."""

from datetime import datetime
from typing import Final

import strawberry
from strawberry.types.field import StrawberryField

from adapters.access.key_uses import KeyUse, list_uses
from adapters.graphql.asking import Info
from adapters.graphql.shapes import field_of, summary
from adapters.postgres.models.conditions import require
from adapters.postgres.models.paging import FIRST_DEFAULT, checked_first
from projections.access import ApiKeys

USES: Final = "The last uses of up to `first` keys, behind the key `after`."


@strawberry.type(name="ApiKeyUse", description=summary(KeyUse))
class KeyUseType:
    key: strawberry.ID
    used_at: datetime = strawberry.field(description="To the minute.")
    address: str
    secret_id: strawberry.ID | None


def key_fields() -> dict[str, StrawberryField]:
    """Make the fields of Query, by name."""
    api_key_uses.__annotations__["return"] = list[KeyUseType]
    return {"api_key_uses": field_of(api_key_uses, USES)}


async def api_key_uses(
    info: Info, first: int | None = FIRST_DEFAULT, after: str | None = None
) -> list[KeyUse]:
    asking = info.context
    require(asking.context, ApiKeys.permission)
    return await list_uses(
        asking.runtime.pool,
        asking.context.tenant,
        after=after or "",
        limit=checked_first(first),
    )

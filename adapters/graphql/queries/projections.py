"""`projections`: how far everything that reads the caller's log is, and what stands still."""

from typing import Final

import strawberry
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Info
from adapters.graphql.scalars import Long, Position
from adapters.graphql.shapes import field_of, summary
from adapters.postgres.models.conditions import require
from adapters.postgres.projecting.standing import Progress, find_progress
from application.access import READ_LOG

PROJECTIONS: Final = (
    "How far each read model of the tenant is behind its log, and whatever else reads it."
    " What failed stands at an event until an operator lets it go on; everything else runs on."
)


@strawberry.type(name="Projection", description=summary(Progress))
class ProjectionType:
    name: str
    version: int | None = strawberry.field(description="Of a read model; other readers have none.")
    tenant: strawberry.ID
    position: Position
    head: Position
    lag: Long = strawberry.field(description="How many events it is behind.")
    status: str = strawberry.field(
        description="One of: failed, waiting, building, behind, current."
    )
    failed_position: Position | None
    error: str | None


def projection_fields() -> dict[str, StrawberryField]:
    """Make the field of Query that tells how far projections are."""
    projections.__annotations__["return"] = list[ProjectionType]
    return {"projections": field_of(projections, PROJECTIONS)}


async def projections(info: Info) -> list[Progress]:
    asking = info.context
    require(asking.context, READ_LOG)
    return await find_progress(asking.runtime.pool, asking.context.tenant)

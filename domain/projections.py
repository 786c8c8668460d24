"""Projections: what operators decide where one stands still, each decision with its reason.

An event that a projection can't take is left out of its rows by a decision, and never in silence.
"""

from collections.abc import Iterator
from typing import Annotated, NewType, TypeAlias

from msgspec import Meta

from domain.ids import TenantId
from domain.kernel import Boundary, Command, Event, Key, State

ProjectionName = NewType("ProjectionName", str)
Reason = Annotated[
    str,
    Meta(min_length=1, max_length=500, description="It stays in the log: name nobody in it."),
]


class EventSkipped(Event):
    """An operator let a projection of a tenant's log go on past an event that stopped it."""

    tenant: Key[TenantId]
    projection: Key[ProjectionName]  # The name of a read model, or of another reader of the log.
    version: int | None  # Of the read model that stood still; None: it is no read model.
    position: int
    event_type: str
    reason: str


class EventUnskipped(Event):
    """An operator took the skip of an event back, for code that can fold it."""

    tenant: Key[TenantId]
    projection: Key[ProjectionName]  # The name of a read model: nothing else can be made anew.
    version: int  # Of the read model that could fold it.
    position: int
    event_type: str
    reason: str


SkipEvents: TypeAlias = EventSkipped | EventUnskipped


class Skips(State):
    """The events of a tenant's log that are left out, by the name of the projection."""

    places: frozenset[tuple[str, int]] = frozenset()

    def evolve(self, event: SkipEvents) -> "Skips":
        place = (event.projection, event.position)
        match event:
            case EventSkipped():
                return Skips(places=self.places | {place})
            case EventUnskipped():
                return Skips(places=self.places - {place})


class SkipEvent(Command):
    """Leave an event out of a projection. Skipped again, nothing happens."""

    tenant: TenantId
    projection: ProjectionName
    version: int | None
    position: int
    event_type: str
    reason: Reason

    def boundary(self) -> tuple[Boundary[Skips]]:
        return (Skips.at(tenant=self.tenant),)

    def decide(self, skips: Skips) -> Iterator[SkipEvents]:
        if (self.projection, self.position) not in skips.places:
            yield EventSkipped(
                tenant=self.tenant,
                projection=self.projection,
                version=self.version,
                position=self.position,
                event_type=self.event_type,
                reason=self.reason,
            )


class UnskipEvent(Command):
    """Leave an event out of a read model no more. Of one that is not left out, nothing happens."""

    tenant: TenantId
    projection: ProjectionName
    version: int
    position: int
    event_type: str
    reason: Reason

    def boundary(self) -> tuple[Boundary[Skips]]:
        return (Skips.at(tenant=self.tenant),)

    def decide(self, skips: Skips) -> Iterator[SkipEvents]:
        if (self.projection, self.position) in skips.places:
            yield EventUnskipped(
                tenant=self.tenant,
                projection=self.projection,
                version=self.version,
                position=self.position,
                event_type=self.event_type,
                reason=self.reason,
            )

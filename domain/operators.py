"""Operators: people who answer for the instance as a whole, and for no company in it.

What they do to a company stands in the log of the instance, and in the company's own. Nobody
reads a company's books by being one: only while the company lets support look, which ends by
itself.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, NewType, TypeAlias

from msgspec import Meta

from domain.kernel import Boundary, Command, Event, Found, Key, Refused, State, Value

OperatorId = NewType("OperatorId", str)
Act: TypeAlias = Literal["renamed", "suspended", "resumed", "closed", "reopened"]

OPERATORS: Final = "operators:own"
"""The tag of every appointment and dismissal, by which one look tells who is an operator."""

ACTS: Final = "acts:own"
"""The tag of what operators did to the company whose log it is."""

SUPPORT: Final = "support:own"
HOURS_MAX: Final = 72
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class OperatorAppointed(Event):
    """A person who can log in answers for the instance from here on."""

    common_tags = frozenset({OPERATORS})

    operator: Key[OperatorId]


class OperatorDismissed(Event):
    common_tags = frozenset({OPERATORS})

    operator: Key[OperatorId]


class OperatorActed(Event):
    """What was done to the company, by whom, and where the log of the instance says so."""

    common_tags = frozenset({ACTS})

    act: Act
    by: str
    position: int
    at: datetime
    detail: str | None = None


class SupportGranted(Event):
    """Until then operators may look at everything, and change nothing."""

    common_tags = frozenset({SUPPORT})

    until: datetime


class SupportEnded(Event):
    """It ended before its time."""

    common_tags = frozenset({SUPPORT})


OperatorEvent: TypeAlias = OperatorAppointed | OperatorDismissed
SupportEvent: TypeAlias = SupportGranted | SupportEnded


class Operators(State):
    """Who the operators are."""

    people: frozenset[OperatorId] = frozenset()

    def evolve(self, event: OperatorEvent) -> "Operators":
        match event:
            case OperatorAppointed():
                return Operators(people=self.people | {event.operator})
            case OperatorDismissed():
                return Operators(people=self.people - {event.operator})

    @classmethod
    def all(cls) -> Boundary["Operators"]:
        return Boundary(state=cls, tag=OPERATORS)


class Acts(State):
    """Up to which act a company knows what was done to it.

    By the time first, as positions are others in another instance that took the company over.
    """

    noted: tuple[datetime, int] = (LONG_AGO, 0)

    def evolve(self, event: OperatorActed) -> "Acts":
        return Acts(noted=(event.at, event.position))

    @classmethod
    def own(cls) -> Boundary["Acts"]:
        return Boundary(state=cls, tag=ACTS)


class Support(State):
    """Until when operators may look at the company."""

    until: datetime = LONG_AGO

    def evolve(self, event: SupportEvent) -> "Support":
        match event:
            case SupportGranted(until=until):
                return Support(until=until)
            case SupportEnded():
                return Support()

    @classmethod
    def own(cls) -> Boundary["Support"]:
        return Boundary(state=cls, tag=SUPPORT)


class _OfOperators(Command):
    """A command about who the operators are."""

    operator: OperatorId

    def boundary(self) -> tuple[Boundary[Operators]]:
        return (Operators.all(),)


class AppointOperator(_OfOperators):
    """Let a person answer for the instance. Appointed again, nothing happens."""

    enrolled: Found[bool] = False  # Whether the person can log in here at all.

    def decide(self, operators: Operators) -> Iterator[OperatorEvent]:
        if not self.enrolled:
            raise Refused(
                "operators.no_person",
                f"There is no person {self.operator}.",
                hint="Name somebody who is known here; `asiento operator appoint EMAIL` makes one.",
            )
        if self.operator not in operators.people:
            yield OperatorAppointed(operator=self.operator)


class DismissOperator(_OfOperators):
    """Let a person answer for the instance no more. Dismissed again, nothing happens."""

    def decide(self, operators: Operators) -> Iterator[OperatorEvent]:
        if self.operator in operators.people:
            yield OperatorDismissed(operator=self.operator)


class Done(Value):
    """What was done to a company, as the log of the instance has it."""

    act: Act
    by: str
    position: int
    at: datetime
    detail: str | None = None


class NoteOperatorActs(Command):
    """Tell a company what was done to it. What it was told before is not told again."""

    acts: tuple[Done, ...]

    def boundary(self) -> tuple[Boundary[Acts]]:
        return (Acts.own(),)

    def decide(self, acts: Acts) -> Iterator[OperatorActed]:
        for each in self.acts:
            if (each.at, each.position) > acts.noted:
                yield OperatorActed(
                    act=each.act,
                    by=each.by,
                    position=each.position,
                    at=each.at,
                    detail=each.detail,
                )


class GrantSupport(Command):
    """Let operators look at the company for some hours: they read what auditors do. 0 ends it."""

    hours: Annotated[int, Meta(ge=0, le=HOURS_MAX)]
    now: Found[datetime] = LONG_AGO

    def boundary(self) -> tuple[Boundary[Support]]:
        return (Support.own(),)

    def decide(self, support: Support) -> Iterator[SupportEvent]:
        if self.hours:
            yield SupportGranted(until=self.now + timedelta(hours=self.hours))
        elif support.until > self.now:
            yield SupportEnded()

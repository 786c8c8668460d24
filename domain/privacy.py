"""Privacy: what the log knows about a person can be forgotten; that it was, is remembered.

The name of a person is the tag of their events, such as ``customer_code:C7``. It is an id, not
personal data: it stays, and so do the events, without what was sealed in them.
"""

from collections.abc import Iterator
from typing import Annotated, Final

from msgspec import Meta

from domain.kernel import Boundary, Command, Event, Found, Refused, State

FORGETTINGS: Final = "forgotten:subjects"
"""The tag of every forgetting of a tenant."""

Kind = Annotated[
    str,
    Meta(pattern=r"^[a-z][a-z_]{0,39}$(?!\n)", description="Such as `customer_code` or `user`."),
]
Name = Annotated[
    str, Meta(min_length=1, max_length=150, description="Such as the code of a customer.")
]
Reason = Annotated[
    str,
    Meta(min_length=1, max_length=500, description="It stays in the log: name nobody in it."),
]


class SubjectForgotten(Event):
    """What was sealed about a person up to here reads as the blank, for ever.

    The generation is that of the last key that falls with it. Later data has a later key.
    """

    kind: str
    value: str
    reason: str
    generation: int

    @property
    def subject(self) -> str:
        return f"{self.kind}:{self.value}"

    @property
    def tags(self) -> frozenset[str]:
        return frozenset((self.subject, FORGETTINGS))


class DataSubject(State):
    """How often a person was forgotten. Their keys count along: 0 before the first time."""

    times: int = 0

    def evolve(self, event: SubjectForgotten) -> "DataSubject":  # noqa: ARG002 - that it happened is all.
        return DataSubject(times=self.times + 1)


class ForgetSubject(Command):
    """Forget what is sealed about a person. Forgetting again changes nothing."""

    kind: Kind
    value: Name
    reason: Reason
    last_generation: Found[int | None] = None  # Of their keys; None: they never had one.

    @property
    def subject(self) -> str:
        return f"{self.kind}:{self.value}"

    def boundary(self) -> tuple[Boundary[DataSubject]]:
        return (DataSubject.at(**{self.kind: self.value}),)

    def decide(self, subject: DataSubject) -> Iterator[SubjectForgotten]:
        if self.last_generation is None:
            raise Refused(
                "privacy.subject_absent",
                f"Nothing is sealed about {self.subject}.",
                hint="Look for it with `asiento personal list`.",
            )
        if self.last_generation >= subject.times:
            yield SubjectForgotten(
                kind=self.kind,
                value=self.value,
                reason=self.reason,
                generation=subject.times,
            )

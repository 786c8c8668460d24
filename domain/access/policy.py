"""What a company asks of its people before they may do anything: a second factor, or none."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from domain.kernel import Boundary, Command, Event, State

POLICY: Final = "policy:access"
"""The tag of all that a company decided about how its people log in."""


class SecondFactorRequired(Event):
    """Who has no second factor may do nothing for the company but set one up."""

    common_tags = frozenset({POLICY})


class SecondFactorWaived(Event):
    """Each decides for themselves again."""

    common_tags = frozenset({POLICY})


PolicyEvent: TypeAlias = SecondFactorRequired | SecondFactorWaived


class AccessPolicy(State):
    """What a company asks of its people."""

    second_factor: bool = False

    def evolve(self, event: PolicyEvent) -> "AccessPolicy":
        return AccessPolicy(second_factor=isinstance(event, SecondFactorRequired))

    @classmethod
    def own(cls) -> Boundary["AccessPolicy"]:
        return Boundary(state=cls, tag=POLICY)


class RequireSecondFactor(Command):
    """Have all people of the company show a second factor. Where it is so, nothing happens."""

    required: bool = True

    def boundary(self) -> tuple[Boundary[AccessPolicy]]:
        return (AccessPolicy.own(),)

    def decide(self, policy: AccessPolicy) -> Iterator[PolicyEvent]:
        if self.required and not policy.second_factor:
            yield SecondFactorRequired()
        if policy.second_factor and not self.required:
            yield SecondFactorWaived()

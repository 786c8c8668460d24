"""Costs that wait for variables: sums and products that are worked out in one pass.

An amount is a number and multiples of steps; a step is an amount times a factor, which a variable
gives. What several places share is one step, so that working out takes time in proportion to the
document, whatever its fragments spread.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

Variables: TypeAlias = Mapping[str, object]


Switch: TypeAlias = Literal["include", "skip"]


class Factor(Struct, frozen=True):
    """What a variable makes of the amount that it stands before.

    Attributes:
        otherwise: What counts where the variable is left out, null, or of another type.

    """

    variable: str
    kind: Switch | Literal["rows"]
    otherwise: int

    def of(self, variables: Variables) -> int:
        given = variables.get(self.variable)
        if self.kind == "rows":
            if isinstance(given, int) and not isinstance(given, bool):
                return max(given, 0)
        elif isinstance(given, bool):
            return int(given is (self.kind == "include"))
        return self.otherwise


class Amount(Struct, frozen=True):
    """A number, and how often each step counts."""

    fixed: int = 0
    steps: Mapping[int, int] = {}

    def __add__(self, other: "Amount") -> "Amount":
        if not other.steps:
            return Amount(self.fixed + other.fixed, self.steps)
        steps = dict(self.steps)
        for step, times in other.steps.items():
            steps[step] = steps.get(step, 0) + times
        return Amount(self.fixed + other.fixed, steps)

    def __mul__(self, times: int) -> "Amount":
        if times == 1:
            return self
        if times == 0:
            return NOTHING
        return Amount(self.fixed * times, {step: each * times for step, each in self.steps.items()})


NOTHING = Amount()


class Cost(Struct, frozen=True):
    """What an operation costs, once its variables are known.

    Attributes:
        introspects: It asks for the schema.

    """

    steps: Sequence[tuple[Factor | None, Amount]]
    total: Amount
    introspects: bool = False

    def of(self, variables: Variables | None) -> int:
        """Work the cost out. Nothing is checked: what can't be understood is refused elsewhere."""
        if not self.steps:
            return self.total.fixed
        given, found = variables or {}, list[int]()
        for factor, amount in self.steps:
            worth = _worth(amount, found)
            found.append(worth if factor is None else worth * factor.of(given))
        return _worth(self.total, found)


class Ledger:
    """Collects the steps of one operation."""

    def __init__(self) -> None:
        self._steps: list[tuple[Factor | None, Amount]] = []
        self.introspects = False

    def times(self, amount: Amount, factor: Factor | int) -> Amount:
        """Multiply, now or when the variable is known."""
        if isinstance(factor, int):
            return amount * factor
        return self._step(factor, amount) if amount.fixed or amount.steps else amount

    def shared(self, amount: Amount) -> Amount:
        """Make one step of what several places use."""
        return self._step(None, amount) if amount.steps else amount

    def cost(self, total: Amount) -> Cost:
        return Cost(tuple(self._steps), total, self.introspects)

    def _step(self, factor: Factor | None, amount: Amount) -> Amount:
        self._steps.append((factor, amount))
        return Amount(0, {len(self._steps) - 1: 1})


def _worth(amount: Amount, found: Sequence[int]) -> int:
    worth = amount.fixed
    for step, times in amount.steps.items():
        worth += times * found[step]
    return worth

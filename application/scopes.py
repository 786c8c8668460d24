"""Scopes of commands: what is not one's own to change is as good as not there.

A command says by which state of its boundary that is judged (``Exposed.entity``). What comes of it
must lie within the scope, too.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Final, Protocol, TypeAlias

from msgspec import Struct

from application.asks import Ask, Condition
from application.kernel import Context, exposed_commands
from domain.access.branches import not_your_branch
from domain.access.scopes import Scope
from domain.ids import Actor, BranchId
from domain.kernel import Boundary, Command, Event, Refused, State, event_types_of

MAKERS: Final = ("user:", "key:")
"""How those act who make things of their own. What a job or a reaction makes is nobody's."""

States: TypeAlias = Mapping[tuple[type[State], str], State]


class Made(Protocol):
    """Something that somebody made, perhaps for a branch."""

    @property
    def made_by(self) -> Actor | None: ...
    @property
    def branch(self) -> BranchId | None: ...


def maker_of(context: Context) -> Actor | None:
    """Name whose own it is what is made on behalf of *context*."""
    return Actor(context.actor) if context.actor.startswith(MAKERS) else None


def is_within(scopes: frozenset[Scope], context: Context, thing: Made) -> bool:
    """Tell whether a thing lies within scopes, by who made it and of which branch it is."""
    own = "own" in scopes and thing.made_by == context.actor
    return own or ("branch" in scopes and thing.branch in context.branches)


class Held(Struct, frozen=True):
    """An ask by somebody who may it for some things alone, and what tells these."""

    ask: Ask
    scopes: frozenset[Scope]
    boundary: Boundary[Any]  # Any: of a state that is ``Made``.

    @classmethod
    def of(cls, ask: Ask) -> "Held | None":
        """Look at an ask; None: whoever asks may it for all."""
        exposed = exposed_commands()[type(ask.command)]
        scopes = ask.context.scopes(exposed.permission)
        if scopes is None:
            return None
        boundaries = ask.command.boundary()
        return cls(ask, scopes, next(each for each in boundaries if each.state is exposed.entity))

    def seen(self, states: States, seen: Mapping[Condition, int]) -> Mapping[Condition, int]:
        """Tell where conditions find their last events: of what is hidden, nowhere."""
        return dict.fromkeys(seen, 0) if self._hides(states) else seen

    def decide(self, command: Command, states: States) -> Sequence[Event]:
        """Decide, or refuse as if what the command is about were not there.

        Raises:
            Refused: By the rule, or because what would come of it is another's to change.

        """
        hides = self._hides(states)
        given = (
            each.state() if hides and each == self.boundary else states[each.state, each.tag]
            for each in command.boundary()
        )
        events: Sequence[Event] = tuple(command.decide(*given))
        if hides:  # What could be made anew, but for its id.
            raise Refused(
                "access.id_taken",
                "There is something of this id, and it is not yours to change.",
                hint="Leave the id out, and a new one is made.",
            )
        if events and not self._is_within(self._after(states, events)):
            raise not_your_branch("You may this in your branches alone, and it would not be there.")
        return events

    def _hides(self, states: States) -> bool:
        state = states[self.boundary.state, self.boundary.tag]
        return state != self.boundary.state() and not self._is_within(state)

    def _after(self, states: States, events: Sequence[Event]) -> Any:  # noqa: ANN401 - as above.
        mine = event_types_of(self.boundary.state.evolve)
        return reduce(
            lambda state, event: state.evolve(event),
            (each for each in events if isinstance(each, mine)),
            states[self.boundary.state, self.boundary.tag],
        )

    def _is_within(self, thing: Any) -> bool:  # noqa: ANN401 - as above.
        return is_within(self.scopes, self.ask.context, thing)

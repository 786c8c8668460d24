"""The words every rule is written in: values, events, states, commands, refusals."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, reduce
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Self,
    TypeVar,
    dataclass_transform,
    get_args,
    get_type_hints,
)

from msgspec import Struct, StructMeta, field

T = TypeVar("T")
S = TypeVar("S", bound="State")


class _Key:
    """Marks a field whose value tags the event, so that the event can be found by it."""


Key = Annotated[T, _Key()]


class _Filled:
    """Marks a command's field that the application fills in where the caller leaves it out."""


Filled = Annotated[T, _Filled()]
"""A new id (of a ``NewType`` of str), the time now (datetime) or today (date)."""


class _Found:
    """Marks a command's field that the application looks up, and that no caller may say."""


Found = Annotated[T, _Found()]


class _Subject:
    """Marks the ``Key`` field of an event that says whose its personal fields are."""


Subject = Annotated[T, _Subject()]


class _Personal:
    """Marks a text about a person. It is sealed in the log, so that it can be forgotten."""


Personal = Annotated[T, _Personal()]


class _Secret:
    """Marks a command's text that opens something outside, and that no rule may see."""


Secret = Annotated[T, _Secret()]
"""The application keeps it apart, and leaves its fingerprint in its place."""

FORGOTTEN: Final = str(b"[forgotten]", "ascii")
"""What a forgotten text reads as. It is one object: a text that merely looks like it is not it."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class _ValueMeta(StructMeta):
    """Make every struct below frozen and keyword-only, to us and to type checkers.

    msgspec hands ``frozen`` down to subclasses but not ``kw_only``, and type checkers
    see neither, so without this each class would have to repeat both.
    """

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, object],
        **options: Any,  # noqa: ANN401 - Any: msgspec's options are of many types.
    ) -> type:
        return super().__new__(
            mcls, name, bases, namespace, **({"frozen": True, "kw_only": True} | options)
        )


class Value(Struct, metaclass=_ValueMeta):
    """Immutable data, compared by content."""


class Event(Value):
    """A fact, named in the past tense. Class and field names are a stored format.

    ``common_tags`` are tags that each event of a class has, by which one look brings them all.
    """

    common_tags: ClassVar[frozenset[str]] = frozenset()

    @property
    def tags(self) -> frozenset[str]:
        """What the event is about, as ``field:value``, one for each ``Key`` field."""
        return self.common_tags.union(
            f"{name}:{value}"
            for name in key_fields(type(self))
            if (value := getattr(self, name)) is not None
        )


class Retired(Event):
    """An event that is written no more; the log may hold it for ever.

    Its class stays as it was. ``upcast`` says it in the words of today, purely; its return
    annotation names the event that took its place, which may have retired in turn.
    """

    def upcast(self) -> Event:
        raise NotImplementedError


def today(event: Event) -> Event:
    """Say *event* in the words of today."""
    while isinstance(event, Retired):
        event = event.upcast()
    return event


def target_of(event: type[Event]) -> type[Event]:
    """Name the event of today that *event* reads as."""
    while issubclass(event, Retired):
        event = get_type_hints(event.upcast)["return"]
    return event


@cache
def key_fields(event: type[Event]) -> tuple[str, ...]:
    """Name the fields that tag *event*."""
    return _marked(event, _Key)


@cache
def filled_fields(command: "type[Command]") -> tuple[str, ...]:
    """Name the fields of *command* that the application fills in."""
    return _marked(command, _Filled)


@cache
def found_fields(command: "type[Command]") -> tuple[str, ...]:
    """Name the fields of *command* that the application looks up."""
    return _marked(command, _Found)


@cache
def personal_fields(struct: "type[Value]") -> tuple[str, ...]:
    """Name the fields of *struct* that are about a person."""
    return _marked(struct, _Personal)


@cache
def secret_fields(command: "type[Command]") -> tuple[str, ...]:
    """Name the fields of *command* that are secret."""
    return _marked(command, _Secret)


def subject_of(event: Event) -> str | None:
    """Return the tag of the person whose the personal fields of *event* are."""
    for name in subject_fields(type(event)):
        value: str | None = getattr(event, name)
        return None if value is None else f"{name}:{value}"
    return None


@cache
def subject_fields(event: type[Event]) -> tuple[str, ...]:
    """Name the field of *event* that says whose its personal fields are."""
    return _marked(event, _Subject)


def _marked(struct: type[Value], marker: type) -> tuple[str, ...]:
    hints = get_type_hints(struct, include_extras=True)
    return tuple(name for name, hint in hints.items() if _has(hint, marker))


def _has(hint: object, marker: type) -> bool:
    """Look for *marker* in an annotation and, for ``Key[X] | None``, in its members."""
    return any(isinstance(arg, marker) or _has(arg, marker) for arg in get_args(hint))


class State(Value):
    """What a rule needs to know, folded from the events of one tag.

    A subclass has a default for every field (what is true before the first event)
    and an ``evolve`` that says what each event changes. Evolve checks nothing:
    what happened, happened.
    """

    evolve: ClassVar[Any]  # Any: each state names the union of events it understands.

    @classmethod
    def at(cls, **key: str) -> "Boundary[Self]":
        """Name the events to fold: ``Invoice.at(invoice=command.invoice)``."""
        ((name, value),) = key.items()
        return Boundary(state=cls, tag=f"{name}:{value}")


class Boundary(Value, Generic[S]):
    """The events that a decision depends on. If one more appears, the decision is void."""

    state: type[S]
    tag: str

    @property
    def event_types(self) -> tuple[type[Event], ...]:
        return event_types_of(self.state.evolve)

    def fold(self, history: Iterable[Event]) -> S:
        # A retired event is found by the tags it was stored with, and says what today's says.
        named = (today(event) for event in history if self.tag in event.tags)
        mine = (event for event in named if isinstance(event, self.event_types))
        return reduce(lambda state, event: state.evolve(event), mine, self.state())


@cache
def event_types_of(function: Callable[..., Any]) -> tuple[type[Event], ...]:  # Any: evolve, apply.
    """Name the events that *function* understands, from its argument ``event``."""
    hint = get_type_hints(function)["event"]
    return get_args(hint) or (hint,)


class Command(Value, forbid_unknown_fields=True):
    """A request, named in the imperative. It may be refused.

    ``boundary`` names what the decision depends on; ``decide`` is given those states
    in that order and returns what happens. Both are pure: time, ids and random
    numbers arrive as fields.
    """

    decide: ClassVar[Any]  # Any: each command names the states of its own boundary.

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: of any state.
        raise NotImplementedError


class Refused(Exception):
    """A rule said no. Asking again unchanged cannot help.

    Attributes:
        code: Stable and dotted, for programs, such as ``invoicing.already_issued``.
        message: What stood in the way, with the numbers.
        hint: What the caller can do next, for people.

    """

    def __init__(self, code: str, message: str, *, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.code = code
        self.message = message
        self.hint = hint


def decide(command: Command, history: Iterable[Event]) -> tuple[Event, ...]:
    """Fold *history* into the command's boundary and decide."""
    history = tuple(history)
    states = (boundary.fold(history) for boundary in command.boundary())
    decision: Iterator[Event] = command.decide(*states)
    return tuple(decision)

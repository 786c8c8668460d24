"""Events as they are stored: JSON without a type tag, under the name of their class.

What was stored once is read for ever: a retired event as the one that took its place.
"""

from functools import cache

import msgspec
from msgspec.json import Decoder, Encoder

from application.discovery import modules_of
from application.errors import ApplicationError, Malformed
from application.ports import NewEvent, StoredEvent
from domain.kernel import Event, Retired, target_of, today

TAG_LENGTH_MAX = 200
_encoder = Encoder()


class UnknownEvent(ApplicationError):
    """An event that this version can't read. A newer one can."""

    status = 500


@cache
def event_types() -> dict[str, type[Event]]:
    """Find every event class of the domain, by name."""
    modules_of("domain")
    found: dict[str, type[Event]] = {}
    for event in (*Event.__subclasses__(), *Retired.__subclasses__()):
        if event is Retired or not event.__module__.startswith("domain."):
            continue
        if event.__name__ in found:
            raise TypeError(
                f"Two events are named {event.__name__}; a stored name has one meaning."
            )
        found[event.__name__] = event
    return found


@cache
def stored_names(events: tuple[type[Event], ...]) -> tuple[str, ...]:
    """Name what the log may hold for *events*: themselves, and the retired that read as them."""
    retired = (each for each in event_types().values() if issubclass(each, Retired))
    former = (each for each in retired if target_of(each) in events)
    return tuple(event.__name__ for event in (*events, *former))


@cache
def decoder_of(event: type[Event]) -> Decoder[Event]:
    """Make what reads the data of *event*, once."""
    return Decoder(event)


def encode(event: Event, *, actor: str, correlation_id: str, causation_id: str) -> NewEvent:
    """Write an event for the store.

    Raises:
        Malformed: A value that tags the event is too long or holds control characters.

    """
    return NewEvent(
        type=type(event).__name__,
        tags=tags_of(event),
        data=_encoder.encode(event).decode(),
        actor=actor,
        correlation_id=correlation_id,
        causation_id=causation_id,
    )


def tags_of(event: Event) -> tuple[str, ...]:
    """Return what tags *event* in the store, in order.

    Raises:
        Malformed: One of them is too long or holds control characters.

    """
    tags = tuple(sorted(event.tags))
    for tag in tags:
        check_tag(tag)
    return tags


def check_tag(tag: str) -> None:
    """Let nothing pass as an id that could break a tag, a query or a hash.

    Raises:
        Malformed: It is too long or holds control characters.

    """
    if len(tag) > TAG_LENGTH_MAX or not tag.isprintable():
        raise Malformed(
            "event.bad_key",
            f"{tag[:TAG_LENGTH_MAX]!r} can't identify anything.",
            hint=f"Use at most {TAG_LENGTH_MAX} printable characters.",
        )


def decode(stored: StoredEvent) -> Event:
    """Read an event from the store as today's event. What is sealed in it stays so.

    Raises:
        UnknownEvent: Its type is not known here, or its data does not fit.

    """
    return decode_data(stored.type, stored.data, stored.position)


def decode_data(name: str, data: str | bytes, position: int) -> Event:
    """Read the data of the event *name* at *position* as today's event."""
    return today(decode_written(name, data, position))


def decode_written(name: str, data: str | bytes, position: int) -> Event:
    """Read the data of the event *name* at *position* as it was written, retired or not."""
    kind = event_types().get(name)
    if kind is None:
        raise UnknownEvent(
            "event.unknown_type",
            f"Event {position} is of type {name}, which this version does not know.",
            hint="Deploy the version that wrote it.",
        )
    try:
        return decoder_of(kind).decode(data)
    except msgspec.MsgspecError as error:
        raise unreadable(name, position, error) from error


def unreadable(name: str, position: int, error: msgspec.MsgspecError) -> UnknownEvent:
    """Say why the data of an event can't be decoded."""
    return UnknownEvent(
        "event.unreadable",
        f"Event {position} ({name}) can't be decoded: {error}.",
        hint="Add an upcaster for its shape.",
    )

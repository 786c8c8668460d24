"""Events as they are stored: JSON without a type tag, under the name of their class."""

from functools import cache

import msgspec
from msgspec.json import Decoder, Encoder

from application.discovery import modules_of
from application.errors import ApplicationError, Malformed
from application.ports import NewEvent, StoredEvent
from domain.kernel import Event

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
    for event in Event.__subclasses__():
        if event.__name__ in found:
            raise TypeError(
                f"Two events are named {event.__name__}; a stored name has one meaning."
            )
        found[event.__name__] = event
    return found


@cache
def _decoder(event: type[Event]) -> Decoder[Event]:
    return Decoder(event)


def encode(event: Event, *, actor: str, correlation_id: str, causation_id: str) -> NewEvent:
    """Write an event for the store.

    Raises:
        Malformed: A value that tags the event is too long or holds control characters.

    """
    tags = tuple(sorted(event.tags))
    for tag in tags:
        check_tag(tag)
    return NewEvent(
        type=type(event).__name__,
        tags=tags,
        data=_encoder.encode(event).decode(),
        actor=actor,
        correlation_id=correlation_id,
        causation_id=causation_id,
    )


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
    """Read an event from the store.

    Raises:
        UnknownEvent: Its type is not known here, or its data does not fit.

    """
    return decode_data(stored.type, stored.data, stored.position)


def decode_data(name: str, data: str | bytes, position: int) -> Event:
    """Read the data of the event *name* at *position*."""
    kind = event_types().get(name)
    if kind is None:
        raise UnknownEvent(
            "event.unknown_type",
            f"Event {position} is of type {name}, which this version does not know.",
            hint="Deploy the version that wrote it.",
        )
    try:
        return _decoder(kind).decode(data)
    except msgspec.MsgspecError as error:
        raise UnknownEvent(
            "event.unreadable",
            f"Event {position} ({name}) can't be decoded: {error}.",
            hint="Add an upcaster for its shape.",
        ) from error

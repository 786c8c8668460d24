"""The library's events and ours: equal but for the data, which is bytes there and text here.

Nothing is lost either way: every sequence of bytes comes back as it went in.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBQueryItem,
    DCBSequencedEvent,
)

from application.codec import check_tag
from application.errors import Malformed
from application.ports import Append, NewEvent, QueryItem, StoredEvent

ENCODED: Final = "base64:"
"""Leads data that is no text. Text that begins so itself is encoded too, hence no confusion."""


def to_append(
    events: Sequence[DCBEvent], condition: DCBAppendCondition | None, actor: str
) -> Append:
    """Write an append as our store takes it.

    Raises:
        Malformed: A type or a tag is empty, too long or not printable.

    """
    new = tuple(_new(event, actor) for event in events)
    if condition is None:
        return Append(events=new)
    # A condition without an item is about every event, as a query without one is.
    boundary = to_query(condition.fail_if_events_match) or (QueryItem(),)
    return Append(events=new, boundary=boundary, after=condition.after or 0)


def to_query(query: DCBQuery | None) -> tuple[QueryItem, ...]:
    """Write a query as our store takes it.

    Raises:
        Malformed: A type or a tag is empty, too long or not printable.

    """
    return tuple(_item(item) for item in query.items) if query else ()


def from_stored(stored: StoredEvent) -> DCBSequencedEvent:
    """Give an event of our log to the library."""
    event = DCBEvent(type=stored.type, data=to_bytes(stored.data), tags=list(stored.tags))
    return DCBSequencedEvent(event=event, position=stored.position)


def to_text(data: bytes) -> str:
    """Keep UTF-8 as it is, so that it can be read in the log; encode the rest."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    # PostgreSQL's text has no U+0000.
    if "\0" in text or text.startswith(ENCODED):
        return ENCODED + b64encode(data).decode()
    return text


def to_bytes(text: str) -> bytes:
    """Undo ``to_text``."""
    if text.startswith(ENCODED):
        return b64decode(text[len(ENCODED) :])
    return text.encode()


def _new(event: DCBEvent, actor: str) -> NewEvent:
    return NewEvent(
        type=_checked(event.type),
        tags=_tags(event.tags),
        data=to_text(event.data),
        actor=actor,
        correlation_id="",
        causation_id="",
    )


def _item(item: DCBQueryItem) -> QueryItem:
    return QueryItem(types=tuple(map(_checked, item.types)), tags=_tags(item.tags))


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags are a set: our log keeps each once, in order."""
    return tuple(sorted({_checked(tag) for tag in tags}))


def _checked(name: str) -> str:
    """In our log lists are joined texts, where an empty member would be no member."""
    if not name:
        raise Malformed(
            "event.bad_key", "A type or a tag is empty.", hint="Name it, or leave it out."
        )
    check_tag(name)
    return name

"""Messages as the Standard Webhooks specification has them: an id, the time, and signatures.

The id is the same whenever an event is sent to an endpoint, so that a receiver knows it again.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct
from standardwebhooks import Webhook as Signer

from application.ports import StoredEvent
from domain.webhooks import EndpointId

ID_LENGTH: Final = 32
AGENT: Final = "Asiento-Webhooks"

Headers = list[tuple[bytes, bytes]]


class EventData(Struct, frozen=True, kw_only=True):
    """An event as a reader of the log sees it."""

    position: int
    type: str
    recorded_at: datetime
    actor: str
    data: msgspec.Raw


class Body(Struct, frozen=True, kw_only=True):
    """What is posted."""

    type: str
    timestamp: datetime
    data: EventData


class Message(Struct, frozen=True, kw_only=True):
    """What is posted of an event, each time it is."""

    id: str
    body: bytes

    def headers(self, secrets: Iterable[str], now: datetime) -> Headers:
        """Sign the message as of *now*, with each of *secrets*."""
        text = self.body.decode()
        signatures = " ".join(Signer(secret).sign(self.id, now, text) for secret in secrets)
        named = {
            "content-type": "application/json",
            "user-agent": AGENT,
            "webhook-id": self.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signatures,
        }
        return [(name.encode(), value.encode()) for name, value in named.items()]


def message_of(endpoint: EndpointId, stored: StoredEvent) -> Message:
    """Write an event whose data is open."""
    data = EventData(
        position=stored.position,
        type=stored.type,
        recorded_at=stored.recorded_at,
        actor=stored.actor,
        data=msgspec.Raw(stored.data.encode()),
    )
    body = Body(type=stored.type, timestamp=stored.recorded_at, data=data)
    return Message(id=id_of(endpoint, stored), body=msgspec.json.encode(body))


def id_of(endpoint: EndpointId, stored: StoredEvent) -> str:
    """Name a message.

    Where a log was put back to an earlier day, positions come again; times do not.
    """
    place = f"{endpoint}\x1f{stored.position}\x1f{stored.recorded_at.isoformat()}"
    return f"msg_{sha256(place.encode()).hexdigest()[:ID_LENGTH]}"

"""What webhooks must have sent: each event that an endpoint is for, in its order, and no other.

An event may come twice, then under the same id; of those that come first, none comes too late.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from domain.kernel import Event
from domain.webhooks import EndpointId, WebhookPaused, WebhookRegistered, WebhookResumed
from tests.faults.model import Finding
from tests.soak.hooks import Taken


class Endpoint(Struct, kw_only=True):
    """An endpoint by its log: what it is to be sent, and whether it is, at the end."""

    id: EndpointId
    types: tuple[str, ...]
    wanted: dict[int, str]
    enabled: bool = True


def endpoints_of(history: Iterable[tuple[int, Event]]) -> dict[EndpointId, Endpoint]:
    """Follow the endpoints of a log, and what each of them is for."""
    found: dict[EndpointId, Endpoint] = {}
    for position, event in history:
        match event:
            case WebhookRegistered():
                types = event.types
                found[event.endpoint] = Endpoint(id=event.endpoint, types=types, wanted={})
            case WebhookPaused():
                found[event.endpoint].enabled = False
            case WebhookResumed():
                found[event.endpoint].enabled = True
        for each in found.values():
            if (kind := type(event).__name__) in each.types:
                each.wanted[position] = kind
    return found


def delivered(
    endpoints: Mapping[EndpointId, Endpoint], taken: Mapping[EndpointId, Sequence[Taken]]
) -> Iterator[Finding]:
    """Tell what did not come that is wanted, came that is not, or came behind a later one."""
    for endpoint in taken.keys() - endpoints.keys():
        yield Finding(kind="invented", text=f"There is no endpoint {endpoint}.")
    for each in endpoints.values():
        yield from _delivered(each, taken.get(each.id, ()))


def _delivered(endpoint: Endpoint, taken: Sequence[Taken]) -> Iterator[Finding]:
    seen: dict[int, str] = {}
    last = 0
    for message in taken:
        at = message.position
        what = f"Event {at}, a {message.type}, of endpoint {endpoint.id}"
        if endpoint.wanted.get(at) != message.type:
            yield Finding(kind="invented", text=f"{what} was not to be sent.")
        if at not in seen and at < last:
            yield Finding(kind="disordered", text=f"{what} came behind event {last}.")
        if seen.setdefault(at, message.id) != message.id:
            yield Finding(kind="renamed", text=f"{what} came again under another id.")
        last = max(last, at)
    if endpoint.enabled:
        for position in endpoint.wanted.keys() - seen.keys():
            yield Finding(
                kind="never", text=f"Event {position} never came to endpoint {endpoint.id}."
            )

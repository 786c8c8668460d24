"""Webhooks: addresses outside that are sent what happens, each event at least once, in order.

What signs the messages is kept beside the log: an event names a secret and never holds it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, NewType, TypeAlias
from urllib.parse import urlsplit

from msgspec import Meta
from msgspec.structs import replace

from domain.kernel import Boundary, Command, Event, Filled, Key, Refused, State, Value

EndpointId = NewType("EndpointId", str)
SecretId = NewType("SecretId", str)

ID: Final = r"^[0-9A-Za-z-]{1,40}$(?!\n)"
EndpointIdText = Annotated[EndpointId, Meta(pattern=ID)]
SecretIdText = Annotated[SecretId, Meta(pattern=ID, description="Leave it out.")]
EventType = Annotated[str, Meta(min_length=1, max_length=100)]
Types = Annotated[
    tuple[EventType, ...],
    Meta(max_length=100, description="The types of event that are sent; none: all."),
]
Description = Annotated[str, Meta(max_length=500, description="For people. Name nobody in it.")]
Url = Annotated[str, Meta(max_length=2000, description="Where messages are posted to: https.")]

PauseReason: TypeAlias = Literal["asked", "gone", "failing"]
Status: TypeAlias = Literal["enabled", "paused"]

ENDPOINTS: Final = "webhooks:endpoints"
"""The tag of every coming and going of an endpoint of a tenant."""

ENDPOINTS_MAX: Final = 20
FORMER_HOURS: Final = 24
FORMER_MAX: Final = 2
"""Former secrets that sign along with the current one; rotated oftener, the oldest falls away."""


class WebhookRegistered(Event):
    """An endpoint is sent what happens from here on."""

    common_tags = frozenset({ENDPOINTS})

    endpoint: Key[EndpointId]
    url: str
    types: tuple[str, ...]
    description: str
    secret_id: SecretId


class WebhookChanged(Event):
    endpoint: Key[EndpointId]
    url: str
    types: tuple[str, ...]
    description: str


class WebhookPaused(Event):
    """Nothing is sent until it resumes: it was asked for, or the endpoint gave cause."""

    endpoint: Key[EndpointId]
    reason: PauseReason


class WebhookResumed(Event):
    """It goes on where it was."""

    endpoint: Key[EndpointId]


class WebhookSecretRotated(Event):
    """A new secret signs; the former one signs along until then."""

    endpoint: Key[EndpointId]
    secret_id: SecretId
    former_until: datetime


class WebhookRemoved(Event):
    common_tags = frozenset({ENDPOINTS})

    endpoint: Key[EndpointId]


class WebhookReplayRequested(Event):
    """What stands behind this position is sent again."""

    endpoint: Key[EndpointId]
    after: int


class WebhookRetryRequested(Event):
    """The dead letters of the endpoint are sent once more."""

    endpoint: Key[EndpointId]


class WebhookTestRequested(Event):
    """This event is sent to the endpoint, whatever its types, and to no other."""

    endpoint: Key[EndpointId]


EndpointEvent: TypeAlias = (
    WebhookRegistered
    | WebhookChanged
    | WebhookPaused
    | WebhookResumed
    | WebhookSecretRotated
    | WebhookRemoved
)
"""What an endpoint is and becomes; the others only ask for something to be sent."""

WebhookEvent: TypeAlias = (
    EndpointEvent | WebhookReplayRequested | WebhookRetryRequested | WebhookTestRequested
)


class FormerSecret(Value):
    """A secret that still signs, beside the current one."""

    secret_id: SecretId
    until: datetime


class Webhook(State):
    """What an endpoint is sent, and how."""

    status: Literal["absent", "enabled", "paused", "removed"] = "absent"
    url: str = ""
    types: tuple[str, ...] = ()
    description: str = ""
    secret_id: SecretId = SecretId("")
    former: tuple[FormerSecret, ...] = ()

    def evolve(self, event: EndpointEvent) -> "Webhook":
        match event:
            case WebhookRegistered():
                return Webhook(
                    status="enabled",
                    url=event.url,
                    types=event.types,
                    description=event.description,
                    secret_id=event.secret_id,
                )
            case WebhookChanged(url=url, types=types, description=description):
                return replace(self, url=url, types=types, description=description)
            case WebhookPaused():
                return replace(self, status="paused")
            case WebhookResumed():
                return replace(self, status="enabled")
            case WebhookSecretRotated():
                last = FormerSecret(secret_id=self.secret_id, until=event.former_until)
                former = (*self.former, last)[-FORMER_MAX:]
                return replace(self, secret_id=event.secret_id, former=former)
            case WebhookRemoved():
                return replace(self, status="removed")

    def signing(self, now: datetime) -> tuple[SecretId, ...]:
        """Name the secrets that sign, the current one first."""
        return (self.secret_id, *(each.secret_id for each in self.former if now < each.until))


class Endpoints(State):
    """How many endpoints a tenant has."""

    many: int = 0

    def evolve(self, event: WebhookRegistered | WebhookRemoved) -> "Endpoints":
        match event:
            case WebhookRegistered():
                return Endpoints(many=self.many + 1)
            case WebhookRemoved():
                return Endpoints(many=self.many - 1)


class RegisterWebhook(Command):
    """Have what happens sent to an address. The answer shows the secret that signs it, once."""

    endpoint: Filled[EndpointIdText]
    secret_id: Filled[SecretIdText]
    url: Url
    types: Types = ()
    description: Description = ""

    def boundary(self) -> tuple[Boundary[Webhook], Boundary[Endpoints]]:
        return Webhook.at(endpoint=self.endpoint), Endpoints.at(webhooks="endpoints")

    def decide(self, webhook: Webhook, endpoints: Endpoints) -> Iterator[WebhookEvent]:
        if webhook.status != "absent":
            raise Refused(
                "webhooks.endpoint_taken",
                f"There is or was an endpoint {self.endpoint}.",
                hint="Leave the id out.",
            )
        if endpoints.many >= ENDPOINTS_MAX:
            raise Refused(
                "webhooks.too_many",
                f"There are {endpoints.many} endpoints, and a tenant has at most {ENDPOINTS_MAX}.",
                hint="Remove one that is not needed any more.",
            )
        check_url(self.url)
        yield WebhookRegistered(
            endpoint=self.endpoint,
            url=self.url,
            types=_sorted(self.types),
            description=self.description,
            secret_id=self.secret_id,
        )


class _OfEndpoint(Command):
    """A command about an endpoint that is there."""

    endpoint: EndpointIdText

    def boundary(self) -> tuple[Boundary[Webhook]]:
        return (Webhook.at(endpoint=self.endpoint),)

    def check(self, webhook: Webhook) -> None:
        if webhook.status in {"absent", "removed"}:
            raise Refused(
                "webhooks.absent", f"There is no endpoint {self.endpoint}.", hint="List them."
            )


class ChangeWebhook(_OfEndpoint):
    """Change what an endpoint is sent, or where. What is left out stays."""

    url: Url | None = None
    types: Types | None = None
    description: Description | None = None

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        self.check(webhook)
        url = webhook.url if self.url is None else self.url
        types = webhook.types if self.types is None else _sorted(self.types)
        description = webhook.description if self.description is None else self.description
        check_url(url)
        if (url, types, description) != (webhook.url, webhook.types, webhook.description):
            yield WebhookChanged(
                endpoint=self.endpoint, url=url, types=types, description=description
            )


class PauseWebhook(_OfEndpoint):
    """Send nothing until the endpoint resumes. What happens meanwhile waits in the log."""

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        self.check(webhook)
        if webhook.status == "enabled":
            yield WebhookPaused(endpoint=self.endpoint, reason="asked")


class StopWebhook(_OfEndpoint):
    """Pause an endpoint that gave cause."""

    reason: PauseReason

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        if webhook.status == "enabled":
            yield WebhookPaused(endpoint=self.endpoint, reason=self.reason)


class ResumeWebhook(_OfEndpoint):
    """Go on sending, with what happened meanwhile first."""

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        self.check(webhook)
        if webhook.status == "paused":
            yield WebhookResumed(endpoint=self.endpoint)


class RotateWebhookSecret(_OfEndpoint):
    """Sign with a new secret, which the answer shows once. The former one signs along for a day."""

    secret_id: Filled[SecretIdText]
    at: Filled[datetime]
    former_hours: Annotated[
        int, Meta(ge=0, le=FORMER_HOURS, description="How long the former one signs along.")
    ] = FORMER_HOURS

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        self.check(webhook)
        if self.secret_id != webhook.secret_id:
            yield WebhookSecretRotated(
                endpoint=self.endpoint,
                secret_id=self.secret_id,
                former_until=self.at + timedelta(hours=self.former_hours),
            )


class RemoveWebhook(_OfEndpoint):
    """Send nothing more, and forget the secrets and the dead letters of the endpoint."""

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        if webhook.status == "absent":
            self.check(webhook)
        if webhook.status != "removed":
            yield WebhookRemoved(endpoint=self.endpoint)


class ReplayWebhook(_OfEndpoint):
    """Send again what stands behind a position, under the ids it had. Nothing is passed over."""

    after: Annotated[int, Meta(ge=0, le=2**53, description="A position of the log; 0: all of it.")]

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        self.check(webhook)
        yield WebhookReplayRequested(endpoint=self.endpoint, after=self.after)


class RetryWebhook(_OfEndpoint):
    """Send the dead letters once more, until one of them fails again."""

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        self.check(webhook)
        yield WebhookRetryRequested(endpoint=self.endpoint)


class SendWebhookTest(_OfEndpoint):
    """Send the endpoint an event that means nothing, in its turn."""

    def decide(self, webhook: Webhook) -> Iterator[WebhookEvent]:
        self.check(webhook)
        if webhook.status == "paused":
            raise Refused(
                "webhooks.paused", f"The endpoint {self.endpoint} is paused.", hint="Resume it."
            )
        yield WebhookTestRequested(endpoint=self.endpoint)


def check_url(url: str) -> None:
    """Let no address pass that can't be posted to, or that holds a password.

    Raises:
        Refused: The message says what is wrong.

    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _bad("it holds a space or a sign that no URL has")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _bad("its host or its port can't be one") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise _bad("it does not begin with https:// and the name of a host")
    if "@" in parts.netloc:
        raise _bad("it holds a user or a password, and would be kept in the log for ever")
    if parts.fragment:
        raise _bad("it has a fragment, which is never sent")


def _bad(why: str) -> Refused:
    return Refused(
        "webhooks.bad_url",
        f"The address of the endpoint can't be used: {why}.",
        hint="Give one such as https://example.com/hooks/asiento.",
    )


def _sorted(types: tuple[str, ...]) -> tuple[str, ...]:
    """Write a set of types one way."""
    return tuple(sorted(set(types)))

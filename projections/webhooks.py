"""Webhooks as people look at them: where what is sent. How far it came stands with the sending."""

from msgspec.structs import replace

from domain.webhooks import (
    EndpointEvent,
    EndpointId,
    PauseReason,
    Status,
    WebhookChanged,
    WebhookPaused,
    WebhookRegistered,
    WebhookRemoved,
    WebhookResumed,
    WebhookSecretRotated,
)
from projections.kernel import Indexed, ReadModel, Row


class WebhookRow(Row):
    """An endpoint. No types: it is sent all events. Its secret is shown nowhere."""

    endpoint: EndpointId
    url: str
    types: tuple[str, ...]
    description: str
    status: Indexed[Status] = "enabled"
    reason: PauseReason | None = None


class Webhooks(ReadModel[WebhookRow]):
    name = "webhooks"
    row = WebhookRow
    key = "endpoint"
    permission = "webhooks.endpoint.read"

    @staticmethod
    def apply(row: WebhookRow | None, event: EndpointEvent) -> WebhookRow | None:
        if isinstance(event, WebhookRegistered):
            return WebhookRow(
                endpoint=event.endpoint,
                url=event.url,
                types=event.types,
                description=event.description,
            )
        assert row is not None, "An endpoint is registered before anything else happens to it."
        match event:
            case WebhookChanged(url=url, types=types, description=description):
                return replace(row, url=url, types=types, description=description)
            case WebhookPaused(reason=reason):
                return replace(row, status="paused", reason=reason)
            case WebhookResumed():
                return replace(row, status="enabled", reason=None)
            case WebhookSecretRotated():
                return row
            case WebhookRemoved():
                return None

"""What the log says of endpoints, made rows: each registered one is sent what happens after it.

A consumer of the log, exactly once. What is asked for twice does no harm all the same.
"""

from typing import Final, LiteralString, get_args

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.taking import follow
from application.webhooks import family
from domain.ids import TenantId
from domain.kernel import Event
from domain.webhooks import (
    WebhookChanged,
    WebhookEvent,
    WebhookPaused,
    WebhookRegistered,
    WebhookRemoved,
    WebhookReplayRequested,
    WebhookResumed,
    WebhookRetryRequested,
    WebhookSecretRotated,
    WebhookTestRequested,
)

CONSUMER: Final = "webhooks.endpoints"
REGISTER: LiteralString = """
INSERT INTO webhook_delivery (tenant_id, endpoint, position) VALUES (%s, %s, %s)
ON CONFLICT DO NOTHING
"""
PAUSE: LiteralString = """
UPDATE webhook_delivery SET active = false WHERE tenant_id = %s AND endpoint = %s
"""
# Where a log came back from its archive there is no row: then it goes on from here.
RESUME: LiteralString = """
INSERT INTO webhook_delivery (tenant_id, endpoint, position) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, endpoint) DO UPDATE
SET active = true, failed_attempts = 0, dead_in_a_row = 0, next_attempt_at = now()
"""
# A position that is still ahead passes nothing over.
REPLAY: LiteralString = """
INSERT INTO webhook_delivery AS d (tenant_id, endpoint, position) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, endpoint) DO UPDATE
SET position = least(d.position, excluded.position), failed_attempts = 0, dead_in_a_row = 0,
    next_attempt_at = now()
"""
RETRY: LiteralString = """
UPDATE webhook_delivery SET retrying = true, next_attempt_at = now()
WHERE tenant_id = %s AND endpoint = %s
"""
REMOVE: LiteralString = "DELETE FROM webhook_delivery WHERE tenant_id = %s AND endpoint = %s"
BURN: LiteralString = "DELETE FROM webhook_dead_letter WHERE tenant_id = %s AND endpoint = %s"
DESTROY: LiteralString = """
UPDATE subject_key SET wrapped = NULL, forgotten_at = now()
WHERE tenant_id = %s AND starts_with(subject, %s) AND wrapped IS NOT NULL
"""


class Endpoints:
    """The consumer that keeps the rows of endpoints."""

    name = CONSUMER
    types: tuple[str, ...] = tuple(event.__name__ for event in get_args(WebhookEvent))

    async def __call__(
        self, connection: Connection, tenant: TenantId, after: int, head: int
    ) -> Folded:
        async def act(event: Event, position: int) -> None:
            assert isinstance(event, WebhookEvent), "It is asked for by type."
            await _follow(connection, tenant, event, position)

        return await follow(connection, tenant, self.types, act, after=after, head=head)


async def _follow(
    connection: Connection, tenant: TenantId, event: WebhookEvent, position: int
) -> None:
    row = (tenant, event.endpoint)
    match event:
        case WebhookRegistered():
            await connection.execute(REGISTER, (*row, position))
        case WebhookPaused():
            await connection.execute(PAUSE, row)
        case WebhookResumed():
            await connection.execute(RESUME, (*row, position))
        case WebhookReplayRequested():
            await connection.execute(REPLAY, (*row, min(event.after, position)))
        case WebhookRetryRequested():
            await connection.execute(RETRY, row)
        case WebhookRemoved():
            await connection.execute(REMOVE, row)
            await connection.execute(BURN, row)
            await connection.execute(DESTROY, (tenant, family(event.endpoint)))
        case WebhookChanged() | WebhookSecretRotated() | WebhookTestRequested():
            pass  # What is sent and how is read off the log each time.

"""How far each endpoint has come, and who may move it: whoever holds its lease.

A lease is a time and not a connection, so that nothing of the database is held while a stranger
takes its time. Who lost it finds out with the next step, and stops.
"""

from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import uuid4

from msgspec import Struct

from adapters.postgres.connections import Pool, tenant_transaction
from adapters.webhooks.sending import Answer
from application.codec import check_tag
from application.errors import NotFound
from domain.ids import SYSTEM_TENANT, TenantId
from domain.webhooks import EndpointId

KEPT_LETTERS_MAX: Final = 1_000
"""Dead letters of one endpoint; the oldest give way."""

DUE: LiteralString = "SELECT tenant_id::text, endpoint FROM due_webhooks_v1(%s::uuid[], %s)"
CLAIM: LiteralString = """
UPDATE webhook_delivery
SET lease = %s, leased_until = clock_timestamp() + make_interval(secs => %s)
WHERE tenant_id = %s AND endpoint = %s AND active
  AND next_attempt_at <= clock_timestamp() AND leased_until <= clock_timestamp()
RETURNING position, failed_attempts, retrying
"""
STEP: LiteralString = """
UPDATE webhook_delivery
SET position = %(to)s, failed_attempts = 0, last_status = %(status)s, last_error = %(error)s,
    dead_in_a_row = CASE WHEN %(sent)s THEN 0 ELSE dead_in_a_row + 1 END,
    sent_at = CASE WHEN %(sent)s THEN clock_timestamp() ELSE sent_at END
WHERE tenant_id = %(tenant)s AND endpoint = %(endpoint)s AND lease = %(lease)s
  AND position = %(from)s
RETURNING active, dead_in_a_row
"""
SKIP: LiteralString = """
UPDATE webhook_delivery SET position = %s
WHERE tenant_id = %s AND endpoint = %s AND lease = %s AND position = %s
RETURNING active
"""
FAIL: LiteralString = """
UPDATE webhook_delivery
SET failed_attempts = failed_attempts + 1, last_status = %s, last_error = %s,
    next_attempt_at = clock_timestamp() + %s
WHERE tenant_id = %s AND endpoint = %s AND lease = %s AND position = %s
"""
REST: LiteralString = """
UPDATE webhook_delivery
SET next_attempt_at = clock_timestamp() + %s, last_error = coalesce(%s, last_error)
WHERE tenant_id = %s AND endpoint = %s AND lease = %s
"""
RELEASE: LiteralString = """
UPDATE webhook_delivery SET lease = NULL, leased_until = clock_timestamp()
WHERE tenant_id = %s AND endpoint = %s AND lease = %s
"""
RETRIED: LiteralString = """
UPDATE webhook_delivery SET retrying = false
WHERE tenant_id = %s AND endpoint = %s AND lease = %s
"""
LETTER: LiteralString = """
INSERT INTO webhook_dead_letter AS l
    (tenant_id, endpoint, position, type, attempts, status, error, excerpt)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, endpoint, position) DO UPDATE
SET attempts = l.attempts + excluded.attempts, status = excluded.status,
    error = excluded.error, excerpt = excluded.excerpt, dead_at = now()
"""
GIVE_WAY: LiteralString = """
DELETE FROM webhook_dead_letter
WHERE tenant_id = %(tenant)s AND endpoint = %(endpoint)s AND position <= (
    SELECT position FROM webhook_dead_letter
    WHERE tenant_id = %(tenant)s AND endpoint = %(endpoint)s
    ORDER BY position DESC OFFSET %(most)s LIMIT 1
)
"""
LETTERS: LiteralString = """
SELECT position, type, attempts, status, error, excerpt, dead_at FROM webhook_dead_letter
WHERE tenant_id = %s AND endpoint = %s AND position > %s ORDER BY position LIMIT %s
"""
TAKEN: LiteralString = """
DELETE FROM webhook_dead_letter WHERE tenant_id = %s AND endpoint = %s AND position = %s
"""
LOOK: LiteralString = """
SELECT d.endpoint, d.position, h.position, d.active, d.failed_attempts, d.next_attempt_at,
       d.sent_at, d.last_status, d.last_error, (
    SELECT count(*) FROM webhook_dead_letter AS l
    WHERE l.tenant_id = d.tenant_id AND l.endpoint = d.endpoint
)
FROM webhook_delivery AS d JOIN log_head AS h USING (tenant_id)
WHERE d.tenant_id = %s ORDER BY d.endpoint
"""


class Delivery(Struct, frozen=True, kw_only=True):
    """How far an endpoint has come.

    Attributes:
        position: Everything up to here is sent, or a dead letter.
        head: Where the log ends.
        failed_attempts: Those at the next event; it is tried again at *next_attempt_at*.

    """

    endpoint: EndpointId
    position: int
    head: int
    active: bool
    failed_attempts: int
    next_attempt_at: datetime
    sent_at: datetime | None
    last_status: int | None
    last_error: str | None
    dead_letters: int


class DeadLetter(Struct, frozen=True, kw_only=True):
    """An event that an endpoint never took, and how its last answer began."""

    position: int
    type: str
    attempts: int
    status: int | None
    error: str
    excerpt: str
    dead_at: datetime


async def due_endpoints(
    pool: Pool, tenants: list[TenantId] | None, most: int
) -> list[tuple[TenantId, EndpointId]]:
    """Name endpoints that have something to send: of these tenants, or of all."""
    async with tenant_transaction(pool, SYSTEM_TENANT) as connection:
        rows = await (await connection.execute(DUE, (tenants, most))).fetchall()
    return [(TenantId(tenant), EndpointId(endpoint)) for tenant, endpoint in rows]


async def list_deliveries(pool: Pool, tenant: TenantId) -> list[Delivery]:
    """Tell how far the endpoints of a tenant have come."""
    async with tenant_transaction(pool, tenant) as connection:
        rows = await (await connection.execute(LOOK, (tenant,))).fetchall()
    return [Delivery(**dict(zip(Delivery.__struct_fields__, row, strict=True))) for row in rows]


async def delivery_of(pool: Pool, tenant: TenantId, endpoint: str) -> Delivery:
    """Tell how far one endpoint has come.

    Raises:
        NotFound: There is none, or it was registered only just now.

    """
    for each in await list_deliveries(pool, tenant):
        if each.endpoint == endpoint:
            return each
    raise NotFound(
        "webhooks.absent",
        f"There is no endpoint {endpoint}.",
        hint="List them. One that was registered just now appears in a moment.",
    )


async def letters_of(
    pool: Pool, tenant: TenantId, endpoint: str, *, after: int, limit: int
) -> list[DeadLetter]:
    """As ``list_letters``, for who may name what is not there.

    Raises:
        NotFound: There is no such endpoint, or it was registered only just now.
        Malformed: It is no id of one.

    """
    check_tag(f"endpoint:{endpoint}")
    found = await list_letters(pool, tenant, endpoint, after=after, limit=limit)
    if not found:
        await delivery_of(pool, tenant, endpoint)
    return found


async def list_letters(
    pool: Pool, tenant: TenantId, endpoint: str, *, after: int, limit: int
) -> list[DeadLetter]:
    """List dead letters by position, after one."""
    async with tenant_transaction(pool, tenant) as connection:
        asked = (tenant, endpoint, after, limit)
        rows = await (await connection.execute(LETTERS, asked)).fetchall()
    return [DeadLetter(**dict(zip(DeadLetter.__struct_fields__, row, strict=True))) for row in rows]


class Hold:
    """An endpoint in the hands of one process, for as long as it keeps taking steps."""

    def __init__(self, pool: Pool, tenant: TenantId, endpoint: EndpointId, seconds: float) -> None:
        self.tenant = tenant
        self.endpoint = endpoint
        self.position = 0
        self.failed_attempts = 0
        self.retrying = False
        self._pool = pool
        self._seconds = seconds
        self.lease = str(uuid4())

    @property
    def _place(self) -> tuple[TenantId, EndpointId, str]:
        return self.tenant, self.endpoint, self.lease

    async def claim(self) -> bool:
        """Take it; tell whether nobody else was first."""
        asked = (self.lease, self._seconds, self.tenant, self.endpoint)
        async with tenant_transaction(self._pool, self.tenant, derived=True) as connection:
            row = await (await connection.execute(CLAIM, asked)).fetchone()
        if row is None:
            return False
        self.position, self.failed_attempts, self.retrying = row
        return True

    async def sent(self, position: int, answer: Answer) -> bool:
        """Note that an event was taken; tell whether to go on with the next."""
        async with tenant_transaction(self._pool, self.tenant, derived=True) as connection:
            asked = self._step(position, answer, sent=True)
            row = await (await connection.execute(STEP, asked)).fetchone()
        self.position, self.failed_attempts = position, 0
        return row is not None and row[0]

    async def bury(self, position: int, kind: str, answer: Answer) -> int | None:
        """Make an event a dead letter; return how many that are in a row. None: stop."""
        async with tenant_transaction(self._pool, self.tenant) as connection:
            asked = self._step(position, answer, sent=False)
            row = await (await connection.execute(STEP, asked)).fetchone()
            if row is not None:
                attempts = self.failed_attempts + 1
                values = (kind, attempts, answer.status, answer.error or "", answer.excerpt)
                await connection.execute(LETTER, (self.tenant, self.endpoint, position, *values))
                kept = {"tenant": self.tenant, "endpoint": self.endpoint, "most": KEPT_LETTERS_MAX}
                await connection.execute(GIVE_WAY, kept)
        self.position, self.failed_attempts = position, 0
        return row[1] if row is not None and row[0] else None

    async def skip(self, position: int) -> bool:
        """Pass what the endpoint has not asked for; tell whether to go on."""
        if position <= self.position:
            return True
        async with tenant_transaction(self._pool, self.tenant, derived=True) as connection:
            asked = (position, *self._place, self.position)
            row = await (await connection.execute(SKIP, asked)).fetchone()
        self.position = position
        return row is not None and row[0]

    async def fail(self, answer: Answer, pause: timedelta) -> None:
        """Note a failed attempt, and when the next one is due."""
        async with tenant_transaction(self._pool, self.tenant) as connection:
            asked = (answer.status, answer.error, pause, *self._place, self.position)
            await connection.execute(FAIL, asked)

    async def rest(self, pause: timedelta, why: str | None = None) -> None:
        """Let it be for a while; that is no failed attempt."""
        async with tenant_transaction(self._pool, self.tenant, derived=True) as connection:
            await connection.execute(REST, (pause, why, *self._place))

    async def release(self) -> None:
        """Let others have it."""
        async with tenant_transaction(self._pool, self.tenant, derived=True) as connection:
            await connection.execute(RELEASE, self._place)

    async def letter_taken(self, position: int) -> None:
        """Throw away a dead letter that was taken after all."""
        async with tenant_transaction(self._pool, self.tenant) as connection:
            await connection.execute(TAKEN, (self.tenant, self.endpoint, position))

    async def letter_failed(self, letter: DeadLetter, answer: Answer) -> None:
        """Note how a dead letter failed once more."""
        values = (letter.type, 1, answer.status, answer.error or "", answer.excerpt)
        async with tenant_transaction(self._pool, self.tenant) as connection:
            place = (self.tenant, self.endpoint, letter.position)
            await connection.execute(LETTER, (*place, *values))

    async def retried(self) -> None:
        """Note that the dead letters are through, or broke off."""
        async with tenant_transaction(self._pool, self.tenant) as connection:
            await connection.execute(RETRIED, self._place)

    def _step(self, position: int, answer: Answer, *, sent: bool) -> dict[str, object]:
        return {
            "to": position,
            "status": answer.status,
            "error": answer.error,
            "sent": sent,
            "tenant": self.tenant,
            "endpoint": self.endpoint,
            "lease": self.lease,
            "from": self.position,
        }

"""The queue between the log and the workers: a message a job, made by a reaction."""

from collections.abc import Sequence
from typing import Final, LiteralString

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from msgspec.json import Decoder
from redis.exceptions import RedisError

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.folding import Folded
from adapters.redis.broker import QUEUE
from application.errors import Unavailable
from domain.ids import JobId, TenantId
from domain.jobs import JobQueued

ACTOR: Final = "run_job"
CONSUMER: Final = "jobs.enqueue"
BATCH: Final = 500
QUEUED: LiteralString = """
SELECT position, data FROM event
WHERE tenant_id = %s AND position > %s AND position <= %s AND type = 'JobQueued'
ORDER BY position LIMIT %s
"""
_queued = Decoder(JobQueued)
log = structlog.get_logger()


def enqueue(broker: RedisBroker, tenant: TenantId, job: JobId, kind: str, subject: str) -> None:
    """Put a job on the queue. Twice does no harm: it runs under a lock, and once only.

    Raises:
        Unavailable: Redis does not answer.

    """
    message = dramatiq.Message[None](
        queue_name=QUEUE,
        actor_name=ACTOR,
        args=(tenant, job, kind, subject),
        kwargs={},
        options={},
    )
    try:
        broker.enqueue(message)
    except RedisError as error:  # The broker has errors of its own, and raises those of Redis.
        raise Unavailable(
            "queue.unavailable", "Redis can't be reached.", hint="Jobs wait in the log."
        ) from error


class JobReaction:
    """The consumer that enqueues what the log wants done; the log is the outbox."""

    name = CONSUMER
    types: tuple[str, ...] = (JobQueued.__name__,)

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    async def __call__(
        self, connection: Connection, tenant: TenantId, after: int, head: int
    ) -> Folded:
        cursor = await connection.execute(QUEUED, (tenant, after, head, BATCH))
        records: Sequence[tuple[int, str]] = await cursor.fetchall()
        for _, data in records:
            event = _queued.decode(data)
            enqueue(self._broker, tenant, event.job, event.kind, event.subject)
            log.info("job.enqueued", job=event.job, kind=event.kind)
        reached = records[-1][0] if len(records) == BATCH else head
        return Folded(position=reached, events=len(records))

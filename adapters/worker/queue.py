"""The queue between the log and the workers: a message a job, made by a reaction."""

from typing import Final

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from msgspec.json import Decoder
from redis.exceptions import RedisError

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.taking import take
from adapters.redis.broker import QUEUE
from application.errors import Unavailable
from domain.ids import JobId, TenantId
from domain.jobs import JobQueued

ACTOR: Final = "run_job"
CONSUMER: Final = "jobs.enqueue"
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
        taken = await take(connection, tenant, self.types, after=after, head=head)
        for _, _, data, _ in taken.records:
            event = _queued.decode(data)
            enqueue(self._broker, tenant, event.job, event.kind, event.subject)
            log.info("job.enqueued", job=event.job, kind=event.kind)
        return Folded(position=taken.reached, events=len(taken.records))

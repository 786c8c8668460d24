"""What reads the logs to another end than a read model: jobs, webhooks, members, reactions."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from msgspec import Struct

from adapters.accounts.memberships import CONSUMER as MEMBERSHIPS
from adapters.accounts.memberships import Memberships
from adapters.credentials.settling import CONSUMER as CREDENTIALS
from adapters.credentials.settling import Secrets
from adapters.mail.posting import READER as LETTERS
from adapters.postgres.projecting.consumers import Consumer, consumer_names
from adapters.postgres.projecting.reactions import Reacting
from adapters.redis.broker import make_broker
from adapters.runtime import Runtime
from adapters.webhooks.endpoints import CONSUMER as WEBHOOKS
from adapters.webhooks.endpoints import Endpoints
from adapters.worker.queue import CONSUMER, JobReaction
from application.errors import Unavailable
from application.reactions import Reaction, actor_of, reactions

RETRY_SECONDS: Final = 0.5
log = structlog.get_logger()


class Readers(Struct, frozen=True):
    """Those of tenants' logs, and those of the reserved tenant's."""

    tenants: list[Consumer]
    system: list[Consumer]


async def begin_readers(runtime: Runtime, found: Iterable[type[Reaction]] | None = None) -> Readers:
    """Make them. A reaction that is new begins where each log stands now.

    Where PostgreSQL is away it is waited for.
    """
    chosen = reactions().values() if found is None else found
    reacting = [Reacting(each, runtime.bus, runtime.vault) for each in chosen]
    for each in reacting:
        await _begun(runtime, each)
    queue = JobReaction(make_broker(runtime.settings.redis_url or ""))
    return Readers(
        tenants=[
            queue,
            Endpoints(),
            Secrets(),
            Memberships(),
            *(each for each in reacting if not each.reaction.system),
        ],
        system=[each for each in reacting if each.reaction.system],
    )


async def _begun(runtime: Runtime, reacting: Reacting) -> None:
    while True:
        try:
            return await reacting.begin(runtime.pool)
        except Unavailable as error:
            log.warning("reaction.waiting", reaction=reacting.reaction.name, reason=error.message)
            await asyncio.sleep(RETRY_SECONDS)


def reader_names() -> tuple[list[str], list[str]]:
    """Name whoever reads the logs, read models included: those of tenants, those of the system."""
    tenants, system = consumer_names()
    for reaction in reactions().values():
        (system if reaction.system else tenants).append(actor_of(reaction))
    tenants = [CONSUMER, WEBHOOKS, CREDENTIALS, MEMBERSHIPS, LETTERS, *tenants]
    return tenants, [LETTERS, *system]

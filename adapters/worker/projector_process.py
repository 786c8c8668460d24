"""The projector process: folds events into read models, enqueues jobs, sends what is to be sent."""

import asyncio
from collections.abc import Iterable

from adapters.mail.opening import open_mailer
from adapters.mail.posting import Post, letter_readers
from adapters.postgres.projecting.projector import Projector
from adapters.redis.hub import HeadMoved
from adapters.runtime import Runtime
from adapters.settings import Settings
from adapters.webhooks.delivering import deliver
from adapters.worker.readers import begin_readers
from adapters.worker.until_told import until_told
from application.reactions import Reaction


def run_projector(settings: Settings) -> int:
    """Run until told to end, and return the exit code."""
    return until_told(settings, "projector", project)


async def project(runtime: Runtime, found: Iterable[type[Reaction]] | None = None) -> None:
    """Drive every reader of every log until cancelled; *found* are other reactions than ours."""
    readers = await begin_readers(runtime, found)
    post = Post(runtime, open_mailer(runtime.settings))
    of_tenants, of_system = letter_readers(post, runtime)
    projector = Projector(
        runtime.pool,
        runtime.vault,
        [*readers.tenants, of_tenants],
        [*readers.system, of_system],
    )
    post.awake = projector.hint

    async def hint() -> None:
        async with runtime.hub.listen() as news:
            while True:
                heard = await news.get()
                if isinstance(heard, HeadMoved):
                    projector.hint(heard.tenant)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(hint())
            group.create_task(projector.run())
            group.create_task(deliver(runtime))
    finally:
        await post.stop()

"""A turn of one endpoint: what it has not had yet is posted in order, until it fails or time is up.

That an event was sent is noted after the receiver took it. So a process that dies in between
sends it again, under the same id, and nothing is lost.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

import structlog

from adapters.runtime import Runtime
from adapters.webhooks.ledger import DeadLetter, Hold, list_letters
from adapters.webhooks.messages import message_of
from adapters.webhooks.sending import Answer, Sender
from application.codec import event_types
from application.errors import ApplicationError, Unavailable
from application.kernel import Context
from application.ports import QueryItem, StoredEvent
from application.webhooks import DELIVER, OWN, TEST, pause_before, secret_text
from domain.kernel import Refused
from domain.webhooks import PauseReason, StopWebhook, Webhook

TURN_SECONDS: Final = 5.0
BATCH_EVENTS: Final = 20
"""Events of one endpoint that are held in memory at once."""

SETTLE: Final = timedelta(seconds=5)
"""Time for what the log says of an endpoint to reach its row."""

STUCK: Final = timedelta(hours=1)
DEPLOY: Final = timedelta(seconds=15)
"""How soon to look again whether a newer version knows what this one does not."""

log = structlog.get_logger()


class Turn:
    """Serves the endpoint of a lease."""

    def __init__(self, runtime: Runtime, sender: Sender, hold: Hold) -> None:
        settings = runtime.settings
        self._runtime = runtime
        self._sender = sender
        self._hold = hold
        self._pauses = tuple(map(float, settings.webhook_retry_seconds.split(",")))
        self._letters_max = settings.webhook_dead_letters_max
        self._tag = f"endpoint:{hold.endpoint}"
        self._end = asyncio.get_running_loop().time() + TURN_SECONDS
        self._webhook = Webhook()
        self._secrets: Sequence[str] = ()

    @property
    def _over(self) -> bool:
        return asyncio.get_running_loop().time() >= self._end

    async def take(self) -> None:
        """Send what there is.

        Raises:
            Unavailable: PostgreSQL or the keys can't be reached; it is sent later.

        """
        hold, bus = self._hold, self._runtime.bus
        self._webhook = await bus.fold(hold.tenant, Webhook.at(endpoint=hold.endpoint))
        if self._webhook.status != "enabled":
            await hold.rest(SETTLE)
            return
        self._secrets = await self._signing()
        if hold.retrying:
            await self._retry()
        while not self._over and await self._batch():
            pass

    async def _signing(self) -> list[str]:
        vault, tenant, endpoint = self._runtime.vault, self._hold.tenant, self._hold.endpoint
        ids = self._webhook.signing(self._runtime.clock.now())
        texts = [await secret_text(vault, tenant, endpoint, each) for each in ids]
        return [text for text in texts if text is not None]

    async def _batch(self) -> bool:
        """Send the next events; tell whether there may be more to send now."""
        hold, store = self._hold, self._runtime.store
        head = await store.head(hold.tenant)
        found = store.read(
            hold.tenant, self._query(), after=hold.position, until=head, limit=BATCH_EVENTS
        )
        events = [stored async for stored in found]
        for stored in events:
            if self._wants(stored) and (self._over or not await self._send(stored)):
                return False
        more = len(events) == BATCH_EVENTS
        return await hold.skip(events[-1].position if more else head) and more

    def _query(self) -> list[QueryItem]:
        if not self._webhook.types:
            return []
        of_types = QueryItem(types=self._webhook.types)
        return [of_types, QueryItem(types=(TEST,), tags=(self._tag,))]

    def _wants(self, stored: StoredEvent) -> bool:
        return stored.type not in OWN or (stored.type == TEST and self._tag in stored.tags)

    async def _send(self, stored: StoredEvent) -> bool:
        """Send an event, and note what came of it; tell whether to go on with the next."""
        hold = self._hold
        if stored.type not in event_types():
            await hold.rest(DEPLOY, f"Event {stored.position} is of a newer version.")
            return False
        answer = await self._post(stored)
        if answer.error is None:
            return await hold.sent(stored.position, answer)
        log.warning("webhook.failed", position=stored.position, status=answer.status)
        if answer.gone:
            return await self._stop("gone", answer)
        pause = pause_before(
            self._pauses,
            hold.failed_attempts + 1,
            random.random(),  # noqa: S311 - it spreads load and hides nothing.
            answer.retry_after_seconds,
        )
        if pause is not None:
            await hold.fail(answer, pause)
            return False
        letters = await hold.bury(stored.position, stored.type, answer)
        log.error("webhook.dead_letter", position=stored.position, status=answer.status)
        if letters is not None and letters >= self._letters_max:
            return await self._stop("failing", answer)
        return letters is not None

    async def _post(self, stored: StoredEvent) -> Answer:
        try:
            (opened,) = await self._runtime.vault.reveal(self._hold.tenant, [stored])
        except Unavailable:
            raise
        except ApplicationError as error:
            return Answer(error=f"The event can't be opened ({error.code}).")
        message = message_of(self._hold.endpoint, opened)
        headers = message.headers(self._secrets, self._runtime.clock.now())
        return await self._sender.post(self._webhook.url, headers, message.body)

    async def _stop(self, reason: PauseReason, answer: Answer) -> bool:
        """Pause the endpoint, and have the log say why."""
        hold, pause = self._hold, SETTLE
        command = StopWebhook(endpoint=hold.endpoint, reason=reason)
        context = Context(
            tenant=hold.tenant,
            actor="system",
            permissions=frozenset({DELIVER}),
            correlation_id=hold.lease,
        )
        try:
            await self._runtime.bus.execute(command, context)
        except Unavailable:
            raise
        except (Refused, ApplicationError) as error:
            log.warning("webhook.not_paused", code=error.code)  # The books may be closed.
            pause = STUCK
        log.warning("webhook.paused", reason=reason)
        await hold.fail(answer, pause)
        return False

    async def _retry(self) -> None:
        """Send the dead letters, until one fails again or the turn is over."""
        async for letter in self._letters():
            if self._over:
                return
            answer = await self._post_at(letter.position)
            if answer.error is not None:
                await self._hold.letter_failed(letter, answer)
                break
            await self._hold.letter_taken(letter.position)
        await self._hold.retried()

    async def _letters(self) -> AsyncIterator[DeadLetter]:
        """Give the dead letters there are; those that were taken are so no more."""
        hold, pool = self._hold, self._runtime.pool
        while letters := await list_letters(
            pool, hold.tenant, hold.endpoint, after=0, limit=BATCH_EVENTS
        ):
            for letter in letters:
                yield letter

    async def _post_at(self, position: int) -> Answer:
        """Post the event of a position; one that is not there any more counts as taken."""
        found = self._runtime.store.read(self._hold.tenant, after=position - 1, until=position)
        events = [stored async for stored in found]
        return await self._post(events[0]) if events else Answer()

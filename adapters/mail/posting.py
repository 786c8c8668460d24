"""Posting: what the log has to say by letter is sent, beside what else reads the log.

The reader of a log lets letters be sent and goes on when they were; it waits for no mail server.
Of several processes one sends a letter: whoever has its lease in Redis, where it also stands for a
day that it was sent. Killed in between, another sends it again, under the same id.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Final, TypeAlias, get_args

import structlog

from adapters.mail.composing import Composer, LetterEvent, OfSystem, OfTenant
from adapters.postgres.connections import Connection
from adapters.postgres.projecting.folding import Folded
from adapters.postgres.projecting.news import Item, read_items
from adapters.postgres.projecting.reactions import BURY
from adapters.postgres.projecting.taking import take
from adapters.redis.connections import reached
from adapters.runtime import Runtime
from application.errors import ApplicationError, Unavailable
from application.mail import Mailer
from application.reactions import DeadLetter
from domain.ids import TenantId
from domain.kernel import Refused

LETTERS: Final = "mail.letters"
READER: Final = f"reaction:{LETTERS}"
"""The name of the cursors. Like a reaction, it goes past what is in a log that was restored."""

BATCH: Final = 50
AT_ONCE_MAX: Final = 4
LEASE_SECONDS: Final = 90
RENEW_SECONDS: Final = 30.0
SENT_SECONDS: Final = 86_400
SENT: Final = b"sent"
LOOK_AGAIN_SECONDS: Final = 5.0
"""How soon to ask again where another process has the lease, or Redis is away."""

Place: TypeAlias = tuple[TenantId, int]
log = structlog.get_logger()


class Post:
    """Sends the letters that readers bring, some at a time, and knows what became of each."""

    def __init__(self, runtime: Runtime, mailer: Mailer) -> None:
        pauses = runtime.settings.mail_retry_seconds.split(",")
        self._redis = runtime.redis
        self._mailer = mailer
        self._composer = Composer(runtime)
        self._pauses = tuple(map(float, pauses))
        self._room = asyncio.Semaphore(AT_ONCE_MAX)
        self._mine = token_hex(8).encode()
        self._working: dict[Place, asyncio.Task[None]] = {}
        self._ended: dict[Place, DeadLetter | None] = {}
        self.awake: Callable[[TenantId], None] = lambda _tenant: None
        """Told of whose letters were sent, so that their reader goes on."""

    def has_ended(self, place: Place) -> bool:
        return place in self._ended

    def end_of(self, place: Place) -> DeadLetter | None:
        """Say why a letter was never sent; None: it was, or none was needed."""
        return self._ended[place]

    def begin(self, place: Place, event: LetterEvent) -> None:
        """See that a letter is sent. Begun already, nothing happens."""
        if place not in self._working and place not in self._ended:
            self._working[place] = asyncio.create_task(self._see_to(place, event))

    def forget(self, tenant: TenantId, until: int) -> None:
        """Forget what became of letters up to a position: their reader went past them."""
        for place in [each for each in self._ended if each[0] == tenant and each[1] <= until]:
            del self._ended[place]

    async def settle(self) -> None:
        """Wait until what was begun has ended."""
        while self._working:
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def stop(self) -> None:
        """Break off what is under way; it is begun again elsewhere."""
        for task in self._working.values():
            task.cancel()
        await asyncio.gather(*self._working.values(), return_exceptions=True)
        self._working.clear()

    async def _see_to(self, place: Place, event: LetterEvent) -> None:
        leased = False
        try:
            with structlog.contextvars.bound_contextvars(tenant=place[0], position=place[1]):
                leased = await self._has_lease(place)
                if not leased:
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
                elif place not in self._ended:
                    self._ended[place] = await self._try(place, event)
        except Unavailable as error:  # Redis: whether it was sent, and by whom, is not known.
            log.warning("letter.waiting", reason=error.message)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        except Exception:
            log.exception("letter.waiting")
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        except asyncio.CancelledError:
            if leased:  # Another need not wait until it runs out.
                with suppress(Unavailable), reached():
                    await self._redis.delete(_key(place))
            raise
        finally:
            self._working.pop(place, None)
            self.awake(place[0])

    async def _try(self, place: Place, event: LetterEvent) -> DeadLetter | None:
        """Try to send until it is known what becomes of a letter."""
        for pause in (*self._pauses, None):
            try:
                await self._send(place, event)
            except Unavailable as error:
                log.warning("letter.not_sent", code=error.code, reason=error.message)
                if pause is None:
                    return _dead(place, error)
                await self._wait(place, pause)
            except Refused as error:
                log.warning("letter.refused", code=error.code, reason=error.message)
                return _dead(place, error)
            except Exception as error:
                log.exception("letter.crashed")
                return _dead(place, _crash(error))
            else:
                break
        with suppress(Unavailable), reached():  # Here it is known in any case.
            await self._redis.set(_key(place), SENT, ex=SENT_SECONDS)
        return None

    async def _send(self, place: Place, event: LetterEvent) -> None:
        async with self._room:
            letter = await self._composer.compose(*place, event)
            if letter is None:
                log.info("letter.not_needed", about=type(event).__name__)
                return
            await self._mailer.send(letter)
            log.info("letter.sent", about=type(event).__name__, letter=letter.id)

    async def _has_lease(self, place: Place) -> bool:
        """Take the lease of a letter, unless it was sent or another has it."""
        key = _key(place)
        with reached():
            if await self._redis.set(key, self._mine, nx=True, ex=LEASE_SECONDS):
                return True
            held = await self._redis.get(key)
        if held == SENT:
            self._ended[place] = None
        return held in {SENT, self._mine}

    async def _wait(self, place: Place, seconds: float) -> None:
        """Wait before the next try, and keep the lease."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (rest := until - loop.time()) > 0:
            await asyncio.sleep(min(rest, RENEW_SECONDS))
            with reached():
                await self._redis.set(_key(place), self._mine, ex=LEASE_SECONDS)


class LetterReader:
    """A reader of logs that hands letters over, and goes past those that have ended."""

    name = READER

    def __init__(self, post: Post, runtime: Runtime, events: Sequence[type]) -> None:
        self.types: tuple[str, ...] = tuple(event.__name__ for event in events)
        self._post = post
        self._vault = runtime.vault

    async def __call__(
        self, connection: Connection, tenant: TenantId, after: int, head: int
    ) -> Folded:
        self._post.forget(tenant, after)
        taken = await take(connection, tenant, self.types, after=after, head=head, most=BATCH)
        items = await read_items([each[:3] for each in taken.records], tenant, self._vault)
        for item in items:
            if item.event is not None:
                assert isinstance(item.event, LetterEvent), "It is asked for by type."
                self._post.begin((tenant, item.position), item.event)
        for done, item in enumerate(items):
            if item.failure is not None:
                position = item.position - 1
                return Folded(position=position, events=done, failure=item.failure)
            if not self._post.has_ended((tenant, item.position)):
                return Folded(position=max(after, item.position - 1), events=done)
            await self._bury(connection, tenant, item)
        return Folded(position=taken.reached, events=len(items))

    async def _bury(self, connection: Connection, tenant: TenantId, item: Item) -> None:
        """Keep what was never sent where operators look for it."""
        letter = self._post.end_of((tenant, item.position))
        if letter is not None:
            row = (tenant, LETTERS, letter.position, letter.code, letter.message)
            await connection.execute(BURY, row)


def letter_readers(post: Post, runtime: Runtime) -> tuple[LetterReader, LetterReader]:
    """Make the readers of the logs of tenants, and of the reserved tenant's."""
    return (
        LetterReader(post, runtime, get_args(OfTenant)),
        LetterReader(post, runtime, get_args(OfSystem)),
    )


def _key(place: Place) -> str:
    return f"asiento:letter:{place[0]}:{place[1]}"


def _dead(place: Place, error: Refused | ApplicationError) -> DeadLetter:
    return DeadLetter(position=place[1], code=error.code, message=error.message)


def _crash(error: Exception) -> Refused:
    return Refused(
        "mail.crashed",
        f"The letter met an error of ours ({type(error).__name__}).",
        hint="It is in the log of this instance.",
    )

"""Our store behind a synchronous door: an event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

from eventsourcing.persistence import ProgrammingError

from adapters.dcb.errors import as_the_library_says
from adapters.postgres.connections import make_pool
from adapters.postgres.store.event_store import PostgresEventStore
from domain.ids import TenantId

POOL_SIZE_MAX: Final = 4
LOOK_SECONDS: Final = 0.5
"""How often listeners are told to look, as other processes append unheard."""

T = TypeVar("T")


class BackgroundStore:
    """Runs a store of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._listeners: set[threading.Event] = set()
        self._running: set[Future[Any]] = set()  # Any: of work of every kind.
        self._closing = threading.Lock()
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event = asyncio.Event()
        self._opened: Future[PostgresEventStore] = Future()
        self._thread = threading.Thread(target=self._serve, name="dcb-store", daemon=True)

    def start(self) -> None:
        """Start the thread and its store."""
        self._thread.start()
        self.store = self._opened.result()

    def close(self) -> None:
        """Finish what is running, append what was taken, then disconnect."""
        with self._closing:
            self._is_closed = True
        if self._thread.is_alive():
            wait(tuple(self._running))
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:  # Any: what a coroutine never uses.
        """Wait for *work* on the store.

        Raises:
            IntegrityError: The boundary is not what it was.
            OperationalError: PostgreSQL is away, the store is busy, or the log is closed.
            ProgrammingError: It is closed.

        """
        with self._closing:
            if self._is_closed:
                work.close()
                raise ProgrammingError("The recorder is closed.")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._running.add(future)
        future.add_done_callback(self._running.discard)
        with as_the_library_says():
            return future.result()

    def listen(self, listener: threading.Event) -> None:
        """Set *listener* whenever the log may have grown."""
        self._listeners.add(listener)

    def unlisten(self, listener: threading.Event) -> None:
        self._listeners.discard(listener)

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live())
        except BaseException as error:  # noqa: BLE001 - who opens it raises it.
            if not self._opened.done():
                self._opened.set_exception(error)

    async def _live(self) -> None:
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(make_pool(self._url, size_max=POOL_SIZE_MAX))
            store = PostgresEventStore(pool, self._url, self._heard)
            self._opened.set_result(await stack.enter_async_context(store))
            while not self._stop.is_set():
                self._tell()
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._stop.wait()
                except TimeoutError:
                    continue

    async def _heard(self, _heads: dict[TenantId, int]) -> None:
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener.set()

"""A writer process: takes asks line by line, appends them all at once, answers each as it ends.

It ends with its standard input, so it never outlives the harness.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine
from datetime import date
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec
from psycopg import Error

from adapters.logging import configure_logging
from adapters.postgres.connections import make_pool
from adapters.postgres.store.event_store import PostgresEventStore
from adapters.settings import Settings
from application.bus import Bus
from application.errors import ApplicationError
from application.kernel import EVERYTHING, Context
from application.ports import Append, AppendConflict, KeyedResult, KeyRepeated, NewEvent, QueryItem
from domain.ids import TenantId
from domain.invoicing import DraftInvoice, InvoiceId, IssueInvoice, Line, SeriesCode
from domain.kernel import Refused
from tests.faults.asks import UNKNOWN, Answer, Ask, Said

SERIES: Final = SeriesCode("A")
LINES: Final = (Line(description="Bolt", quantity=Decimal(1), unit_price=Decimal(2)),)
POOL_SIZE_MAX: Final = 4
LOOK_SECONDS: Final = 0.5
LINE_BYTES_MAX: Final = 1 << 20
FILE_LIMIT: Final = "File too large"
"""What PostgreSQL says of the limit that stands for a full disk here, and of no real one."""

Told: TypeAlias = tuple[Said, int | None, str]
"""What is said of an attempt, its base, and why."""


class Writer:
    """Appends to a store, and through a bus on it."""

    def __init__(self, store: PostgresEventStore) -> None:
        self._store = store
        self._bus = Bus(store)

    async def answer(self, ask: Ask) -> Answer:
        """Try once and tell what came of it."""
        work = self._issue(ask) if ask.kind == "issue" else self._append(ask)
        said, base, why = await self._tried(work, ask)
        return Answer(number=ask.number, said=said, base=base, why=why)

    async def _tried(self, work: Coroutine[None, None, int], ask: Ask) -> Told:
        try:
            async with asyncio.timeout(ask.patience_seconds):
                told: Told = "done", await work, ""
        except TimeoutError:
            told = "gave_up", None, ""
        except AppendConflict:
            told = "conflict", None, ""
        except KeyRepeated:
            told = await self._first(ask)
        except Refused as refusal:
            told = "refused", None, refusal.code
        except ApplicationError as error:
            told = "gave_up" if error.code == UNKNOWN else "failed", None, error.code
        except (Error, OSError) as error:  # A caller should not have to know these.
            ours = FILE_LIMIT in str(error)
            told = "failed", None, FILE_LIMIT if ours else f"unnamed {type(error).__name__}"
        return told

    async def _append(self, ask: Ask) -> int:
        return await self._store.append(ask.tenant, append_of(ask))

    async def _issue(self, ask: Ask) -> int:
        invoice, context = InvoiceId(ask.name), _context(ask.tenant)
        draft = DraftInvoice(invoice=invoice, lines=LINES)
        await self._bus.execute(draft, context, key=f"{ask.key}-draft" if ask.keyed else None)
        issue = IssueInvoice(invoice=invoice, series=SERIES, issued_on=date(2026, 5, 1))
        outcome = await self._bus.execute(issue, context, key=ask.key if ask.keyed else None)
        return outcome.position - 1

    async def _first(self, ask: Ask) -> Told:
        """Look up the result that the key has."""
        try:
            look = await self._store.look(ask.tenant, (), [ask.key])
        except ApplicationError as error:
            return "gave_up", None, error.code
        (known,) = look.results
        return "repeated", known.base, known.result


def append_of(ask: Ask) -> Append:
    """Make the same append of the same ask, each time."""
    tags = (f"claim:{ask.name}",) if ask.kind == "claim" else (f"thing:{ask.number % 7}",)
    events = tuple(
        NewEvent(
            type="Claimed" if ask.kind == "claim" else "Noted",
            tags=tags,
            data=msgspec.json.encode({"ask": ask.number, "n": n, "x": _filler(ask)}).decode(),
            actor="system",
            correlation_id="",
            causation_id="",
        )
        for n in range(ask.events)
    )
    boundary = (QueryItem(types=("Claimed",), tags=tags),) if ask.kind == "claim" else ()
    kept = KeyedResult(key=ask.key, fingerprint=ask.name, result=str(ask.number))
    return Append(events=events, boundary=boundary, keys=(kept,) if ask.keyed else ())


def _filler(ask: Ask) -> str:
    """Fill with what PostgreSQL can't compress, so that large events take their space."""
    return os.urandom(ask.size_bytes // 2).hex()


def _context(tenant: TenantId) -> Context:
    return Context(
        tenant=tenant,
        actor="user:ana",
        permissions=frozenset({EVERYTHING}),
        correlation_id="",
    )


async def _announce(_heads: dict[TenantId, int]) -> None:
    """Nobody listens."""


async def main(url: str) -> None:
    """Serve until the input ends; what was taken is appended and answered."""
    decode, encode = msgspec.json.Decoder(Ask).decode, msgspec.json.Encoder().encode
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks: set[asyncio.Task[None]] = set()
    parent = os.getppid()
    pool = make_pool(url, size_max=POOL_SIZE_MAX)
    async with pool, PostgresEventStore(pool, url, _announce) as store:
        writer = Writer(store)

        async def serve(ask: Ask) -> None:
            os.write(sys.stdout.fileno(), encode(await writer.answer(ask)) + b"\n")

        while line := await reader.readline():
            task = asyncio.create_task(serve(decode(line)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await _finish(tasks, parent)


async def _finish(tasks: set[asyncio.Task[None]], parent: int) -> None:
    """Answer what was asked, unless the harness was killed, when nobody listens any more."""
    while tasks and os.getppid() == parent:
        await asyncio.wait(tasks, timeout=LOOK_SECONDS)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    configure_logging(Settings(), "writer")
    asyncio.run(main(os.environ["DATABASE_URL"]))

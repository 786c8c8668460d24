"""Thousands of appends under faults that a seed chooses, judged against what callers were told."""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, LiteralString

from msgspec import Struct

from adapters.audit.log import verify
from domain.ids import TenantId
from tests.faults.faults import FAULTS, Fault, Scene, make_good
from tests.faults.model import Entry, Finding
from tests.faults.proxy import Point, Proxy
from tests.faults.server import Server, server
from tests.faults.writers import TENANTS, Asking, Writers, seeded

WRITERS: Final = 2
PAUSE_SECONDS_MIN: Final = 0.02
PAUSE_SECONDS_MAX: Final = 0.4
DRAIN_SECONDS_MAX: Final = 60.0
LOG: LiteralString = "SELECT position, type, data FROM event WHERE tenant_id = %s ORDER BY position"


class Report(Struct, frozen=True, kw_only=True):
    """What a run came to."""

    seed: str
    seconds: float
    asks: int
    attempts: Counter[str]
    reasons: Counter[str]
    faults: Counter[str]
    broken: dict[Point, int]
    writers_killed: int
    events: int
    findings: list[Finding]

    def lines(self) -> list[str]:
        """Tell it to people."""
        return [
            f"seed {self.seed}: {self.asks} asks in {self.seconds:.0f} s, {self.events} events",
            f"attempts: {_counts(self.attempts)}",
            f"reasons: {_counts(self.reasons)}",
            f"faults: {_counts(self.faults)}; {self.writers_killed} writers killed",
            f"connections broken: {_counts({p.value: n for p, n in self.broken.items()})}",
            f"findings: {_counts(Counter(each.kind for each in self.findings)) or 'none'}",
            *(f"  {each.kind}: {each.text}" for each in self.findings[:40]),
        ]


async def run(
    folder: Path,
    seed: str,
    *,
    asks_max: int,
    seconds_max: float,
    faults: Mapping[Fault, int] = FAULTS,
) -> Report:
    """Append until *asks_max* or *seconds_max* is reached, then make all good and judge."""
    began = time.monotonic()
    with server(folder) as hurt:
        async with Proxy(hurt.port) as proxy:
            asking = Asking(seed)
            url = hurt.through(proxy.port)
            writers = Writers(asking, url, folder.with_suffix(".log"), WRITERS)
            scene = Scene(hurt, proxy, writers, seeded(f"{seed} faults"))
            happened: Counter[str] = Counter()
            asyncio.get_running_loop().call_later(seconds_max, writers.stop)
            findings = await _within(
                seconds_max + DRAIN_SECONDS_MAX, _break_and_ask(scene, faults, happened, asks_max)
            )
            await make_good(scene)
            findings += await _within(DRAIN_SECONDS_MAX, writers.settle())
            logs = _logs(hurt)
            findings += [*asking.book.judge(logs), *_unverified(hurt)]
    attempts = [answer for each in asking.book.attempts.values() for answer in each]
    return Report(
        seed=seed,
        seconds=time.monotonic() - began,
        asks=len(asking.book.asks),
        attempts=Counter(answer.said for answer in attempts),
        reasons=Counter(a.why for a in attempts if a.why and a.said != "repeated"),
        faults=happened,
        broken=proxy.broken,
        writers_killed=writers.killed,
        events=sum(len(log) for log in logs.values()),
        findings=findings,
    )


async def _break_and_ask(
    scene: Scene, faults: Mapping[Fault, int], happened: Counter[str], asks_max: int
) -> None:
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_break(scene, faults, happened, over))
        await scene.writers.run(asks_max)
        over.set()


async def _break(
    scene: Scene, faults: Mapping[Fault, int], happened: Counter[str], over: asyncio.Event
) -> None:
    """Do one fault after the other, with a pause in which some appends may succeed."""
    while not over.is_set():
        await asyncio.sleep(scene.random.uniform(PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX))
        (fault,) = scene.random.choices(list(faults), list(faults.values()))
        await fault(scene)
        happened[fault.__name__.replace("_", " ")] += 1


async def _within(seconds: float, work: Coroutine[None, None, None]) -> list[Finding]:
    """Tell of work that does not end, instead of waiting for it."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return [Finding(kind="hung", text="An append was never answered.")]
    return []


def _logs(hurt: Server) -> dict[TenantId, Sequence[Entry]]:
    return {tenant: [Entry(*row) for row in hurt.ask(LOG, tenant)] for tenant in TENANTS}


def _unverified(hurt: Server) -> Iterator[Finding]:
    for tenant in TENANTS:
        verified = verify(hurt.url, tenant)
        if not verified.ok:
            yield Finding(kind="chain", text=f"{tenant}: {verified.reason}")


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counted.items(), key=lambda x: -x[1]))

"""Subscribers that are cut off while the API and Redis die: nothing is lost, nothing told twice.

``python -m tests.soak.subscribers --clients 1000 --seconds 120``. Exit 1 where a promise broke.
"""

import argparse
import asyncio
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from adapters.logging import configure_logging
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.codec import encode
from application.kernel import new_id
from application.ports import Append
from domain.ids import JobId
from domain.jobs import JobEvent, JobProgressed, JobQueued, JobSucceeded
from tests.faults.writers import seeded
from tests.graphql.client import audited
from tests.rest.api import Tenant, await_answer, free_port, make_tenant, projecting, start
from tests.soak.listeners import Asked, Heard, Listener
from tests.soak.servers import Servers, servers

JOBS: Final = 20
WRITE_SECONDS: Final = 0.15
SETTLE_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 10.0
FIRST: Final = 50
"""Clients that connect at the same moment."""

EVENTS: Final = "subscription E($after: Position) { events(after: $after) { position type data } }"
PROGRESS: Final = """
subscription P($job: ID!, $after: String) {
  jobProgress(job: $job, after: $after) { cursor status done message }
}
"""
CHANGED: Final = """
subscription C($after: Position) {
  changed(model: JOBS, after: $after) { ids gone position more }
}
"""


class Report(Struct, frozen=True, kw_only=True):
    """What a run came to."""

    clients: int
    events: int
    messages: int
    passing: int
    cuts: int
    codes: Counter[int]
    faults: Counter[str]
    findings: list[str]

    def lines(self) -> list[str]:
        """Tell it to people."""
        return [
            f"{self.clients} clients were told {self.messages} messages of {self.events} events",
            f"and {self.passing} in passing; they were cut off {self.cuts} times",
            f"closed with {dict(self.codes)}; faults {dict(self.faults)}",
            f"findings: {len(self.findings)}",
            *self.findings[:40],
        ]


class Api:
    """An API process that is killed or stopped, and started again."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        self._process = start(self._settings, self._log)
        await_answer(self._settings, self._process, self._log)

    def end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(STOP_SECONDS_MAX)


class Writer:
    """Has jobs go on, some of them to their end, and knows what every client is to be told."""

    def __init__(self, runtime: Runtime, tenant: Tenant, random: Random) -> None:
        self.jobs = [JobId(new_id(runtime.clock.now())) for _ in range(JOBS)]
        self.told: dict[JobId, list[int]] = {job: [] for job in self.jobs}
        self.positions: list[int] = []
        self._runtime = runtime
        self._tenant = tenant.id
        self._random = random
        self._done: Counter[JobId] = Counter()

    async def queue(self) -> None:
        for job in self.jobs:
            await self._append(job, JobQueued(job=job, kind="tests.work", subject="s"))

    async def go_on(self, until: float) -> None:
        while time.monotonic() < until:
            job = self._random.choice(self.jobs)
            self._done[job] += 10
            done = self._done[job]
            await self._runtime.hub.tick(
                self._tenant, job, done=done - 5, total=None, message="passing"
            )
            await self._append(job, JobProgressed(job=job, done=done, total=None, message=""))
            await asyncio.sleep(self._random.uniform(0, 2 * WRITE_SECONDS))

    async def end(self) -> None:
        for job in self.jobs:
            await self._append(job, JobSucceeded(job=job, done=self._done[job], message=""))

    async def _append(self, job: JobId, event: JobEvent) -> None:
        written = encode(event, actor="system", correlation_id="soak", causation_id="")
        base = await self._runtime.store.append(self._tenant, Append(events=(written,)))
        self.positions.append(base + 1)
        self.told[job].append(base + 1)


async def run(folder: Path, *, clients: int, seconds: float, seed: str, cut: float) -> Report:
    """Listen and break for so many seconds, make all good, and judge."""
    faults: Counter[str] = Counter()
    with servers(folder / "instance") as hurt:
        settings = replace(hurt.settings, port=free_port(), log_level="warning")
        configure_logging(settings, "soak")
        api = Api(settings, folder / "api.log")
        try:
            async with projecting(settings) as runtime:
                tenant = await make_tenant(runtime, audited())
                writer = Writer(runtime, tenant, seeded(f"{seed} writer"))
                await writer.queue()
                await asyncio.to_thread(api.begin)
                url = f"ws://127.0.0.1:{settings.port}/graphql"
                listeners = [
                    Listener(
                        url, tenant.key, _asked(number, writer), seeded(f"{seed} {number}"), cut
                    )
                    for number in range(clients)
                ]
                async with _listening(listeners):
                    breaking = asyncio.create_task(_break(hurt, api, seed, faults))
                    await writer.go_on(time.monotonic() + seconds)
                    breaking.cancel()
                    with suppress(asyncio.CancelledError):
                        await breaking
                    await writer.end()
                    await _settle(listeners, writer)
        finally:
            api.end(signal.SIGKILL)
    return _report([each.heard for each in listeners], writer, faults)


def _asked(number: int, writer: Writer) -> Asked:
    """Choose what a client follows: half of them a job each, the others a whole log."""
    if number % 2:
        variables: dict[str, object] = {"job": writer.jobs[number // 2 % JOBS]}
        return Asked(field="jobProgress", cursor="cursor", query=PROGRESS, variables=variables)
    if number % 4:
        return Asked(field="changed", cursor="position", query=CHANGED, start="0")
    return Asked(field="events", cursor="position", query=EVENTS)


@asynccontextmanager
async def _listening(listeners: list[Listener]) -> AsyncIterator[None]:
    tasks = []
    try:
        for first in range(0, len(listeners), FIRST):
            some = listeners[first : first + FIRST]
            tasks += [asyncio.create_task(each.listen()) for each in some]
            await asyncio.sleep(0.1)
        yield
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _break(hurt: Servers, api: Api, seed: str, faults: Counter[str]) -> None:
    random = seeded(f"{seed} faults")
    while True:
        await asyncio.sleep(random.uniform(2, 6))
        fault = random.choice(("API killed", "API stopped", "Redis killed"))
        faults[fault] += 1
        await asyncio.shield(asyncio.to_thread(_hurt, hurt, api, fault))


def _hurt(hurt: Servers, api: Api, fault: str) -> None:
    if fault == "Redis killed":
        hurt.kill_valkey()
        return
    api.end(signal.SIGKILL if fault == "API killed" else signal.SIGTERM)
    api.begin()


async def _settle(listeners: list[Listener], writer: Writer) -> None:
    """Break nothing any more, and wait until everybody was told all, or as long as may be."""
    until = time.monotonic() + SETTLE_SECONDS_MAX
    for each in listeners:
        each.calm.set()
    while time.monotonic() < until:
        if all(_has_all(each.heard, writer) for each in listeners):
            return
        await asyncio.sleep(0.2)


def _has_all(heard: Heard, writer: Writer) -> bool:
    if heard.asked.field == "jobProgress":
        return heard.ended
    return heard.position >= writer.positions[-1]


def _report(heard: list[Heard], writer: Writer, faults: Counter[str]) -> Report:
    return Report(
        clients=len(heard),
        events=len(writer.positions),
        messages=sum(len(each.messages) for each in heard),
        passing=sum(each.passing for each in heard),
        cuts=sum(each.cuts for each in heard),
        codes=Counter(code for each in heard for code in each.codes),
        faults=faults,
        findings=[
            finding for each in heard for finding in judge(each, writer.positions, writer.told)
        ],
    )


def judge(heard: Heard, positions: list[int], jobs: dict[JobId, list[int]]) -> list[str]:
    """Compare what a client was told with the positions of what happened, in all and by job."""
    told = [int(each[heard.asked.cursor]) for each in heard.messages]
    found = [f"{heard.asked.field}: {each}" for each in heard.errors]
    if heard.asked.field == "changed":
        last: dict[str, int] = {}
        for place, each in zip(told, heard.messages, strict=True):
            last |= dict.fromkeys(each["ids"], place)
        missed = [job for job, places in jobs.items() if last.get(job, 0) < places[-1]]
        if missed or told != sorted(set(told)):
            found.append(f"changed: {missed} were not told, or not in order: {told[-9:]}")
        return found
    expected = positions
    if heard.asked.field == "jobProgress":
        expected = jobs[JobId(str(heard.asked.variables["job"]))]
    if told != expected:
        twice = [place for place, times in Counter(told).items() if times > 1]
        lost = sorted({*expected} - {*told})
        found.append(f"{heard.asked.field}: twice {twice[:9]}, lost {lost[:9]}, or out of order")
    return found


def main() -> int:
    """Run once, and say the seed first."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.subscribers", description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--cut", type=float, default=20, help="seconds between two cuts of one")
    parser.add_argument("--seed", default=secrets.token_hex(4))
    given = parser.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="asiento-") as folder:
        soak = run(
            Path(folder),
            clients=given.clients,
            seconds=given.seconds,
            seed=given.seed,
            cut=given.cut,
        )
        report = asyncio.run(soak)
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())

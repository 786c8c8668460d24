"""Projectors under faults that a seed chooses; at the end every row is judged by its events."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

from msgspec import Struct

from adapters.logging import configure_logging
from adapters.runtime import Runtime, open_runtime
from adapters.worker.readers import begin_readers
from application.errors import Unavailable
from projections.kernel import read_models
from tests.faults.model import Finding
from tests.faults.writers import seeded
from tests.soak.faults import FAULTS, Fault, Scene
from tests.soak.hooks import Hooks, hooks
from tests.soak.judging import Behind, behind, heads, judge
from tests.soak.processes import DONE, KILLED, Processes, Projectors, Rebuilds
from tests.soak.reactions import NoteLeftFile
from tests.soak.servers import servers
from tests.soak.stories import STORIES, an_endpoint_is_registered
from tests.soak.writing import CLIENTS, Writer

PROJECTORS: Final = 3
PAUSE_SECONDS_MAX: Final = 1.5
SETTLE_SECONDS_MAX: Final = 90.0
LOOK_SECONDS: Final = 0.2
EXPECTED_ENDS: Final = {
    DONE,
    KILLED,
    "database.unavailable",
    "projections.rebuilding",  # By one that was killed, and holds on a while.
    "projections.table_in_use",
}
"""How a rebuild may end while things break."""

AT_REST: Final = 5
"""Looks in a row that find the same: between two a projector may still have been at work."""


class Report(Struct, frozen=True, kw_only=True):
    """What a run came to."""

    seed: str
    seconds: float
    events: int
    told: Counter[str]
    said: Counter[str]
    faults: Counter[str]
    rebuilds: Counter[str]
    projectors: int
    messages: int
    findings: list[Finding]

    def lines(self) -> list[str]:
        """Tell it to people."""
        return [
            f"seed {self.seed}: {self.events} events in {self.seconds:.0f} s",
            f"stories: {_counts(self.told)}",
            f"commands: {_counts(self.said)}",
            f"faults: {_counts(self.faults)}; {self.projectors} projectors were started",
            f"messages: {self.messages} were taken",
            f"rebuilds: {_counts(self.rebuilds) or 'none'}",
            f"findings: {_counts(Counter(each.kind for each in self.findings)) or 'none'}",
            *(f"  {each.kind}: {each.text}" for each in self.findings[:40]),
        ]


async def run(
    folder: Path,
    seed: str,
    *,
    seconds: float,
    planted: str = "",
    faults: Mapping[Fault, int] = FAULTS,
) -> Report:
    """Write and break for so many seconds, make all good, and judge."""
    began = time.monotonic()
    happened: Counter[str] = Counter()
    with servers(folder / "instance") as hurt:
        configure_logging(hurt.settings, "soak")
        processes = Processes(hurt.settings, folder)
        projectors, rebuilds = Projectors(processes, PROJECTORS, planted), Rebuilds(processes)
        scene = Scene(hurt, projectors, rebuilds, seeded(f"{seed} faults"))
        try:
            async with (
                open_runtime(hurt.settings) as runtime,
                hooks(seeded(f"{seed} hooks")) as outside,
            ):
                writer = Writer(runtime, seeded(f"{seed} writes"), outside)
                work = _for(seconds, _write(writer), _break(scene, faults, happened))
                findings = await _soaked(runtime, scene, writer, work)
                events = sum((await heads(runtime)).values())
        finally:
            processes.end()
    return Report(
        seed=seed,
        seconds=time.monotonic() - began,
        events=events,
        told=writer.told,
        said=writer.said,
        faults=happened,
        rebuilds=rebuilds.ended,
        projectors=projectors.started,
        messages=outside.count,
        findings=findings,
    )


async def _soaked(
    runtime: Runtime, scene: Scene, writer: Writer, work: Coroutine[None, None, None]
) -> list[Finding]:
    """Do the *work* before projectors, and judge what came of it."""
    await writer.open_books()
    # It begins at the heads, and here they are where nothing was written yet.
    await begin_readers(runtime, [NoteLeftFile])
    async with scene.projectors.kept():
        await work
        return await _judged(runtime, scene, writer.hooks)


async def _for(seconds: float, *work: Coroutine[None, None, None]) -> None:
    """Go on with all of *work* for so many seconds. What breaks in it breaks the run."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)


async def _write(writer: Writer) -> None:
    """Tell stories, some at a time. One endpoint is there from the start, or none may ever be."""
    await an_endpoint_is_registered(writer, writer.tenants[0])

    async def client(chance: Random) -> None:
        while True:
            (story,) = chance.choices(list(STORIES), list(STORIES.values()))
            with suppress(Unavailable):  # What a story looks up by itself may be away as well.
                await story(writer, chance.choice(writer.tenants))
                writer.told[story.__name__.replace("_", " ")] += 1
            await writer.rest()

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client(writer.random))


async def _break(scene: Scene, faults: Mapping[Fault, int], happened: Counter[str]) -> None:
    """Do one fault after the other, with a pause in which some work may succeed."""
    while faults:
        await asyncio.sleep(scene.random.uniform(0, PAUSE_SECONDS_MAX))
        (fault,) = scene.random.choices(list(faults), list(faults.values()))
        await fault(scene)
        happened[fault.__name__.replace("_", " ")] += 1


async def _judged(runtime: Runtime, scene: Scene, outside: Hooks) -> list[Finding]:
    """Let all come to rest, and tell whatever is not as it is to be."""
    projectors, rebuilds = scene.projectors, scene.rebuilds
    findings = await _settled(runtime, rebuilds)
    findings += await judge(runtime, outside)
    findings += [Finding(kind="ended", text=each) for each in projectors.ended]
    findings += [
        Finding(kind="not rebuilt", text=f"A rebuild ended with {each}.")
        for each in rebuilds.ended.keys() - EXPECTED_ENDS
    ]
    return findings or await _rebuilt(runtime, scene, outside)


async def _settled(runtime: Runtime, rebuilds: Rebuilds) -> list[Finding]:
    """Wait until nobody is behind; tell who still is when the time is up, or nobody can go on."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    looks: deque[list[Behind] | None] = deque([None] * AT_REST, maxlen=AT_REST)
    with suppress(TimeoutError):
        await asyncio.wait_for(rebuilds.settle(), SETTLE_SECONDS_MAX)
    while time.monotonic() < deadline and not _at_rest(looks):
        try:
            looks.append(await behind(runtime))
        except Unavailable:  # PostgreSQL may be recovering from the last crash.
            looks.append(None)
        await asyncio.sleep(LOOK_SECONDS)
    return [Finding(kind="behind", text=each.told) for each in looks[-1] or []]


def _at_rest(looks: Sequence[list[Behind] | None]) -> bool:
    """Tell whether nothing has changed for some looks, and whoever is behind says why."""
    first = looks[0]
    if first is None or any(each != first for each in looks):
        return False
    return all(each.error is not None for each in first)


async def _rebuilt(runtime: Runtime, scene: Scene, outside: Hooks) -> list[Finding]:
    """Rebuild once more with nothing in its way, which has to succeed; and judge the new rows."""
    rebuilds, name = scene.rebuilds, scene.random.choice(list(read_models()))
    done = rebuilds.ended[DONE]
    rebuilds.begin(name)
    await rebuilds.settle()
    if rebuilds.ended[DONE] == done:
        return [Finding(kind="not rebuilt", text=f"{name}: {rebuilds.last_words()}")]
    return [*await _settled(runtime, rebuilds), *await judge(runtime, outside)]


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counted.items(), key=lambda x: -x[1]))

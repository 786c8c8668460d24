"""The processes that fold, side by side: started, watched, and ended with whoever started them."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess
from typing import Final

from adapters.postgres.projecting.building.task import Task
from adapters.postgres.projecting.building.worker import Stopped, work
from application.errors import Conflict, Unavailable

LOOK_SECONDS: Final = 0.2
END_SECONDS: Final = 5.0


async def fold_all(task: Task, jobs: int, look: Callable[[], Awaitable[None]]) -> None:
    """Fold all parts by so many processes; 0: here, where it is too little for a process.

    Raises:
        Conflict: A part can't be folded.
        Unavailable: A process was lost, or PostgreSQL or a key is away.

    """
    if jobs == 0:
        _check(await asyncio.to_thread(work, task))
        return
    spawning = get_context("spawn")
    crew: list[tuple[SpawnProcess, Pipe]] = []
    try:
        for _ in range(jobs):
            here, there = spawning.Pipe(duplex=False)
            process = spawning.Process(target=_member, args=(task, there), daemon=True)
            process.start()
            there.close()
            crew.append((process, here))
        while any(process.is_alive() for process, _ in crew):
            for process, pipe in crew:
                _check(_said(process, pipe))
            await look()
            await asyncio.sleep(LOOK_SECONDS)
        for process, pipe in crew:
            _check(_said(process, pipe))
    finally:
        await asyncio.to_thread(_end, [process for process, _ in crew])


def _member(task: Task, told: Pipe) -> None:
    # Ctrl-C is for whoever started us, who then ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told.send(work(task))


def _said(process: SpawnProcess, pipe: Pipe) -> Stopped | None:
    """Take what a process said at its end, if it has ended."""
    with suppress(EOFError):
        if pipe.poll():
            stopped: Stopped | None = pipe.recv()
            return stopped
    if process.exitcode:
        return Stopped(
            code="projections.worker_lost",
            message=f"A process of the rebuild ended with {process.exitcode}.",
            hint="The old rows still serve. Run the same again, and it goes on where it was.",
        )
    return None


def _check(stopped: Stopped | None) -> None:
    if stopped is not None:
        kind = Conflict if stopped.code == "projections.failed" else Unavailable
        raise kind(stopped.code, stopped.message, hint=stopped.hint)


def _end(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(END_SECONDS)
        process.kill()
        process.join()

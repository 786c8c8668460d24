"""A reaction of the tests', in processes of its own that may be killed anywhere.

``python -m tests.projecting.reacting`` reacts until it is ended. Told to die (``DIE_AFTER=3``), it
is gone, as by ``kill -9``, once the third command is run and before its cursor moves.
"""

import asyncio
import os
import signal
from typing import Any, Final

from adapters.postgres.projecting.projector import Projector
from adapters.postgres.projecting.reactions import Reacting
from adapters.runtime import Runtime, open_runtime
from adapters.settings import load_settings
from adapters.worker.readers import begin_readers
from application.reactions import Reaction
from domain.ids import JobId
from domain.invoicing import InvoiceId, InvoiceRecorded, IssueInvoice, SeriesCode
from domain.jobs import CancelJob, ReportWaiting
from domain.kernel import Command

NAME: Final = "tests.notes"
JOB: Final = JobId("notes")
CURSOR: Final = f"reaction:{NAME}"
DIE_AFTER: Final = "DIE_AFTER"


class Notes(Reaction):
    """Each invoice that is recorded is noted at a job, as its number says.

    A note that is taken twice stands there twice: the rules would not keep anybody from it.
    """

    name = NAME

    @staticmethod
    def on(event: InvoiceRecorded) -> Command | None:
        kind, _, _ = event.number.partition("-")
        match kind:
            case "REFUSED":
                return IssueInvoice(
                    invoice=InvoiceId("none"), series=SeriesCode("A"), issued_on=event.issued_on
                )
            case "NOTHING":
                return None
            case "BUG":
                raise ZeroDivisionError("A bug of the reaction's.")
            case "JOB":
                return CancelJob(job=JobId("none"))
        return ReportWaiting(job=JOB, reason=event.number)


class Later(Notes):
    """As the other one, by code that came later."""

    @staticmethod
    def on(event: InvoiceRecorded) -> Command | None:
        return ReportWaiting(job=JOB, reason=f"later {event.number}")


def reacting(runtime: Runtime, reaction: type[Reaction] = Notes) -> Reacting:
    return Reacting(reaction, runtime.bus, runtime.vault)


async def react(runtime: Runtime, reaction: type[Reaction] = Notes) -> None:
    """Begin, and react to all there is."""
    own = reacting(runtime, reaction)
    await own.begin(runtime.pool)
    await Projector(runtime.pool, runtime.vault, [own]).catch_up()


async def _run() -> None:
    async with open_runtime(load_settings()) as runtime:
        _die_after(runtime, int(os.environ.get(DIE_AFTER, "0")))
        readers = await begin_readers(runtime, [Notes])
        await Projector(runtime.pool, runtime.vault, readers.tenants, readers.system).run()


def _die_after(runtime: Runtime, commands: int) -> None:
    execute, done = runtime.bus.execute, 0

    async def executed(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as the bus takes them.
        nonlocal done
        outcome = await execute(*given, **named)
        done += 1
        if done == commands:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome

    runtime.bus.execute = executed  # type: ignore[method-assign] # It dies where no test could.


if __name__ == "__main__":
    asyncio.run(_run())

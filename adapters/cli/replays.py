"""`asiento audit replay`: the read models of an export, for somebody who has only the file."""

import asyncio
from collections.abc import Iterator

from adapters.audit.replay import Replayed
from adapters.audit.replay import replay as run_replay
from adapters.cli.audit import bar
from adapters.cli.failures import FAILED
from adapters.cli.options import ReadableFile
from adapters.cli.output import Result, Table, counted
from adapters.cli.session import prepare, with_servers
from adapters.settings import Settings


def replay(file: ReadableFile, /, *, into: str | None = None) -> Result:
    """Verify an export, and fold its events into tables of a schema of their own.

    It needs a PostgreSQL where the login may make a schema; nothing of ours need be in it.

    Args:
        file: What `asiento audit export` or `asiento tenant close` wrote.
        into: The schema to make. Left out, it is named by the tenant and the head.

    """

    def work(settings: Settings) -> Replayed:
        with bar("replay") as advance:
            return asyncio.run(run_replay(settings.owner_url, file, into, advance))

    settings = prepare()
    done = work(settings) if settings.database_url else with_servers(work)
    rows = [(f"{done.schema}.{name}", many) for name, many in done.tables.items()]
    said = [*_not_folded(done)]
    said += [f"{name} stopped. {why}" for name, why in done.failed.items()]
    return Result(
        document=done,
        people=(
            Table(("TABLE", "ROWS"), rows),
            *said,
            f"Look at them with psql: SET search_path = {done.schema};",
            f"When you are done: DROP SCHEMA {done.schema} CASCADE;",
        ),
        code=FAILED if done.failed or done.unreadable or done.unopened else 0,
    )


def _not_folded(done: Replayed) -> Iterator[str]:
    for kind, many in sorted(done.unknown.items()):
        yield f"No code here knows {counted(many, 'event')} of type {kind}."
    for kind, many in sorted(done.unreadable.items()):
        yield f"The data of {counted(many, 'event')} of type {kind} does not fit that type."
    for kind, many in sorted(done.unopened.items()):
        yield f"The key in the file does not open {counted(many, 'event')} of type {kind}."

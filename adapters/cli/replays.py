"""`asiento audit replay`: the read models of an export, for somebody who has only the file."""

import asyncio

from cyclopts.types import ExistingFile

from adapters.audit.replay import Replayed
from adapters.audit.replay import replay as run_replay
from adapters.cli.audit import bar
from adapters.cli.failures import FAILED
from adapters.cli.output import Result, Table
from adapters.cli.session import prepare, with_servers
from adapters.settings import Settings


def replay(file: ExistingFile, /, *, into: str | None = None) -> Result:
    """Verify an export, and fold its events into tables of a schema of their own.

    It needs a PostgreSQL where the login may make a schema, and no log of ours in it.

    Args:
        file: What `asiento audit export` or `asiento tenant close` wrote.
        into: The schema to make. Left out, it is named by the tenant and the head.

    """

    def work(settings: Settings) -> Replayed:
        url = settings.database_admin_url or settings.database_url or ""
        with bar("replay") as advance:
            return asyncio.run(run_replay(url, file, into, advance))

    settings = prepare()
    done = work(settings) if settings.database_url else with_servers(work)
    rows = [(f"{done.schema}.{name}", many) for name, many in done.tables.items()]
    said = [f"No code here knows {many:,} events of type {kind}." for kind, many in _of(done)]
    said += [f"{name} stopped. {why}" for name, why in done.failed.items()]
    return Result(
        document=done,
        people=(
            Table(("TABLE", "ROWS"), rows),
            *said,
            f"Look at them with psql: SET search_path = {done.schema};",
            f"When you are done: DROP SCHEMA {done.schema} CASCADE;",
        ),
        code=FAILED if done.failed else 0,
    )


def _of(done: Replayed) -> list[tuple[str, int]]:
    return sorted(done.unknown.items())

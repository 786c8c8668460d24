"""What a projector costs that has nearly nothing to do: many tenants, a few of them active.

Statements are counted on their way to PostgreSQL; CPU is read from /proc.
"""

from time import sleep
from typing import Final, LiteralString

from msgspec import Struct
from msgspec.structs import replace

from adapters.embedded.servers import Urls
from adapters.worker.readers import reader_names
from benchmarks.appending.load import Load, run_load
from benchmarks.appending.turns import Findings
from benchmarks.appending.usage import cpu, process_seconds
from benchmarks.projecting.counting import counted
from benchmarks.projecting.invoices import fill
from benchmarks.projecting.live import CLIENT, catch_up_all
from benchmarks.projecting.processes import projector
from benchmarks.projecting.sizes import Projecting
from benchmarks.projecting.tables import owner
from benchmarks.support.report import Table, case

ACTIVE: Final = 10
SETTLE_SECONDS: Final = 3.0
EVENTS_EACH: Final = 2
BEHIND: LiteralString = """
SELECT count(*) FROM log_head AS h CROSS JOIN unnest(%s::text[]) AS name
LEFT JOIN projection_cursor AS c ON c.tenant_id = h.tenant_id AND c.projection = name
WHERE coalesce(c.position, 0) < h.position
"""


class Cost(Struct, frozen=True, kw_only=True):
    """What a second cost. The server's CPU is that of the writes, too."""

    name: str
    events: float
    statements: float
    projector_cpu: float
    server_cpu: float

    @property
    def cores(self) -> float:
        return self.projector_cpu + self.server_cpu


def idle(bench: Projecting) -> Findings:
    """Compare many tenants, a few of them active, with those few alone."""
    many = bench.sizes.idle_tenants
    alone = _measured(bench, ACTIVE, (ACTIVE,))
    among = _measured(bench, many, (0, ACTIVE))
    name = f"idle cost: {ACTIVE} of {many:,} tenants active, CPU of projector and PostgreSQL"
    against = f"the same {ACTIVE} tenants alone"
    return Findings(
        cases=[case(name, [among[-1].cores / alone[-1].cores], against=against, better="lower")],
        turns=[],
        tables=[_table([*alone, *among])],
    )


def _measured(bench: Projecting, tenants: int, active: tuple[int, ...]) -> list[Cost]:
    server = bench.server
    with server.fresh_database("idle") as urls:
        fill(urls, server.folder, events=tenants * EVENTS_EACH, tenant_count=tenants)
        catch_up_all(bench, urls, every_model=True)
        with (
            counted(urls.database_url) as (url, counter),
            projector(server, replace(urls, database_url=url)) as pid,
        ):
            _settle(urls)
            found: list[Cost] = []
            for some in active:
                before = process_seconds(pid)[0], cpu(server), counter.statements
                events = _trickle(bench, urls, some)
                after = process_seconds(pid)[0], cpu(server), counter.statements
                seconds = after[1].now - before[1].now
                found.append(
                    Cost(
                        name=f"{tenants:,} tenants, {some} active",
                        events=events / seconds,
                        statements=(after[2] - before[2]) / seconds,
                        projector_cpu=(after[0] - before[0]) / seconds,
                        server_cpu=(after[1].server - before[1].server) / seconds,
                    )
                )
    return found


def _settle(urls: Urls) -> None:
    """Wait until every reader that a projector has is at the head of every log."""
    with owner(urls) as admin:
        while admin.execute(BEHIND, (reader_names()[0],)).fetchone() != (0,):
            sleep(SETTLE_SECONDS)
    sleep(SETTLE_SECONDS)


def _trickle(bench: Projecting, urls: Urls, active: int) -> int:
    """Let some tenants write one event a second each, or nobody."""
    if not active:
        sleep(bench.sizes.idle_seconds)
        return 0
    load = Load(kind="trickle", tenants=active, seconds=bench.sizes.idle_seconds)
    return run_load(bench.server, urls, load, command=CLIENT).events


def _table(costs: list[Cost]) -> Table:
    return Table(
        title="What a projector costs that has nearly nothing to do",
        header=(
            "",
            "events a second",
            "its statements a second",
            "its CPU, % of a core",
            "PostgreSQL's CPU, % of a core, writes included",
        ),
        rows=[
            (
                cost.name,
                f"{cost.events:.1f}",
                f"{cost.statements:.1f}",
                f"{cost.projector_cpu:.2%}",
                f"{cost.server_cpu:.2%}",
            )
            for cost in costs
        ],
    )

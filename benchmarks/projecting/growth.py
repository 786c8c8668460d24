"""How the cost grows: with the events there are, and with the tenants that share them.

Each size is folded live by one projector and then rebuilt, once, by one process.
"""

import sys
from collections.abc import Sequence
from shutil import disk_usage
from typing import Final

from msgspec import Struct

from adapters.embedded.servers import Urls
from benchmarks.appending.load import Run
from benchmarks.appending.turns import Findings
from benchmarks.projecting.invoices import fill
from benchmarks.projecting.live import catch_up, catch_up_all
from benchmarks.projecting.rebuilding import peak_mib, rebuild
from benchmarks.projecting.sizes import EVENT_BYTES, Projecting
from benchmarks.projecting.tables import drop_leftovers, make_backlog
from benchmarks.support.report import Case, Table, case

LINES: Final = 1
"""On each invoice of the longest logs, so that more of them find room."""

HEADER: Final = (
    "",
    "live, events a second",
    "client CPU µs an event",
    "server CPU µs an event",
    "WAL bytes an event",
    "rebuild, events a second",
    "client CPU µs an event",
    "server CPU µs an event",
    "memory, MiB",
)


class Size(Struct, frozen=True, kw_only=True):
    """What was measured at one size."""

    name: str
    live: Run
    rebuilt: Run


def by_events(bench: Projecting) -> Findings:
    """Fold what a longer and longer log has more, and rebuild all of it."""
    server, sizes = bench.server, bench.sizes
    found: list[Size] = []
    with server.fresh_database("growth") as urls:
        for events in _that_fit(sizes.by_events, disk_usage(server.folder).free):
            filled = fill(
                urls, server.folder, events=events, tenant_count=sizes.tenants, lines=LINES
            )
            if not found:
                make_backlog(urls)
            found.append(_measured(bench, urls, f"{filled:,} events", catch_up(bench, urls)))
            drop_leftovers(urls)
    return _findings("with the events", found)


def _that_fit(sizes: Sequence[int], free_bytes: int) -> list[int]:
    """Take the most that the disk can hold in the place of what it can't."""
    step = sizes[0]
    most = max(step, free_bytes // EVENT_BYTES // step * step)
    if most < sizes[-1]:
        needed = f"{sizes[-1] * EVENT_BYTES:,} bytes of disk"
        print(f"projections: {most:,} events at the most; more want {needed}.", file=sys.stderr)
    return sorted({min(size, most) for size in sizes})


def by_tenants(bench: Projecting) -> Findings:
    """Fold and rebuild as many events of one tenant and of many."""
    server, sizes = bench.server, bench.sizes
    found: list[Size] = []
    for tenants in sizes.by_tenants:
        with server.fresh_database("tenants") as urls:
            fill(urls, server.folder, events=sizes.events, tenant_count=tenants)
            live = catch_up_all(bench, urls)
            name = f"{tenants:,} tenants" if tenants > 1 else "one tenant"
            found.append(_measured(bench, urls, name, live))
    return _findings("with the tenants", found)


def _measured(bench: Projecting, urls: Urls, name: str, live: Run) -> Size:
    return Size(name=name, live=live, rebuilt=rebuild(bench, urls, 1))


def _findings(how: str, found: list[Size]) -> Findings:
    first = found[0]
    cases: list[Case] = []
    for size in found[1:]:
        against = f"{first.name}, events a second"
        live = size.live.event_rate / first.live.event_rate
        rebuilt = size.rebuilt.event_rate / first.rebuilt.event_rate
        cases += [
            case(f"growth: live, {size.name}", [live], against=against),
            case(f"growth: rebuild, {size.name}", [rebuilt], against=against),
        ]
    table = Table(
        title=f"How the cost grows {how}, measured once",
        header=HEADER,
        rows=[_row(size) for size in found],
    )
    return Findings(cases=cases, turns=[], tables=[table])


def _row(size: Size) -> tuple[str, ...]:
    return (
        size.name,
        *_figures(size.live),
        f"{size.live.usage.wal_bytes / size.live.events:,.0f}",
        *_figures(size.rebuilt),
        f"{peak_mib([size.rebuilt]):,.0f}",
    )


def _figures(run: Run) -> tuple[str, str, str]:
    return (
        f"{run.event_rate:,.0f}",
        f"{run.usage.client_cpu / run.events * 1e6:.0f}",
        f"{run.usage.server_cpu / run.events * 1e6:.0f}",
    )

"""Other event stores on the same PostgreSQL, each as its makers ship it, with 32 clients.

The peers log in as the owner, whom row-level security doesn't ask. They keep no hash chain.
"""

import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import msgspec
from msgspec.structs import replace

from adapters.embedded.servers import Urls
from benchmarks.appending.load import Load, Run, run_load
from benchmarks.appending.server import PLAIN
from benchmarks.appending.turns import Bench, Findings, alternate
from benchmarks.appending.work import DATA
from benchmarks.support import npm
from benchmarks.support.report import CHECKOUT, case

LIBRARY: Final = f"eventsourcing {version('eventsourcing')}"
LOAD: Final = Load(clients=32, tenants=100)
PYTHON_PEER: Final = (sys.executable, "-m", "benchmarks.peer_eventsourcing")
EMMETT: Final = CHECKOUT / "benchmarks" / "emmett"


def application_save(bench: Bench) -> Findings:
    name, load = "32 clients, against Application.save", replace(LOAD, kind="application")
    against = f"{LIBRARY}, Application.save, 32 threads"
    return _beside(bench, name, load, PYTHON_PEER, against, must=10, aim=25)


def dcb_append(bench: Bench) -> Findings:
    name, load = "32 clients, against DCB conditional append", replace(LOAD, kind="dcb")
    against = f"{LIBRARY}, DCB conditional append, 32 threads"
    return _beside(bench, name, load, PYTHON_PEER, against, must=10, aim=25)


def emmett(bench: Bench) -> Findings:
    """Compare with emmett, where there is Node to run it."""
    node, script = shutil.which("node"), npm.installed(EMMETT)
    if node is None or script is None:
        print("append: emmett: left out, as Node or its packages are missing.", file=sys.stderr)
        return Findings(cases=[], turns=[])
    wanted = msgspec.json.decode((EMMETT / "package.json").read_bytes())["dependencies"]
    against = f"@event-driven-io/emmett-postgresql {wanted['@event-driven-io/emmett-postgresql']}"
    data = DATA.format(invoice="INVOICE", number="INVOICE", customer="C00001")
    load = replace(LOAD, kind="emmett", data=data)
    command = (node, str(script))
    try:
        return _beside(bench, "32 clients, against emmett", load, command, against)
    except RuntimeError as error:  # No limit hangs on it, and the other cases go on.
        print(f"append: emmett: left out: {error}", file=sys.stderr)
        return Findings(cases=[], turns=[])


def _beside(
    bench: Bench,
    name: str,
    load: Load,
    command: Sequence[str],
    against: str,
    *,
    must: float | None = None,
    aim: float | None = None,
) -> Findings:
    server, seconds = bench.server, bench.pace.seconds
    plain = server.named(PLAIN)
    owner = Urls(
        database_url=plain.admin_database_url,
        admin_database_url=plain.admin_database_url,
        redis_url=plain.redis_url,
    )

    def peer() -> Run:
        return run_load(server, owner, replace(load, seconds=seconds), command=command)

    with server.fresh_database("speed") as urls:
        turns = alternate(
            bench,
            name,
            lambda: run_load(server, urls, replace(LOAD, seconds=seconds)),
            peer,
            against=against,
        )
    ratios = turns.ratios(lambda run: run.event_rate)
    return Findings(cases=[case(name, ratios, against=against, must=must, aim=aim)], turns=[turns])

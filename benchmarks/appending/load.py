"""What a process of clients is asked to do, what it says it did, and how it is run and measured."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median, quantiles
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server, analyse
from benchmarks.appending.usage import Usage, counters, cpu, spent
from benchmarks.support.clients import answer_of, client_process, say

CLIENT: Final = (sys.executable, "-m", "benchmarks.appending.client")


class Load(Struct, frozen=True, kw_only=True):
    """Work for one process: to append for some seconds, or to issue so many invoices.

    The kinds of peers (application, dcb, emmett, runner) log in as who may create tables.
    """

    kind: Literal[
        "append",
        "one series",
        "own series",
        "application",
        "dcb",
        "emmett",
        "catch up",
        "visible",
        "trickle",
        "runner",
    ] = "append"
    clients: int = 32
    tenants: int = 100
    events: int = 1
    seconds: float = 1.0
    invoices: int = 0
    data: str = ""  # An event's, INVOICE in place of its id, for a peer in another language.
    warm_up_seconds: float = 0.3
    database_url: str = ""
    redis_url: str = ""
    folder: str = ""


class Did(Struct, frozen=True, kw_only=True):
    """What a process did."""

    operations: int
    events: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float


def did(latencies: list[float], *, seconds: float, cpu_seconds: float, events: int = 1) -> Did:
    """Sum up operations of so many events each, from how long each took in seconds."""
    cuts = quantiles(latencies, n=100)
    return Did(
        operations=len(latencies),
        events=len(latencies) * events,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        p50_ms=cuts[49] * 1000,
        p99_ms=cuts[98] * 1000,
    )


class Run(Struct, frozen=True, kw_only=True):
    """One measurement, of ours or of what it is measured against. Rates are per second."""

    operations: int
    events: int
    usage: Usage
    p50_ms: float = 0.0
    p99_ms: float = 0.0

    @property
    def rate(self) -> float:
        return self.operations / self.usage.seconds

    @property
    def event_rate(self) -> float:
        return self.events / self.usage.seconds


def run_load(
    server: Server,
    urls: Urls,
    load: Load,
    *,
    processes: int = 1,
    command: Sequence[str] = CLIENT,
    meanwhile: Callable[[], object] = lambda: None,
) -> Run:
    """Share the load's clients out among processes, run them at once, and measure."""
    own = _shared(load, processes, urls, server)
    with ExitStack() as stack:
        started = [stack.enter_context(client_process(command, own)) for _ in range(processes)]
        for process in started:
            answer_of(process)
        analyse(urls)
        counted, used = counters(server), cpu(server)
        for process in started:
            say(process, "go")
        meanwhile()
        told = [msgspec.json.decode(answer_of(process), type=Did) for process in started]
        used_after = cpu(server)
    usage = spent(
        (counted, used),
        (counters(server), used_after),  # Backends have counted all when they have ended.
        seconds=median(each.seconds for each in told),
        client_cpu=sum(each.cpu_seconds for each in told),
    )
    return Run(
        operations=sum(each.operations for each in told),
        events=sum(each.events for each in told),
        p50_ms=median(each.p50_ms for each in told),
        p99_ms=max(each.p99_ms for each in told),
        usage=usage,
    )


def _shared(load: Load, processes: int, urls: Urls, server: Server) -> Load:
    return replace(
        load,
        clients=load.clients // processes,
        invoices=load.invoices // processes,
        database_url=urls.database_url,
        redis_url=urls.redis_url,
        folder=str(server.folder),
    )

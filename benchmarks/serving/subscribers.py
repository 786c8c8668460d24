"""Subscribers of jobs that go on: how late they are told, what telling costs, what they weigh.

The peer is a bare WebSocket server that sends bytes which were made before. Ours are told by a
process like a worker's, through Redis; what a message took is counted from there on.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import sleep
from typing import Final

import msgspec
from msgspec import Struct

from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server
from benchmarks.appending.turns import Findings
from benchmarks.appending.usage import process_seconds
from benchmarks.serving.callers import Caller, open_books
from benchmarks.serving.listeners import Heard, Listen, Subscriber
from benchmarks.serving.publisher import Publish
from benchmarks.serving.servers import Listening, ours, started
from benchmarks.serving.sizes import Serving
from benchmarks.support.clients import answer_of, client_process, say
from benchmarks.support.report import Table, case
from domain.ids import TenantId

LISTENERS: Final = (sys.executable, "-m", "benchmarks.serving.listeners")
PUBLISHER: Final = (sys.executable, "-m", "benchmarks.serving.publisher")
BARE: Final = (sys.executable, "-m", "benchmarks.peer_websocket")
AGAINST: Final = "a bare WebSocket server sending prebuilt bytes"
PROTOCOL: Final = "graphql-transport-ws"
PROGRESS: Final = """
subscription Progress($job: ID!) { jobProgress(job: $job) { cursor status done total message } }
"""
TOPIC_PER_SECOND: Final = 10
"""Messages to one topic: with a thousand subscribers, ten thousand deliveries a second."""

WARM: Final = 100
SETTLE_SECONDS: Final = 2.0
LEAST: Final = 0.5
"""Of what the pace asks for, what everybody is told at least. Ticks may be lost, and on a full
machine some come together; less than that is no measurement."""

KIB: Final = 1_024
HEADER: Final = (
    "",
    "deliveries a second",
    "CPU µs a delivery",
    "p50 ms",
    "p99 ms",
    "told the least",
    "listeners, cores",
)


class Told(Struct, frozen=True, kw_only=True):
    """What subscribers heard, the CPU seconds of who told them, the least share one was told."""

    heard: Heard
    cpu: float
    least: float

    @property
    def per_core(self) -> float:
        """Deliveries a second of a whole core."""
        return self.heard.deliveries / self.cpu


class Flow(Struct, frozen=True, kw_only=True):
    """How many listen to how many topics, and how many messages come in all, a second."""

    subscribers: int
    topics: int
    per_second: float
    seconds: float

    @property
    def messages(self) -> float:
        """How many a subscriber should be told."""
        return self.seconds * self.per_second / self.topics


class Stage(Struct, frozen=True, kw_only=True):
    """Our API, whose jobs it tells of, and who asks."""

    server: Server
    urls: Urls
    caller: Caller
    listening: Listening


def subscribers(bench: Serving) -> Findings:
    """Compare how late many subscribers of many jobs are told."""
    sizes = bench.sizes
    flow = Flow(
        subscribers=sizes.subscribers,
        topics=sizes.jobs,
        per_second=sizes.messages_per_second,
        seconds=max(bench.pace.seconds, 5.0),
    )
    turns = _turns(bench, flow)
    name = (
        f"{flow.subscribers} subscribers of {flow.topics} jobs at {flow.per_second} messages a"
        " second, p99"
    )
    found = case(
        name,
        [own.heard.p99_ms / bare.heard.p99_ms for own, bare in turns],
        against=AGAINST,
        better="lower",
        must=3,
        aim=1.5,
    )
    return Findings(cases=[found], turns=[], tables=[_table(name, turns)])


def audience(bench: Serving) -> Findings:
    """Compare what it costs to tell one topic's message to a great many."""
    flow = Flow(
        subscribers=bench.sizes.audience,
        topics=1,
        per_second=TOPIC_PER_SECOND,
        seconds=bench.pace.seconds,
    )
    turns = _turns(bench, flow)
    name = f"one topic to {flow.subscribers:,} subscribers, deliveries a second per core"
    found = case(
        name,
        [own.per_core / bare.per_core for own, bare in turns],
        against=AGAINST,
        must=0.5,
        aim=0.8,
    )
    return Findings(cases=[found], turns=[], tables=[_table(name, turns)])


def memory(bench: Serving) -> Findings:
    """Weigh an API process without and with subscribers who are told nothing."""
    sizes = bench.sizes
    flow = Flow(subscribers=sizes.audience, topics=sizes.jobs, per_second=0, seconds=0)
    each_kib: list[float] = []
    with bench.server.fresh_database("memory") as urls:
        caller = open_books(bench.server, urls, "memory")
        for _ in range(bench.pace.turns):
            with ours(bench.server, urls) as listening:
                stage = Stage(server=bench.server, urls=urls, caller=caller, listening=listening)
                each_kib.append(_weight_kib(stage, flow))
    found = case(
        "memory per idle subscriber, KiB",
        each_kib,
        against=f"{flow.subscribers:,} subscribers of {flow.topics} jobs, resident memory",
        better="lower",
        must=100,
        aim=50,
    )
    return Findings(cases=[found], turns=[])


def _turns(bench: Serving, flow: Flow) -> list[tuple[Told, Told]]:
    server = bench.server
    known = {**os.environ, "TOPICS": str(flow.topics), "PER_SECOND": str(flow.per_second)}
    with (
        server.fresh_database("subscribers") as urls,
        started(server, "bare", BARE, known) as bare,
    ):
        caller = open_books(server, urls, "subscribers")
        with ours(server, urls) as listening:
            stage = Stage(server=server, urls=urls, caller=caller, listening=listening)
            return [
                (_told_by_ours(stage, flow), _told(bare, _bare_listen(bare, flow), flow))
                for _ in range(bench.pace.turns)
            ]


def _told_by_ours(stage: Stage, flow: Flow) -> Told:
    with _jobs(stage, flow) as jobs:
        return _told(stage.listening, _listen(stage, flow, jobs), flow)


def _told(listening: Listening, listen: Listen, flow: Flow) -> Told:
    """Count what is heard for a while.

    Raises:
        RuntimeError: Somebody was told too little.

    """
    with client_process(LISTENERS, listen) as process:
        answer_of(process)
        used = process_seconds(listening.pid)[0]
        say(process, "go")
        heard = msgspec.json.decode(answer_of(process), type=Heard)
        used = process_seconds(listening.pid)[0] - used
    if heard.least < flow.messages * LEAST:
        raise RuntimeError(f"{heard.least} of {flow.messages:.0f} messages came to somebody.")
    return Told(heard=heard, cpu=used, least=min(1.0, heard.least / flow.messages))


def _weight_kib(stage: Stage, flow: Flow) -> float:
    """Weigh a process that has had subscribers before, so that its code is loaded."""
    with _jobs(stage, flow) as jobs:
        listen = _listen(stage, flow, jobs)
        warm = msgspec.structs.replace(listen, subscribers=listen.subscribers[:WARM])
        _resident_while(stage.listening, warm)
        sleep(SETTLE_SECONDS)
        before = _resident_kib(stage.listening.pid)
        return (_resident_while(stage.listening, listen) - before) / flow.subscribers


def _resident_while(listening: Listening, listen: Listen) -> float:
    with client_process(LISTENERS, listen) as process:
        answer_of(process)
        sleep(SETTLE_SECONDS)
        resident = _resident_kib(listening.pid)
        say(process, "go")
        answer_of(process)
    return resident


def _resident_kib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, "A process has memory."
    return float(found[1])


@contextmanager
def _jobs(stage: Stage, flow: Flow) -> Iterator[list[str]]:
    """Let jobs go on for the block."""
    publish = Publish(
        database_url=stage.urls.database_url,
        redis_url=stage.urls.redis_url,
        folder=str(stage.server.folder),
        tenant=TenantId(stage.caller.tenant),
        jobs=flow.topics,
        per_second=flow.per_second,
    )
    with client_process(PUBLISHER, publish) as process:
        yield msgspec.json.decode(answer_of(process), type=list[str])


def _listen(stage: Stage, flow: Flow, jobs: list[str]) -> Listen:
    init = {
        "type": "connection_init",
        "payload": {"authorization": f"Bearer {stage.caller.api_key}"},
    }
    return Listen(
        port=stage.listening.port,
        subscribers=[
            Subscriber("/graphql", (_text(init), _text(_subscribe(jobs[n % len(jobs)]))))
            for n in range(flow.subscribers)
        ],
        seconds=flow.seconds,
        protocol=PROTOCOL,
    )


def _bare_listen(bare: Listening, flow: Flow) -> Listen:
    return Listen(
        port=bare.port,
        subscribers=[Subscriber(f"/{n % flow.topics}") for n in range(flow.subscribers)],
        seconds=flow.seconds,
    )


def _subscribe(job: str) -> Mapping[str, object]:
    payload = {"query": PROGRESS, "variables": {"job": job}}
    return {"type": "subscribe", "id": "1", "payload": payload}


def _text(message: Mapping[str, object]) -> str:
    return msgspec.json.encode(message).decode()


def _table(name: str, turns: list[tuple[Told, Told]]) -> Table:
    rows = [
        _row("Asiento, jobProgress", [own for own, _ in turns]),
        _row(AGAINST, [bare for _, bare in turns]),
    ]
    return Table(title=f"{name}, medians of the turns", header=HEADER, rows=rows)


def _row(name: str, turns: list[Told]) -> tuple[str, ...]:
    return (
        name,
        f"{median(each.heard.deliveries / each.heard.seconds for each in turns):,.0f}",
        f"{median(each.cpu / each.heard.deliveries * 1e6 for each in turns):.1f}",
        f"{median(each.heard.p50_ms for each in turns):.2f}",
        f"{median(each.heard.p99_ms for each in turns):.2f}",
        f"{min(each.least for each in turns):.0%}",
        f"{median(each.heard.cpu_seconds / each.heard.seconds for each in turns):.2f}",
    )

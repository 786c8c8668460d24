"""Asking a server for a while: requests a second, and what each cost the API and PostgreSQL.

CPU is read from /proc before and after, of the API's process and of all of PostgreSQL. Client and
servers share this machine's cores, so that it says more than the requests a second.
"""

import sys
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

import httpx
import msgspec
from msgspec import Struct

from benchmarks.appending.load import Did
from benchmarks.appending.server import Server
from benchmarks.appending.usage import cpu, process_seconds
from benchmarks.serving.load import Load
from benchmarks.serving.servers import Listening
from benchmarks.support.clients import answer_of, client_process, say
from benchmarks.support.report import Table

COST: Final = b',"extensions"'
"""Behind the data, ours says what the question cost, and what is left to be spent."""

COST_BYTES_MAX: Final = 200
CLIENT: Final = (sys.executable, "-m", "benchmarks.serving.load")
REQUEST_SECONDS_MAX: Final = 30.0
HEADER: Final = (
    "",
    "requests a second",
    "CPU ms a request",
    "of the API",
    "of PostgreSQL",
    "client, cores",
    "others, cores",
    "p50 ms",
    "p99 ms",
)


class Question(Struct, frozen=True, kw_only=True):
    """A request to a server, and what is known of its answer."""

    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def to(self, listening: Listening) -> bytes:
        """Write it as it goes over the wire."""
        lines = [
            f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{listening.port}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def load(
        self, listening: Listening, answer: bytes, *, connections: int, seconds: float
    ) -> Load:
        """Ask this over and over, and expect that answer each time."""
        first, cost, _ = answer.partition(COST)
        return Load(
            port=listening.port,
            request=self.to(listening),
            connections=connections,
            seconds=seconds,
            first=first,
            rest_bytes_max=COST_BYTES_MAX if cost else 0,
        )

    def ask_once(self, listening: Listening) -> bytes:
        """Return what the server says to it.

        Raises:
            RuntimeError: It refuses.

        """
        headers = [*self.headers, ("Content-Type", "application/json"), ("Accept-Encoding", "")]
        with httpx.Client(trust_env=False, timeout=REQUEST_SECONDS_MAX) as client:
            answer = client.request(
                "POST" if self.body else "GET",
                f"{listening.url}{self.path}",
                content=self.body or None,
                headers=headers,
            )
        if answer.status_code not in {200, 201}:
            raise RuntimeError(f"{listening.name} says {answer.status_code}: {answer.text[:600]}")
        return answer.content


class Asked(Struct, frozen=True, kw_only=True):
    """What asking for a while came to. CPU is in seconds."""

    requests: int
    seconds: float
    wall_seconds: float
    api_cpu: float
    database_cpu: float
    client_cpu: float
    machine_cpu: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_ms(self) -> float:
        """What a request costs, API and PostgreSQL added."""
        return (self.api_cpu + self.database_cpu) / self.requests * 1000


def ask(server: Server, listening: Listening, load: Load) -> Asked:
    """Ask for as long as the load says, and measure meanwhile."""
    with client_process(CLIENT, load) as process:
        answer_of(process)
        used, api = cpu(server), process_seconds(listening.pid)[0]
        say(process, "go")
        told = msgspec.json.decode(answer_of(process), type=Did)
        used_after, api_after = cpu(server), process_seconds(listening.pid)[0]
    return Asked(
        requests=told.operations,
        seconds=told.seconds,
        wall_seconds=used_after.now - used.now,
        api_cpu=api_after - api,
        database_cpu=used_after.server - used.server,
        client_cpu=told.cpu_seconds,
        machine_cpu=used_after.machine - used.machine,
        p50_ms=told.p50_ms,
        p99_ms=told.p99_ms,
    )


def asked_table(title: str, found: Iterable[tuple[str, Sequence[Asked]]]) -> Table:
    """Show the medians of the turns, a row for each that was asked."""
    return Table(title=title, header=HEADER, rows=[_row(name, turns) for name, turns in found])


def _row(name: str, turns: Sequence[Asked]) -> tuple[str, ...]:
    api = median(each.api_cpu / each.requests * 1000 for each in turns)
    database = median(each.database_cpu / each.requests * 1000 for each in turns)
    return (
        name,
        f"{median(each.rate for each in turns):,.0f}",
        f"{median(each.cpu_ms for each in turns):.2f}",
        f"{api:.2f}",
        f"{database:.2f}",
        f"{median(each.client_cpu / each.wall_seconds for each in turns):.2f}",
        f"{max(0.0, median(map(_others, turns))):.2f}",
        f"{median(each.p50_ms for each in turns):.1f}",
        f"{median(each.p99_ms for each in turns):.1f}",
    )


def _others(asked: Asked) -> float:
    """Return the cores that somebody else on this machine had."""
    ours = asked.api_cpu + asked.database_cpu + asked.client_cpu
    return (asked.machine_cpu - ours) / asked.wall_seconds

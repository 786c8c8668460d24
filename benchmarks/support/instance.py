"""An instance of Asiento, started and used as its users do: commands, GraphQL, Ctrl-C."""

import os
import re
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen, TimeoutExpired, run
from time import monotonic, perf_counter, sleep
from typing import Final

import httpx
import msgspec
from msgspec import Struct

from benchmarks.support.report import CHECKOUT

ASIENTO: Final = str(CHECKOUT / ".venv/bin/asiento")
UP: Final = (ASIENTO, "up")
MAKE_RUN: Final = ("make", "-C", str(CHECKOUT), "run")

START_SECONDS_MAX: Final = 120
STOP_SECONDS_MAX: Final = 15
COMMAND_SECONDS_MAX: Final = 1800
VISIBLE_SECONDS_MAX: Final = 300
POLL_SECONDS: Final = 0.005

# A server named here would be measured in place of the embedded one.
SERVERS: Final = frozenset({"DATABASE_URL", "DATABASE_ADMIN_URL", "READ_DATABASE_URL", "REDIS_URL"})


class Tenant(Struct, frozen=True, kw_only=True):
    """What ``asiento tenant create --json`` gives."""

    tenant: str
    slug: str
    api_key: str


class Imported(Struct, frozen=True, kw_only=True):
    """What ``asiento import --json`` gives, as far as it is measured."""

    rows: int
    rejected: int
    invoices: int
    seconds: dict[str, float]


class Instance(Struct, frozen=True, kw_only=True):
    """A running instance: ``instance.json``, and how to use what it names."""

    url: str
    admin_database_url: str
    processes: dict[str, int]
    environment: dict[str, str]
    ready_seconds: float

    def asiento(self, *arguments: str) -> bytes:
        """Run a command and return its output.

        Raises:
            RuntimeError: The command failed; its own words are in the message.

        """
        done = run(
            [ASIENTO, *arguments],
            capture_output=True,
            check=False,
            cwd=self.environment["ASIENTO_DATA"],
            env=self.environment,
            timeout=COMMAND_SECONDS_MAX,
        )
        if done.returncode != 0:
            words = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise RuntimeError(f"asiento {' '.join(arguments)}: exit {done.returncode}: {words}")
        return done.stdout

    def new_tenant(self, slug: str) -> Tenant:
        created = self.asiento(
            "tenant", "create", slug, "--name", slug, "--country", "ES", "--json"
        )
        return msgspec.json.decode(created, type=Tenant)

    def import_invoices(self, file: Path, tenant: Tenant) -> Imported:
        imported = self.asiento(
            "import", str(file), "--tenant", tenant.slug, "--type", "invoices", "--json"
        )
        return msgspec.json.decode(imported, type=Imported)

    @contextmanager
    def watcher(self, tenant: Tenant) -> Iterator["Watcher"]:
        """Connect to GraphQL as *tenant*, and ask once, as whoever waits there would have."""
        headers = {"Authorization": f"Bearer {tenant.api_key}"}
        with httpx.Client(base_url=self.url, headers=headers, trust_env=False) as client:
            watcher = Watcher(client)
            watcher.invoices()
            yield watcher


class Watcher:
    """A client of GraphQL that waits for invoices."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def invoices(self) -> int:
        """Count the invoices that the tenant can see.

        Raises:
            RuntimeError: GraphQL answered with errors.

        """
        query = {"query": "{ invoices(first: 1) { totalCount } }"}
        answer = self._client.post("/graphql", json=query).raise_for_status().json()
        if "errors" in answer:
            raise RuntimeError(f"GraphQL answered {answer['errors']}")
        count: int = answer["data"]["invoices"]["totalCount"]
        return count

    def wait_until_visible(self, invoices: int) -> None:
        """Poll until there are so many.

        Raises:
            TimeoutError: There aren't, and the message says how many there are.

        """
        deadline, seen = monotonic() + VISIBLE_SECONDS_MAX, 0
        while monotonic() < deadline:
            if (seen := self.invoices()) == invoices:
                return
            sleep(POLL_SECONDS)
        raise TimeoutError(f"{invoices} invoices were to be visible, and there are {seen}")


@contextmanager
def started(data: Path, command: Sequence[str] = UP) -> Iterator[Instance]:
    """Start an instance on ``data`` and a free port; stop it by Ctrl-C.

    Raises:
        RuntimeError: It ended before it was ready, or didn't stop; the log's end is shown.

    """
    data.mkdir(mode=0o755, exist_ok=True)
    environment = _environment(data)
    log = data / "bench.log"
    begun = perf_counter()
    with log.open("wb") as output:
        process = Popen(
            command,
            cwd=data,
            env=environment,
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, log, environment["PORT"])
        ready_seconds = perf_counter() - begun
        known = msgspec.json.decode((data / "instance.json").read_bytes())
        yield Instance(
            url=known["url"],
            admin_database_url=known["admin_database_url"],
            processes=known["processes"],
            environment=environment,
            ready_seconds=ready_seconds,
        )
    finally:
        _stop(process)


def _environment(data: Path) -> dict[str, str]:
    inherited: Mapping[str, str] = os.environ
    kept = {name: value for name, value in inherited.items() if name not in SERVERS}
    return {**kept, "ASIENTO_DATA": str(data), "PORT": str(_free_port()), "NO_COLOR": "1"}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_until_ready(process: "Popen[bytes]", log: Path, port: str) -> None:
    ready = re.compile(rf"^.*\bready\b.*:{port}\b", re.MULTILINE)
    deadline = monotonic() + START_SECONDS_MAX
    while not ready.search(said := log.read_text("utf-8", errors="replace")):
        if process.poll() is not None or monotonic() > deadline:
            raise RuntimeError(f"The instance didn't get ready:\n{said[-2000:]}")
        sleep(POLL_SECONDS)


def _stop(process: "Popen[bytes]") -> None:
    """Press Ctrl-C, as a terminal does it: to all of the group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(STOP_SECONDS_MAX)
    except TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise RuntimeError(f"The instance didn't stop in {STOP_SECONDS_MAX} s.") from None


def peak_memory_bytes(pid: int) -> int:
    """Return the most memory that the process, or one of its children, ever held.

    Raises:
        FileNotFoundError: There is no such process, or no Linux ``/proc`` to ask.

    """
    peak = _high_water_mark_bytes(pid)
    for child in _descendants(pid):
        with suppress(FileNotFoundError):  # It may end while the others are asked.
            peak = max(peak, _high_water_mark_bytes(child))
    return peak


def _high_water_mark_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _descendants(pid: int) -> Iterator[int]:
    with suppress(FileNotFoundError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, children.read_text("ascii").split()):
                yield child
                yield from _descendants(child)

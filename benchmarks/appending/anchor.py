"""The anchor: pgbench, which inserts one narrow row a transaction into a table with a key.

``pgbench -n -M prepared -c 32 -j 2 -T SECONDS``: nothing that commits each row for itself, with
the disk's word for it, is faster on the same server.
"""

import os
import re
import shutil
from pathlib import Path
from statistics import quantiles
from subprocess import run
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.appending.load import Run
from benchmarks.appending.server import PLAIN, Server
from benchmarks.appending.usage import children_cpu_seconds, counters, cpu, spent

CLIENTS: Final = 32
THREADS: Final = 2
GRACE_SECONDS: Final = 60
NAME: Final = f"pgbench, 1-row INSERT, {CLIENTS} clients"

DDL: Final = """
CREATE TABLE IF NOT EXISTS anchor (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client integer NOT NULL)
"""
SCRIPT: Final = "INSERT INTO anchor (client) VALUES (:client_id);\n"


def run_anchor(server: Server, seconds: int, *, each: bool = False, clients: int = CLIENTS) -> Run:
    """Run pgbench; with *each*, also take down how long each insert took.

    Raises:
        RuntimeError: There is no pgbench, or it failed.

    """
    urls = server.named(PLAIN)
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        admin.execute(DDL)
    script = server.folder / "anchor.sql"
    script.write_text(SCRIPT, "ascii")
    logged = ("--log", f"--log-prefix={server.folder / 'anchor-log'}") if each else ()
    load = ("-c", str(clients), "-j", str(min(clients, THREADS)))
    command = (_pgbench(server), "-n", "-M", "prepared", *load)
    before, own = (counters(server), cpu(server)), children_cpu_seconds()
    done = run(
        (*command, "-T", str(seconds), "-f", str(script), *logged),
        capture_output=True,
        check=False,
        env={**os.environ, **_login(urls.admin_database_url)},
        text=True,
        timeout=seconds + GRACE_SECONDS,
    )
    used = cpu(server)
    if done.returncode != 0:
        raise RuntimeError(f"pgbench failed: {done.stderr.strip()[-2000:]}")
    number = int(_found(r"actually processed: (\d+)", done.stdout))
    rate = float(_found(r"tps = ([\d.]+) \(without initial", done.stdout))
    cuts = quantiles(_latencies_ms(server.folder), n=100) if each else [0.0] * 99
    usage = spent(
        before,
        (counters(server), used),
        seconds=number / rate,
        client_cpu=children_cpu_seconds() - own,
    )
    return Run(operations=number, events=number, usage=usage, p50_ms=cuts[49], p99_ms=cuts[98])


def _pgbench(server: Server) -> str:
    """Return the program: the server's own, of its version, else that of PATH."""
    own = Path(f"/proc/{server.postmaster}/exe").resolve().with_name("pgbench")
    found = str(own) if os.access(own, os.X_OK) else shutil.which("pgbench")
    if found is None:
        raise RuntimeError("There is no pgbench. On Debian: apt install postgresql-contrib.")
    return found


def _login(url: str) -> dict[str, str]:
    """Name the server in the environment, where no list of processes shows the password."""
    known = conninfo_to_dict(url)
    variables = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
    return {name: str(known[key]) for name, key in (*variables.items(), ("PGDATABASE", "dbname"))}


def _latencies_ms(folder: Path) -> list[float]:
    """Read and remove pgbench's logs, one a thread: the third column is microseconds."""
    found: list[float] = []
    for log in folder.glob("anchor-log.*"):
        found += (int(line.split()[2]) / 1000 for line in log.read_text("ascii").splitlines())
        log.unlink()
    return found


def _found(pattern: str, said: str) -> str:
    match = re.search(pattern, said)
    if match is None:
        raise RuntimeError(f"pgbench said something else than usual: {said[-2000:]}")
    return match[1]

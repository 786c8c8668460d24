"""instance.json: what runs now, for operators and for commands that attach to it."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from adapters.embedded.files import write_private
from adapters.embedded.processes import (
    PROC,
    all_pids,
    command_line,
    has_environment,
    stop_leftover,
)

RECORD_FILE: Final = "instance.json"
# Our processes and whatever they start carry it, so that a next supervisor finds them.
MARK: Final = "ASIENTO_SUPERVISED"
MODULE: Final = "adapters.cli.main"
# In the order in which they are stopped.
SERVERS: Final = ("valkey", "postgres")
END_SECONDS_MAX: Final = 5.0


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A running instance. The processes are those that the supervisor restarts."""

    url: str
    database_url: str
    admin_database_url: str
    redis_url: str
    processes: dict[str, int]
    supervisor: int


def write_record(data: Path, instance: Instance) -> None:
    """Replace instance.json."""
    write_private(data / RECORD_FILE, msgspec.json.format(msgspec.json.encode(instance)) + b"\n")


def read_record(data: Path) -> Instance | None:
    """Return what instance.json says, true or outdated."""
    try:
        return msgspec.json.decode((data / RECORD_FILE).read_bytes(), type=Instance)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def remove_record(data: Path) -> None:
    """Say that nothing runs."""
    (data / RECORD_FILE).unlink(missing_ok=True)


def end_former(data: Path) -> None:
    """End what a killed supervisor left running. Servers are ended by their own pid files."""
    record = read_record(data)
    remove_record(data)
    named = record.processes if record else {}
    candidates = all_pids() or [pid for name, pid in named.items() if name not in SERVERS]

    def is_ours(pid: int) -> bool:
        if PROC.is_dir():
            return has_environment(pid, MARK, str(data))
        return MODULE in command_line(pid)

    found = [pid for pid in candidates if is_ours(pid)]
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    for pid in found:
        stop_leftover(pid, is_ours, (signal.SIGTERM,), END_SECONDS_MAX)

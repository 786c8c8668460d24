"""Processes of ours: started so that they end with us, and found again where they did not."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from adapters.embedded.users import User

PR_SET_PDEATHSIG: Final = 1
Popen: TypeAlias = subprocess.Popen[bytes]

STDERR: Final = 2
POLL_SECONDS: Final = 0.02
# Who ignores end_hard has this long until it is killed.
HARD_SECONDS: Final = 0.5
PROC: Final = Path("/proc")
LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
# A server gets none of our environment: PGDATA or LD_PRELOAD of a shell must not move it.
SERVER_ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class Program(Struct, frozen=True, kw_only=True):
    """How a process is started, and how it is asked to end."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    user: User | None = None
    folder: Path | None = None
    output: Path | None = None  # None is our own stderr, as our stdout is for answers.
    end: signal.Signals = signal.SIGTERM
    end_hard: signal.Signals = signal.SIGKILL
    clear: Callable[[], None] | None = None  # Ends what a killed process of it left running.


def spawn(program: Program) -> Popen:
    """Start the program in a session of its own, so that a terminal's Ctrl-C is ours alone."""
    output = STDERR if program.output is None else _opened(program.output)
    user = program.user
    try:
        return subprocess.Popen(  # noqa: S603 - argv is our own.
            program.argv,
            env=program.environment,
            cwd=program.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
            preexec_fn=_ends_with_us(program.end),  # noqa: PLW1509 - it makes one system call.
        )
    finally:
        if program.output is not None:
            os.close(output)


def _opened(output: Path) -> int:
    return os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _ends_with_us(end: signal.Signals) -> Callable[[], None] | None:
    """Have the kernel send the signal when we die, kill -9 included.

    Linux ties it to the thread that started the process, so only the main thread asks for it.
    """
    if LIBC is None or threading.current_thread() is not threading.main_thread():
        return None
    parent, prctl = os.getpid(), LIBC.prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(end))
        if os.getppid() != parent:  # We died before it could ask.
            os._exit(1)

    return ask


def stop(started: Sequence[tuple[Program, Popen]], seconds: float) -> None:
    """Ask all to end, in order; insist after the given time, and take whole groups at last."""
    for program, process in started:
        if process.poll() is None:
            process.send_signal(program.end)
    _wait_all(started, seconds)
    for program, process in started:
        if process.poll() is None:
            process.send_signal(program.end_hard)
    _wait_all(started, HARD_SECONDS)
    for _, process in started:
        kill_group(process.pid)
        process.wait()


def _wait_all(started: Sequence[tuple[Program, Popen]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(process.poll() is None for _, process in started):
        time.sleep(POLL_SECONDS)


def kill_group(pid: int) -> None:
    """Kill what a process of ours left behind in its session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def stop_leftover(
    pid: int, is_ours: Callable[[int], bool], signals: tuple[signal.Signals, ...], seconds: float
) -> None:
    """End a process of a former supervisor, each signal having the given time to work."""
    for number in (*signals, signal.SIGKILL):
        deadline = time.monotonic() + seconds
        if not is_ours(pid):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        while is_ours(pid) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def command_line(pid: int) -> str:
    """Return what the process was started with, "" where it has ended.

    Without /proc (macOS) `ps` tells; minimal Linux systems have /proc but no `ps`.
    """
    if PROC.is_dir():
        line = _read(PROC / str(pid) / "cmdline")
        return line.replace(b"\0", b" ").decode(errors="replace")
    answer = subprocess.run(  # noqa: S603
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
    )
    return answer.stdout.decode(errors="replace")


def all_pids() -> list[int]:
    """Return every other process of this machine; none where /proc is missing."""
    return [pid for path in PROC.glob("[0-9]*") if (pid := int(path.name)) != os.getpid()]


def has_environment(pid: int, name: str, value: str) -> bool:
    """Tell whether the process was started with this variable, as far as we may know."""
    return f"{name}={value}".encode() in _read(PROC / str(pid) / "environ").split(b"\0")


def working_folder(pid: int) -> Path | None:
    """Return where the process works, None where it may not be known."""
    try:
        return (PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # It has ended, or is another user's.
        return b""


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

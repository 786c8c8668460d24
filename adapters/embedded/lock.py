"""One supervisor an instance: a file lock that vanishes with its holder, however that ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from application.errors import Unavailable

# Who looks whether the lock is held holds it for a moment too.
WAIT_SECONDS: Final = 0.5
POLL_SECONDS: Final = 0.05


@contextmanager
def hold(data: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the instance's lock, and write our pid into it.

    Raises:
        Unavailable: Somebody else goes on holding it.

    """
    file = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise Unavailable(
                    "instance.running",
                    f"Process {holder(data) or ''} already runs the instance in {data}.",
                    hint="Stop it first, or set ASIENTO_DATA and PORT for one more instance.",
                )
            time.sleep(POLL_SECONDS)
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


def holder(data: Path) -> int | None:
    """Return the pid of the process that holds the instance's lock."""
    try:
        file = os.open(data / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if _locked(file, fcntl.LOCK_SH):
            return None
        return int(os.pread(file, 20, 0) or 0) or None
    finally:
        os.close(file)


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

#!/usr/bin/env python3
"""Bring .venv up to a lock file, for the Makefile: set_up.py STAMP LOCK.

Only the standard library, and no syntax newer than Python 3.7, so that an old Python
can still say what is wrong.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLDEST = (3, 11)
PROJECT = Path("pyproject.toml")
VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
HOME = VENV / ".home"  # A venv holds absolute paths: a moved or copied checkout needs its own.
PROBE = f"import pip, sys; sys.exit(sys.version_info < {OLDEST})"
PIP = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "-qq", "install")


def main(stamp: Path, lock: Path) -> None:
    """Make the venv where it is needed, install the lock into it, touch the stamp."""
    with alone():
        if fresh(stamp, lock):
            return
        sys.stderr.write(f"Setting up .venv from {lock.name}; the first time takes a minute.\n")
        if not usable():
            make_venv()
        run(*PIP, "--require-hashes", "-r", str(lock))
        if not (at_home() and newer(HOME, PROJECT)):
            # The checkout itself has no hash to require, and the lock holds what builds it.
            run(*PIP, "--no-deps", "--no-build-isolation", "-e", ".")
            HOME.write_text(str(Path.cwd()))
        stamp.touch()


def complaint(version: tuple[int, int], has: Callable[[str], object]) -> str | None:
    """Say what this Python lacks to make a venv, or nothing."""
    if version < OLDEST:
        found = ".".join(map(str, version))
        return (
            f"Asiento needs Python 3.11 or newer, and {sys.executable} is {found}. "
            "Name another one, as in: make PYTHON=python3.12 run"
        )
    lacking = [name for name in ("venv", "ensurepip") if not has(name)]
    if lacking:
        return (
            f"{sys.executable} comes without its module {lacking[0]}, which makes the .venv. "
            f"On Debian and Ubuntu: apt install python{version[0]}.{version[1]}-venv"
        )
    return None


@contextmanager
def alone() -> Iterator[None]:
    """Let one make at a time touch the venv. The lock goes with its process, even a killed one."""
    checkout = os.open(".", os.O_RDONLY)
    try:
        fcntl.flock(checkout, fcntl.LOCK_EX)
        yield
    finally:
        os.close(checkout)


def fresh(stamp: Path, lock: Path) -> bool:
    """Tell whether another make did the work while this one waited."""
    return (
        stamp.exists()
        and at_home()
        and all(newer(stamp, file) for file in (lock, PROJECT, Path(__file__)))
    )


def newer(file: Path, source: Path) -> bool:
    return file.stat().st_mtime >= source.stat().st_mtime


def usable() -> bool:
    """Tell whether the venv is whole, in its place and new enough."""
    if not PYTHON.exists() or (HOME.exists() and not at_home()):
        return False
    probe = (str(PYTHON), "-c", PROBE)
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own words.


def at_home() -> bool:
    return HOME.exists() and HOME.read_text() == str(Path.cwd())


def make_venv() -> None:
    lacking = complaint(sys.version_info[:2], importlib.util.find_spec)
    if lacking:
        sys.exit(lacking)
    run(sys.executable, "-m", "venv", "--clear", str(VENV))


def run(*command: str) -> None:
    """Run *command*, or end with its failure."""
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - our own words.
        sys.exit(f"This failed, and its reason stands above: {' '.join(command)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

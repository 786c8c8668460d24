"""Peers from npm: what their lock names is installed once, into a folder that git ignores."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.support.report import CHECKOUT

CACHE: Final = CHECKOUT / "benchmarks" / ".cache"
INSTALL: Final = ("ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
INSTALL_SECONDS_MAX: Final = 300
WANTED: Final = ("package.json", "package-lock.json")
PEER: Final = "peer.mjs"


def node_version() -> int:
    """Return the major version of Node, 0 where there is none."""
    node = shutil.which("node")
    if node is None:
        return 0
    said = subprocess.run((node, "--version"), capture_output=True, text=True, check=False).stdout
    major = said.strip().removeprefix("v").partition(".")[0]
    return int(major) if major.isdigit() else 0


def installed(folder: Path) -> Path | None:
    """Install a peer's packages into the cache, once; return its script, None where it can't be."""
    npm = shutil.which("npm")
    if npm is None or not node_version():
        return None
    cache = CACHE / folder.name
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / PEER, cache / PEER)
    wanted = "".join((folder / name).read_text("utf-8") for name in WANTED)
    stamp = cache / "installed"
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return cache / PEER
    for name in WANTED:
        shutil.copyfile(folder / name, cache / name)
    try:
        subprocess.run(
            (npm, *INSTALL), check=True, cwd=cache, stdout=sys.stderr, timeout=INSTALL_SECONDS_MAX
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"{folder.name}: {error}", file=sys.stderr)
        return None
    stamp.write_text(wanted, "utf-8")
    return cache / PEER

#!/usr/bin/env python3
"""Ask for known flaws of what the lock holds, for the Makefile: audit.py LOCK.

An index that serves no advisories is said to be one: nothing found is not the same as not asked.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

# Flaws of this version are known for good: an index that names none serves no advisories.
FLAWED = "https://pypi.org/pypi/jinja2/3.1.2/json"
SECONDS_MAX = 15
NOT_ASKED = 3
# Strict: a package that the index says nothing of was not checked.
AUDIT = ("-m", "pip_audit", "--strict", "--require-hashes", "--disable-pip")


def complaint(address: str = FLAWED) -> str | None:
    """Say why advisories can't be had, or nothing."""
    try:
        with urllib.request.urlopen(address, timeout=SECONDS_MAX) as answer:  # noqa: S310 - our own address, by https.
            told = json.load(answer)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return f"{address} can't be read: {reason}."
    if isinstance(told, dict) and told.get("vulnerabilities"):
        return None
    return f"{address} names no flaws, and there are."


def main(lock: Path) -> int:
    """Audit the lock; 0: nothing is known, 1: something is, 3: nobody could be asked."""
    why = complaint()
    if why is not None:
        sys.stderr.write(
            f"This index serves no advisories, so nothing was checked. {why}\n"
            "Ask again from where https://pypi.org can be reached.\n"
        )
        return NOT_ASKED
    audit = (sys.executable, *AUDIT, "--progress-spinner", "off", "-r", str(lock))
    return subprocess.run(audit, check=False).returncode  # noqa: S603 - our own words.


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

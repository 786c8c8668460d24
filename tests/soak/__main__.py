"""A long run: ``python -m tests.soak --seed 7 --seconds 600``. Exit 1 where a promise broke."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from tests.soak.harness import run
from tests.soak.planted import PLANTED


def main() -> int:
    """Run once, and say the seed first, so that a run that hangs can be run again."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", default=secrets.token_hex(4))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--planted", choices=PLANTED, help="a fault that is to be found")
    given = parser.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="asiento-") as folder:
        soak = run(Path(folder), given.seed, seconds=given.seconds, planted=given.planted or "")
        report = asyncio.run(soak)
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())

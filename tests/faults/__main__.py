"""A long run: ``python -m tests.faults --seed 7 --seconds 600``. Exit 1 where a promise broke."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from tests.faults.harness import run


def main() -> int:
    """Run once, and say the seed first, so that a run that hangs can be run again."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", default=secrets.token_hex(4))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--asks", type=int, default=1_000_000)
    given = parser.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    with tempfile.TemporaryDirectory(prefix="asiento-") as folder:
        report = asyncio.run(
            run(
                Path(folder) / "instance",
                given.seed,
                asks_max=given.asks,
                seconds_max=given.seconds,
            )
        )
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())

"""Appends under faults that a seed chooses, for as long as CI allows; docs/faults.md has more."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.embedded.processes import PROC
from tests.faults.harness import run

SECONDS = 12.0
ASKS_MIN = 300


@pytest.mark.skipif(not PROC.is_dir(), reason="the harness finds the server's processes in /proc")
async def test_the_log_is_what_callers_were_told_whatever_breaks() -> None:
    with TemporaryDirectory(prefix="asiento-") as folder:
        report = await run(Path(folder) / "instance", "ci", asks_max=1_000_000, seconds_max=SECONDS)
    assert not report.findings, "\n".join(report.lines())
    assert report.asks > ASKS_MIN, "\n".join(report.lines())
    assert report.attempts["done"] > ASKS_MIN / 2, "\n".join(report.lines())

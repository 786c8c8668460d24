"""Appends under faults that a seed chooses, for as long as CI allows; docs/faults.md has more."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.embedded.processes import PROC
from tests.faults.harness import run

SECONDS = 10.0
ASKS = 3_000


@pytest.mark.skipif(not PROC.is_dir(), reason="the harness finds the server's processes in /proc")
async def test_the_log_is_what_callers_were_told_whatever_breaks() -> None:
    with TemporaryDirectory(prefix="asiento-") as folder:
        report = await run(Path(folder) / "instance", "ci", asks_max=ASKS, seconds_max=SECONDS)
    told = "\n".join(report.lines())
    assert not report.findings, told
    assert report.attempts["done"] > 0, told
    assert report.faults.total() > 0, told

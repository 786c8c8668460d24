"""Subscribers that are cut off, as long as CI has time; and what the judge makes of a fault."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.embedded.processes import PROC
from domain.ids import JobId
from tests.soak.listeners import Asked, Heard
from tests.soak.subscribers import judge, run

SECONDS = 15.0
CLIENTS = 50
LOG = Asked(field="events", cursor="position", query="")
ROWS = Asked(field="changed", cursor="position", query="")
JOB = JobId("j")


@pytest.mark.skipif(not PROC.is_dir(), reason="the harness finds the server's processes in /proc")
async def test_everyone_is_told_everything_once_and_in_order_whatever_breaks() -> None:
    with TemporaryDirectory(prefix="asiento-") as folder:
        report = await run(Path(folder), clients=CLIENTS, seconds=SECONDS, seed="ci", cut=3)
    told = "\n".join(report.lines())
    assert not report.findings, told
    assert report.cuts >= CLIENTS, told
    assert report.faults.total() > 0, told


@pytest.mark.parametrize(
    ("told", "found"), [([1, 2, 3], 0), ([1, 3], 1), ([1, 2, 2, 3], 1), ([2, 1, 3], 1), ([1, 2], 1)]
)
def test_what_is_lost_told_twice_or_out_of_order_is_found(told: list[int], found: int) -> None:
    heard = Heard(asked=LOG, messages=[{"position": str(place)} for place in told])
    assert len(judge(heard, [1, 2, 3], {JOB: [1, 2, 3]})) == found


@pytest.mark.parametrize(("last", "found"), [(3, 0), (2, 1)])
def test_a_row_whose_last_change_was_not_told_is_found(last: int, found: int) -> None:
    heard = Heard(asked=ROWS, messages=[{"position": str(last), "ids": [JOB]}])
    assert len(judge(heard, [1, 2, 3], {JOB: [1, 2, 3]})) == found

"""Projectors under faults that a seed chooses, as long as CI has time; docs/faults.md has more."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.embedded.processes import PROC
from tests.soak.harness import run
from tests.soak.planted import PLANTED

SECONDS = 7.0
SECONDS_UNTIL_FOUND = (6.0, 12.0, 24.0)
FOUND_AS = {
    "a row is dropped": {"missing", "differs"},
    "the cursor moves apart": {"missing", "differs", "behind"},
    "a reaction has no key": {"twice"},
    "a message is noted first": {"never"},
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="asiento-") as name:
        (folder := Path(name) / "soak").mkdir()
        yield folder


@pytest.mark.skipif(not PROC.is_dir(), reason="the harness finds the server's processes in /proc")
async def test_every_row_is_what_its_events_say_whatever_breaks(folder: Path) -> None:
    report = await run(folder, "ci", seconds=SECONDS)
    told = "\n".join(report.lines())
    assert not report.findings, told
    assert report.said["done"] > 0, told
    assert report.faults.total() > 0, told
    assert report.messages > 0, told


@pytest.mark.skipif(not PROC.is_dir(), reason="the harness finds the server's processes in /proc")
@pytest.mark.parametrize(("planted", "kinds"), FOUND_AS.items())
async def test_a_projector_with_a_planted_fault_is_found_out(
    planted: str, kinds: set[str], folder: Path
) -> None:
    found: set[str] = set()
    told: list[str] = []
    for seconds in SECONDS_UNTIL_FOUND:  # Whether a fault shows is chance, the more the longer.
        (place := folder / f"{seconds}").mkdir()
        report = await run(place, "planted", seconds=seconds, planted=planted, faults={})
        found, told = {finding.kind for finding in report.findings}, report.lines()
        if found & kinds:
            break
    assert found & kinds, "\n".join(told)


def test_every_fault_that_can_be_planted_is_tried() -> None:
    assert FOUND_AS.keys() == PLANTED.keys()

"""The judge finds each way in which rows can be wrong, and nothing where all are right."""

from decimal import Decimal

import pytest

from domain.ids import BatchId, JobId
from domain.imports import FileReceived
from domain.imports.columns import GivenMapping
from domain.jobs import JobWaiting
from tests.soak.judging import Found, compare, missing, reacted
from tests.soak.reactions import LEFT


def row(position: int = 3, **columns: object) -> Found:
    return Found({"invoice": "a", "due": Decimal(1)} | columns, position)


def found(wanted: dict[str, Found], there: dict[str, Found]) -> list[str]:
    return [finding.kind for finding in compare("invoices", wanted, there)]


def test_equal_rows_are_no_finding() -> None:
    assert found({"a": row(), "b": row()}, {"b": row(), "a": row(due=Decimal("1.00"))}) == []


@pytest.mark.parametrize(
    ("kind", "wanted", "there"),
    [
        ("missing", {"a": row()}, {}),
        ("stray", {}, {"a": row()}),
        ("differs", {"a": row()}, {"a": row(due=Decimal(2))}),
        ("differs", {"a": row()}, {"a": row(due=None)}),
        ("misplaced", {"a": row()}, {"a": row(4)}),
    ],
)
def test_a_wrong_row_is_found(kind: str, wanted: dict[str, Found], there: dict[str, Found]) -> None:
    assert found(wanted, there) == [kind]


def test_a_job_that_is_not_in_the_queue_is_found() -> None:
    assert [finding.kind for finding in missing(["j"], {})] == ["never"]


def test_a_job_that_is_in_the_queue_twice_does_no_harm() -> None:
    assert not list(missing(["j"], {"j": 2}))


@pytest.mark.parametrize(("times", "kinds"), [(0, ["never"]), (1, []), (2, ["twice"])])
def test_a_reaction_that_did_not_run_once_is_found(times: int, kinds: list[str]) -> None:
    job = JobId("j")
    received = FileReceived(
        batch=BatchId("b"), job=job, sha256="", name=LEFT, size_bytes=1, mapping=GivenMapping()
    )
    noted = [JobWaiting(job=job, reason="soak")] * times
    assert [finding.kind for finding in reacted([received, *noted])] == kinds

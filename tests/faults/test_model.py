"""The judge finds each kind of broken promise, and nothing where all were kept."""

import msgspec
import pytest

from domain.ids import TenantId
from tests.faults.asks import UNKNOWN, Answer, Ask, Kind, Said
from tests.faults.model import Book, Entry

TENANT = TenantId("00000000-0000-7000-8000-000000000001")


def ask(number: int, kind: Kind = "append", *, name: str = "", events: int = 1) -> Ask:
    return Ask(number=number, kind=kind, tenant=TENANT, name=name, events=events)


def answer(number: int, said: Said, base: int | None = None, why: str = "") -> Answer:
    return Answer(number=number, said=said, base=base, why=why)


def noted(position: int, number: int, n: int = 0, *, type: str = "Noted") -> Entry:  # noqa: A002 - as in Entry.
    return Entry(position, type, msgspec.json.encode({"ask": number, "n": n}).decode())


def issued(position: int, invoice: str, sequence: int) -> Entry:
    data = msgspec.json.encode({"invoice": invoice, "sequence": sequence}).decode()
    return Entry(position, "InvoiceIssued", data)


def found(asks: list[Ask], answers: list[Answer], log: list[Entry]) -> set[str]:
    book = Book(asks={each.number: each for each in asks})
    for each in answers:
        book.attempts[each.number].append(each)
    return {finding.kind for finding in book.judge({TENANT: log})}


KEPT: list[tuple[list[Ask], list[Answer], list[Entry]]] = [
    ([ask(1)], [answer(1, "done", 0)], [noted(1, 1)]),
    ([ask(1)], [answer(1, "failed")], []),
    ([ask(1)], [answer(1, "lost")], []),
    ([ask(1)], [answer(1, "lost")], [noted(1, 1)]),
    ([ask(1)], [answer(1, "gave_up"), answer(1, "repeated", 0, "1")], [noted(1, 1)]),
    ([ask(1)], [answer(1, "failed"), answer(1, "done", 0)], [noted(1, 1)]),
    ([ask(1)], [answer(1, "failed"), answer(1, "lost")], [noted(1, 1)]),
    ([ask(1, events=2)], [answer(1, "done", 0)], [noted(1, 1), noted(2, 1, 1)]),
    (
        [ask(1, "claim", name="x"), ask(2, "claim", name="x")],
        [answer(1, "done", 0), answer(2, "conflict")],
        [noted(1, 1, type="Claimed")],
    ),
    ([ask(1, "issue", name="a")], [answer(1, "done", 0)], [issued(1, "a", 1)]),
]
BROKEN: list[tuple[str, list[Ask], list[Answer], list[Entry]]] = [
    ("lost", [ask(1)], [answer(1, "done", 0)], []),
    ("lost", [ask(1)], [answer(1, "repeated", 0, "1")], []),
    ("moved", [ask(1), ask(2)], [answer(1, "done", 1)], [noted(1, 1), noted(2, 2)]),
    ("moved", [ask(1)], [answer(1, "done", 0), answer(1, "repeated", 7, "1")], [noted(1, 1)]),
    ("doubled", [ask(1)], [answer(1, "lost")], [noted(1, 1), noted(2, 1)]),
    ("torn", [ask(1, events=2)], [answer(1, "lost")], [noted(1, 1)]),
    ("uninvited", [ask(1)], [answer(1, "conflict")], [noted(1, 1)]),
    ("uninvited", [ask(1, "issue", name="a")], [answer(1, "refused")], [issued(1, "a", 1)]),
    ("untrue", [ask(1)], [answer(1, "failed")], [noted(1, 1)]),
    ("untrue", [ask(1)], [answer(1, "failed"), answer(1, "repeated", 0, "1")], [noted(1, 1)]),
    ("other result", [ask(1)], [answer(1, "repeated", 0, "2")], [noted(1, 1)]),
    ("unknown", [ask(1)], [answer(1, "gave_up", why=UNKNOWN)], []),
    ("unnamed", [ask(1)], [answer(1, "failed", why="unnamed InternalError")], []),
    ("stray", [], [], [noted(1, 9)]),
    ("gap", [ask(1)], [answer(1, "done", 1)], [noted(2, 1)]),
    (
        "boundary",
        [ask(1, "claim", name="x"), ask(2, "claim", name="x")],
        [answer(1, "done", 0), answer(2, "done", 1)],
        [noted(1, 1, type="Claimed"), noted(2, 2, type="Claimed")],
    ),
    ("false conflict", [ask(1, "claim", name="x")], [answer(1, "conflict")], []),
    ("series", [ask(1, "issue", name="a")], [answer(1, "done", 0)], [issued(1, "a", 2)]),
    (
        "series",
        [ask(1, "issue", name="a"), ask(2, "issue", name="b")],
        [answer(1, "done", 0), answer(2, "done", 1)],
        [issued(1, "a", 1), issued(2, "b", 1)],
    ),
]


@pytest.mark.parametrize(("asks", "answers", "log"), KEPT)
def test_a_promise_that_was_kept_is_no_finding(
    asks: list[Ask], answers: list[Answer], log: list[Entry]
) -> None:
    assert found(asks, answers, log) == set()


@pytest.mark.parametrize(("kind", "asks", "answers", "log"), BROKEN)
def test_a_broken_promise_is_found(
    kind: str, asks: list[Ask], answers: list[Answer], log: list[Entry]
) -> None:
    assert found(asks, answers, log) == {kind}

"""What the harness knows for certain, held against what the log says.

The rule: the log is exactly what callers were told, and what they were not told is there at
most once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from domain.ids import TenantId
from tests.faults.asks import UNKNOWN, Answer, Ask

IN: Final = frozenset({"done", "repeated"})
OUT: Final = frozenset({"conflict", "refused", "failed"})
ISSUED: Final = "InvoiceIssued"


class Entry(Struct, frozen=True):
    """An event as the log has it."""

    position: int
    type: str
    data: str


class Finding(Struct, frozen=True, kw_only=True):
    """A promise that was not held."""

    kind: str
    text: str


class _Note(Struct, frozen=True):
    """What the events of the harness say of themselves."""

    ask: int
    n: int


class _Invoiced(Struct, frozen=True):
    invoice: str
    sequence: int = 0


class Book(Struct, kw_only=True):
    """Every ask, and what each attempt at it came to."""

    asks: dict[int, Ask] = {}
    attempts: defaultdict[int, list[Answer]] = msgspec.field(
        default_factory=lambda: defaultdict(list)
    )

    def said(self, number: int) -> set[str]:
        """Return what the attempts at one ask came to."""
        return {answer.said for answer in self.attempts[number]}

    def judge(self, logs: Mapping[TenantId, Sequence[Entry]]) -> list[Finding]:
        """Hold the asks against the logs."""
        found: list[Finding] = []
        for tenant, log in logs.items():
            found += _contiguous(tenant, log)
        where = _places(logs)
        asked = {(ask.tenant, _name(ask)) for ask in self.asks.values()}
        found += [
            Finding(kind="stray", text=f"{name} is in the log, and nobody asked for it.")
            for tenant, name in where
            if (tenant, name) not in asked
        ]
        for ask in self.asks.values():
            found += self._of_one(ask, where.get((ask.tenant, _name(ask)), []))
        found += self._claims(where)
        found += _series(logs)
        return found

    def _of_one(self, ask: Ask, places: list[tuple[int, int]]) -> Iterator[Finding]:
        said, name = self.said(ask.number), _name(ask)
        numbers = Counter(n for n, _ in places)
        if any(many > 1 for many in numbers.values()):
            yield Finding(kind="doubled", text=f"{name} is in the log twice: {places}.")
        if places and len(numbers) < _size(ask):
            yield Finding(kind="torn", text=f"Only {len(places)} events of {name} are in the log.")
        if places and said and said <= {"conflict", "refused"}:
            yield Finding(kind="uninvited", text=f"{name} got {said}, and is in the log.")
        if places and "failed" in said and said <= OUT | {"repeated"}:
            why = {answer.why for answer in self.attempts[ask.number]}
            yield Finding(kind="untrue", text=f"{name} got {why}, and is in the log.")
        bases = {a.base for a in self.attempts[ask.number] if a.said in IN}
        if bases and not places:
            yield Finding(kind="lost", text=f"{name} was acknowledged, and is not in the log.")
        elif len(bases) > 1 or (bases and bases != {min(at for _, at in places) - 1}):
            yield Finding(kind="moved", text=f"{name} was told {bases}, and is at {places}.")
        for answer in self.attempts[ask.number]:
            yield from _of_answer(name, answer)

    def _claims(
        self, where: Mapping[tuple[TenantId, str], list[tuple[int, int]]]
    ) -> Iterator[Finding]:
        """A name is one caller's, and who is told that it is taken finds it taken."""
        holders: defaultdict[tuple[TenantId, str], list[int]] = defaultdict(list)
        told: set[tuple[TenantId, str]] = set()
        for ask in self.asks.values():
            if ask.kind == "claim":
                if where.get((ask.tenant, _name(ask))):
                    holders[ask.tenant, ask.name].append(ask.number)
                if "conflict" in self.said(ask.number):
                    told.add((ask.tenant, ask.name))
        for (_, name), numbers in holders.items():
            if len(numbers) > 1:
                yield Finding(kind="boundary", text=f"The claim {name} is held by {numbers}.")
        for claim in told - holders.keys():
            yield Finding(kind="false conflict", text=f"The claim {claim[1]} is nobody's.")


def _of_answer(name: str, answer: Answer) -> Iterator[Finding]:
    if answer.said == "repeated" and answer.why != str(answer.number):
        yield Finding(kind="other result", text=f"{name} got the result {answer.why}.")
    if answer.why == UNKNOWN:
        yield Finding(kind="unknown", text=f"Nobody could tell what became of {name}.")
    if answer.why.startswith("unnamed"):
        yield Finding(kind="unnamed", text=f"{name} got {answer.why}.")


def _name(ask: Ask) -> str:
    return f"invoice {ask.name}" if ask.kind == "issue" else f"ask {ask.number}"


def _size(ask: Ask) -> int:
    return 1 if ask.kind == "issue" else ask.events


def _places(
    logs: Mapping[TenantId, Sequence[Entry]],
) -> dict[tuple[TenantId, str], list[tuple[int, int]]]:
    """Tell where the events of each ask are: the number of the event, and its position."""
    where: defaultdict[tuple[TenantId, str], list[tuple[int, int]]] = defaultdict(list)
    for tenant, log in logs.items():
        for entry in log:
            if entry.type == ISSUED:
                invoice = msgspec.json.decode(entry.data, type=_Invoiced).invoice
                where[tenant, f"invoice {invoice}"].append((0, entry.position))
            elif entry.type in {"Noted", "Claimed"}:
                note = msgspec.json.decode(entry.data, type=_Note)
                where[tenant, f"ask {note.ask}"].append((note.n, entry.position))
    return where


def _contiguous(tenant: TenantId, log: Sequence[Entry]) -> Iterator[Finding]:
    positions = [entry.position for entry in log]
    if positions != list(range(1, len(log) + 1)):
        yield Finding(kind="gap", text=f"The positions of {tenant} are not 1 to {len(log)}.")


def _series(logs: Mapping[TenantId, Sequence[Entry]]) -> Iterator[Finding]:
    """The law allows no gap, and nobody a number twice."""
    for tenant, log in logs.items():
        numbers = [
            msgspec.json.decode(entry.data, type=_Invoiced).sequence
            for entry in log
            if entry.type == ISSUED
        ]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Finding(kind="series", text=f"The invoices of {tenant} are numbered {numbers}.")

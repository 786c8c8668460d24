"""Looks at logs: what waits for the same log is asked together, in one statement.

Whoever asks gets an answer as of a moment after the question, and nothing of another tenant: a
statement is about one log.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, LiteralString
from uuid import UUID

from msgspec import Struct

from adapters.postgres.connections import Pool, lend
from adapters.postgres.packed import SEPARATOR, bigints, texts
from adapters.postgres.store.reading import Row, event_of
from application import ports
from application.errors import Unavailable
from application.ports import BoundaryQuery, KeyedResult, Look, Snapshot
from domain.ids import TenantId

AT_ONCE: Final = 2
"""Statements about one log at a time. One reads while the next gathers."""

TOGETHER_MAX: Final = 500
"""Boundaries of one statement; a larger question goes alone."""

LOOK: LiteralString = """
SELECT position, name, about, data, recorded_at, actor, correlation_id, causation_id, what
FROM look_v1(%b, %b, %b, %b, %b, %b, %b, %s)
"""


class _Question(Struct, eq=False, frozen=True):
    boundaries: Sequence[BoundaryQuery]
    keys: Sequence[str]
    answer: "asyncio.Future[Look]"


class Looks:
    """Answers looks on a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._questions: defaultdict[TenantId, deque[_Question]] = defaultdict(deque)
        self._asking: defaultdict[TenantId, int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()

    async def look(
        self, tenant: TenantId, boundaries: Sequence[BoundaryQuery], keys: Sequence[str]
    ) -> Look:
        answer: asyncio.Future[Look] = asyncio.get_running_loop().create_future()
        self._questions[tenant].append(_Question(boundaries, keys, answer))
        if self._asking[tenant] < AT_ONCE:
            self._asking[tenant] += 1
            task = asyncio.create_task(self._ask(tenant))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _ask(self, tenant: TenantId) -> None:
        questions = self._questions[tenant]
        while questions:
            together = _gather(questions)
            try:
                answers = await self._answers(tenant, together)
            except Exception as error:  # noqa: BLE001 - each of them is told, and raises it.
                for question in together:
                    if not question.answer.done():
                        question.answer.set_exception(error)
            else:
                for question, answer in zip(together, answers, strict=True):
                    if not question.answer.done():
                        question.answer.set_result(answer)
        self._asking[tenant] -= 1
        if not self._asking[tenant]:
            del self._asking[tenant], self._questions[tenant]

    async def _answers(self, tenant: TenantId, questions: Sequence[_Question]) -> list[Look]:
        boundaries = [b for question in questions for b in question.boundaries]
        asked = (
            UUID(tenant),
            texts([b.tag for b in boundaries]),
            texts([SEPARATOR.join(b.types) for b in boundaries]),
            bigints([b.after for b in boundaries]),
            texts([b.state for b in boundaries]),
            texts([b.version for b in boundaries]),
            texts(sorted({key for question in questions for key in question.keys})),
            ports.LOOK_EVENTS_MAX,
        )
        try:
            rows = await self._rows(asked)
        except Unavailable:
            rows = await self._rows(asked)  # By another connection: reading twice harms nobody.
        versions = {(b.state, b.tag): b.version for b in boundaries if b.version}
        whole = _look(rows, versions)
        return [whole] if len(questions) == 1 else _parts(whole, questions)

    async def _rows(self, asked: Sequence[object]) -> list[Row]:
        async with lend(self._pool) as connection:
            return await (await connection.execute(LOOK, asked, binary=True)).fetchall()


def _gather(questions: deque[_Question]) -> list[_Question]:
    together = [questions.popleft()]
    size = len(together[0].boundaries)
    while questions and size + len(questions[0].boundaries) <= TOGETHER_MAX:
        together.append(questions.popleft())
        size += len(together[-1].boundaries)
    return together


def _look(rows: Sequence[Row], versions: Mapping[tuple[str, str], str]) -> Look:
    of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row[8]].append(row)
    return Look(
        head=sum(row[0] for row in of["head"]),
        erased=sum(row[0] for row in of["erased"]),
        events=tuple(map(event_of, of["event"])),
        long=tuple(row[0] for row in of["long"]),
        results=tuple(
            KeyedResult(key=row[1], result=row[3], fingerprint=row[5], base=row[0])
            for row in of["result"]
        ),
        snapshots=tuple(
            Snapshot(
                state=state, tag=tag, version=versions[state, tag], position=position, data=data
            )
            for position, state, (tag,), data, *_ in of["snapshot"]
        ),
    )


def _parts(whole: Look, questions: Sequence[_Question]) -> list[Look]:
    """Give each question its part of the answer to all: what is about its tags."""
    by_tag: dict[str, list[int]] = defaultdict(list)
    for place, event in enumerate(whole.events):
        for tag in event.tags:
            by_tag[tag].append(place)
    parts: list[Look] = []
    before = 0
    for question in questions:
        tags = {b.tag for b in question.boundaries}
        places = sorted(set(chain.from_iterable(by_tag[tag] for tag in tags & by_tag.keys())))
        after = before + len(question.boundaries)
        parts.append(
            Look(
                head=whole.head,
                erased=whole.erased,
                events=tuple(whole.events[place] for place in places),
                long=tuple(place - before for place in whole.long if before <= place < after),
                results=tuple(r for r in whole.results if r.key in question.keys),
                snapshots=_snapshots(whole.snapshots, question.boundaries),
            )
        )
        before = after
    return parts


def _snapshots(
    found: Sequence[Snapshot], boundaries: Sequence[BoundaryQuery]
) -> tuple[Snapshot, ...]:
    """Leave out what others may start from and this one may not, or is ahead of."""
    asked = {(b.state, b.tag): b for b in boundaries if b.version}
    return tuple(
        snapshot
        for snapshot in found
        if (boundary := asked.get((snapshot.state, snapshot.tag)))
        and snapshot.position > boundary.after
    )

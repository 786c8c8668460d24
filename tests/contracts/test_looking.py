"""Looks that are asked together are answered as if each had been asked alone."""

import asyncio
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.postgres.store.looking import Looks
from adapters.runtime import Runtime
from application.ports import Append, BoundaryQuery, KeyedResult, Look, NewEvent
from domain.ids import TenantId

TAGS = [f"thing:{n}" for n in range(4)]
BOUNDARIES = st.builds(
    BoundaryQuery,
    tag=st.sampled_from([*TAGS, "thing:absent"]),
    types=st.sampled_from([("A",), ("B",), ("A", "B")]),
    after=st.integers(0, 12),
)
QUESTIONS = st.lists(
    st.tuples(
        st.lists(BOUNDARIES, max_size=3),
        st.lists(st.sampled_from(["k1", "k2", "k3"]), max_size=2, unique=True),
    ),
    min_size=2,
    max_size=8,
)


def wanted(look: Look, boundaries: list[BoundaryQuery]) -> tuple[object, ...]:
    """What a fold takes of a look: of each boundary the events after its position."""
    events = [
        [
            event.position
            for event in look.events
            if b.tag in event.tags and event.type in b.types and event.position > b.after
        ]
        for b in boundaries
    ]
    return look.head, look.erased, events, look.long, look.results, look.snapshots


async def filled(runtime: Runtime) -> TenantId:
    tenant = TenantId(str(uuid4()))
    for n in range(12):
        event = NewEvent(
            type="AB"[n % 2],
            tags=(TAGS[n % 4], TAGS[(n + 1) % 4]),
            data="{}",
            actor="system",
            correlation_id="",
            causation_id="",
        )
        keys = (KeyedResult(key=f"k{n}", fingerprint="f", result="{}"),) if n in {1, 2} else ()
        await runtime.store.append(tenant, Append(events=(event,), keys=keys))
    return tenant


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(questions=QUESTIONS)
async def test_together_as_alone(
    runtime: Runtime, questions: list[tuple[list[BoundaryQuery], list[str]]]
) -> None:
    tenant = await filled(runtime)
    looks = Looks(runtime.pool)
    together = await asyncio.gather(*(looks.look(tenant, b, keys) for b, keys in questions))
    for look, (boundaries, keys) in zip(together, questions, strict=True):
        alone = await Looks(runtime.pool).look(tenant, boundaries, keys)
        assert wanted(look, boundaries) == wanted(alone, boundaries)


async def test_one_that_stops_waiting_does_not_stop_the_others(runtime: Runtime) -> None:
    tenant = await filled(runtime)
    looks = Looks(runtime.pool)
    asked = [
        asyncio.create_task(looks.look(tenant, [BoundaryQuery(tag=tag, types=("A",))], ()))
        for tag in TAGS
    ]
    await asyncio.sleep(0)
    asked[0].cancel()
    answers = await asyncio.gather(*asked[1:])
    assert {look.head for look in answers} == {12}

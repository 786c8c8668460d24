"""The attack: two tenants at random on one API, and no answer ever holds the other's.

A few examples of each run: `ISOLATION_EXAMPLES=500` looks harder, `ISOLATION_CONNECTIONS` sets
how many connections the API has.
"""

import asyncio
import os
import time
from secrets import token_hex
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from adapters.embedded.servers import Urls
from adapters.settings import Settings
from tests.isolation.arena import DISTURBANCES, ENDS, MOVES, Arena, Move, Side, as_text
from tests.isolation.twins import Strangers

FEW: Final = 10
EXAMPLES: Final = int(os.environ.get("ISOLATION_EXAMPLES", FEW))
SECONDS_MAX: Final = 20.0 if EXAMPLES == FEW else float("inf")
"""What is not tried by then is left out, unless more is asked for."""

MOVES_MIN: Final = 30
MOVES_MAX: Final = 90
WARMING: Final = [Move(side, what, 0, None) for what in ("record", "draft") for side in (0, 1)]

some_moves = st.lists(
    st.builds(
        Move,
        side=st.integers(0, 1),
        what=st.sampled_from((*MOVES * 3, *DISTURBANCES)),
        which=st.integers(0, 7),
        ends=st.sampled_from(ENDS),
    ),
    min_size=MOVES_MIN,
    max_size=MOVES_MAX,
)


@pytest.fixture
async def arena(strangers: Strangers, api: Settings, database: Urls) -> Arena:
    left, right = await strangers.pair()
    sides = Side(left, f"amber{token_hex(4)}"), Side(right, f"beryl{token_hex(4)}")
    return Arena(api, database.admin_database_url, sides)


async def test_no_interleaving_of_two_tenants_shows_one_what_is_the_others(arena: Arena) -> None:
    until = time.monotonic() + SECONDS_MAX

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(some_moves)
    def attack(moves: list[Move]) -> None:
        if time.monotonic() > until:
            return
        note(as_text(moves))
        asyncio.run(arena.play([*WARMING, *moves]))

    # In a thread, as the projector goes on in this one's loop.
    await asyncio.to_thread(attack)
    assert all(side.told > FEW for side in arena.sides), "Each sees its own."
    assert arena.statuses["gone"] > 0, "Clients went away."
    assert arena.statuses["200"] > FEW
    assert arena.statuses["409"] + arena.statuses["404"] > 0, "Some were refused."


async def test_whoever_is_shown_the_others_is_found_out(arena: Arena) -> None:
    """Or the attack would find nothing, whatever leaked."""
    first, second = arena.sides
    second.ids.append("0199aaaa-0000-7000-8000-000000000000")
    for text in (second.mark, second.stranger.id, *second.ids):
        with pytest.raises(AssertionError):
            arena.look(first, second, 200, f"... {text} ...", "")
    arena.look(first, second, 404, f"There is no {second.ids[0]}.", second.ids[0])
    with pytest.raises(AssertionError):
        arena.look(first, second, 500, "", "")

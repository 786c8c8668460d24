"""Faults that are planted in a projector, so that the harness can be seen to find them.

Each is one that somebody could have made: a test without them would tell of nothing.
"""

import os
import signal
from collections.abc import Callable
from contextvars import ContextVar
from random import random
from typing import Any, Final
from uuid import uuid4

from adapters.postgres.connections import Connection, tenant_transaction
from adapters.postgres.models.rows import Table, write_rows
from adapters.postgres.projecting import folding, projector
from adapters.postgres.projecting import reactions as reacting
from adapters.webhooks import turn
from adapters.webhooks.sending import Answer
from application import reactions
from application.ports import StoredEvent
from application.reactions import DeadLetter
from domain.ids import TenantId
from projections.kernel import Row

VARIABLE: Final = "SOAK_PLANTED"
LOST_SHARE: Final = 0.1
KILLED_SHARE: Final = 0.1
"""How often the process is killed in the very moment that shows the fault: by chance it would take
longer until it is."""

Late = tuple[Table, TenantId, dict[str, Row | None], dict[str, int]]
_late: ContextVar[list[Late]] = ContextVar("late")


def plant(name: str) -> None:
    """Make this process have the fault *name*."""
    PLANTED[name]()


def _a_row_is_dropped() -> None:
    """Write a batch but for its last row, now and then."""

    async def forgetful(
        connection: Connection,
        table: Table,
        tenant: TenantId,
        rows: dict[str, Row | None],
        positions: dict[str, int],
    ) -> None:
        if rows and random() < LOST_SHARE:  # noqa: S311 - no secret comes of it.
            rows = dict(list(rows.items())[:-1])
        await write_rows(connection, table, tenant, rows, positions)

    _replace(folding, "write_rows", forgetful)


def _the_cursor_moves_apart() -> None:
    """Commit the cursor first, and the rows in a transaction of their own."""
    advance = projector.Projector._advance

    async def later(_connection: Connection, *given: Any) -> None:  # noqa: ANN401 - as write_rows.
        _late.get().append(given)

    async def apart(self: projector.Projector, tenant: TenantId, *given: Any) -> Any:  # noqa: ANN401 - as _advance.
        late: list[Late] = []
        _late.set(late)
        answer = await advance(self, tenant, *given)
        if late:
            _die_now_and_then()
            async with tenant_transaction(self._pool, tenant) as connection:
                for each in late:
                    await write_rows(connection, *each)
        return answer

    _replace(folding, "write_rows", later)
    _replace(projector.Projector, "_advance", apart)


def _a_reaction_has_no_key() -> None:
    """Run the command of an event under another key each time."""
    react = reactions.react

    async def mortally(*given: Any) -> DeadLetter | None:  # noqa: ANN401 - as react.
        letter = await react(*given)
        _die_now_and_then()
        return letter

    _replace(reactions, "_key", lambda *_cause: str(uuid4()))
    _replace(reacting, "react", mortally)


def _a_message_is_noted_first() -> None:
    """Note that a message was taken before it is sent."""

    async def hasty(self: turn.Turn, stored: StoredEvent) -> bool:
        noted = await self._hold.sent(stored.position, Answer(status=200))
        _die_now_and_then()
        await self._post(stored)
        return noted

    _replace(turn.Turn, "_send", hasty)


def _die_now_and_then() -> None:
    if random() < KILLED_SHARE:  # noqa: S311 - no secret comes of it.
        os.kill(os.getpid(), signal.SIGKILL)


def _replace(place: object, name: str, by: object) -> None:
    assert hasattr(place, name), f"There is no {name} to be replaced any more."
    setattr(place, name, by)


PLANTED: Final[dict[str, Callable[[], None]]] = {
    "a row is dropped": _a_row_is_dropped,
    "the cursor moves apart": _the_cursor_moves_apart,
    "a reaction has no key": _a_reaction_has_no_key,
    "a message is noted first": _a_message_is_noted_first,
}
"""Every fault that can be planted."""

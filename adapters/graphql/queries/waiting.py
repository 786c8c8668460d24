"""`atLeast`: an answer that holds one's own writes, waited for within bounds."""

from typing import Final

from adapters.graphql.asking import Asking
from adapters.graphql.scalars import Position
from adapters.postgres.models.conditions import Model
from adapters.postgres.models.moments import wait_for_rows

AT_LEAST: Final = "Waits until the answer holds what was so at the position `atLeast`."


async def at_least_wait(asking: Asking, model: Model, position: Position | None) -> None:
    """Wait for the caller's own writes, where it asks for them."""
    runtime = asking.runtime
    seconds_max = runtime.settings.at_least_seconds_max
    await wait_for_rows(
        runtime.read_pool, model, asking.context, position, seconds_max, store=runtime.store
    )

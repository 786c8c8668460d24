"""`atLeast`: an answer that holds the caller's own writes, waited for within bounds."""

from adapters.postgres.models.conditions import Model
from adapters.postgres.models.moments import wait_for_rows
from adapters.runtime import Runtime
from application.kernel import Context


async def wait_until(
    runtime: Runtime, model: Model, context: Context, position: int | None
) -> None:
    """Wait until the caller sees what was so at *position*, where it asks for one.

    Raises:
        Forbidden: It may not see the rows of *model*.
        Malformed: Its log has no such position.
        Unavailable: The rows are still behind when the time that settings give is over.

    """
    seconds_max = runtime.settings.at_least_seconds_max
    await wait_for_rows(
        runtime.read_pool, model, context, position, seconds_max, store=runtime.store
    )

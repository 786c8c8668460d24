"""One row as it is now, and where its last event stands; the answer carries both in its tag."""

import msgspec
from msgspec import Struct
from psycopg import DataError, sql

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.conditions import Model, scope_of
from adapters.postgres.models.moments import wait_for_rows
from adapters.postgres.models.rows import row_decoder
from adapters.postgres.models.shown import shown_type
from adapters.postgres.models.tables import columns_of
from adapters.postgres.models.versions import serving_table
from adapters.rest.tags import Tag, tag_of
from adapters.runtime import Runtime
from application.errors import ApplicationError, Malformed
from application.kernel import Context
from projections.kernel import Row


class Standing(Struct, frozen=True):
    """A row, and the position of the last event that made it what it is."""

    row: Row
    position: int


async def find_row(runtime: Runtime, model: Model, context: Context, key: str) -> Standing | None:
    """Read one row; None where the caller's tenant has none of this key.

    Raises:
        Forbidden: The caller lacks the permission of the model.
        Malformed: The key can't be one.

    """
    scope = scope_of(model, context)
    table = await serving_table(runtime.read_pool, model)
    columns = [sql.Identifier(column.name) for column in columns_of(model.row)]
    query = sql.SQL("SELECT {}, position FROM {} WHERE {} AND {} = %s").format(
        sql.SQL(", ").join(columns),
        sql.Identifier(table),
        scope.condition.text,
        sql.Identifier(model.key),
    )
    try:
        async with tenant_transaction(runtime.read_pool, scope.tenant) as connection:
            found = await connection.execute(query, (*scope.condition.values, key))
            record = await found.fetchone()
    except (DataError, UnicodeEncodeError) as error:
        raise Malformed(
            "query.bad_value",
            f"{model.name} can't be searched for this value.",
            hint="Leave out control characters.",
        ) from error
    if record is None:
        return None
    return Standing(row_decoder(shown_type(model.row))(record), record[-1])


async def tag_since(
    runtime: Runtime, model: Model, context: Context, key: str, position: int
) -> Tag | None:
    """Return the tag of a row as it is since *position*; None where it can't be told in time."""
    try:
        await wait_until(runtime, model, context, position)
        found = await find_row(runtime, model, context, key)
    except ApplicationError:
        return None
    return None if found is None else tag_of(msgspec.json.encode(found.row), found.position)


async def wait_until(
    runtime: Runtime, model: Model, context: Context, position: int | None
) -> None:
    seconds_max = runtime.settings.at_least_seconds_max
    await wait_for_rows(
        runtime.read_pool, model, context, position, seconds_max, store=runtime.store
    )

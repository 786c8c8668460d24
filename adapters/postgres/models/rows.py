"""Rows of read models in PostgreSQL: loaded and written in bulk, one statement each."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from psycopg import sql

from adapters.postgres.connections import Asked, Connection
from adapters.postgres.models.tables import columns_of
from adapters.postgres.models.texts import stored_names, texts_of
from adapters.postgres.models.versions import table_name
from domain.ids import TenantId
from projections.kernel import ReadModel, Row, columns_with_hints


class Table(Struct, frozen=True):
    """The statements of one read model, on its table or on another of the same shape."""

    model: type[ReadModel[Any]]
    load: bytes
    upsert: bytes
    delete: bytes


def table_of(model: type[ReadModel[Any]], name: str | None = None) -> Table:
    """Write the statements for *model*, on the table *name* if it is not that of its version."""
    columns = columns_of(model.row)
    table, key = sql.Identifier(name or table_name(model)), sql.Identifier(model.key)
    fields = [sql.Identifier(c.name) for c in columns if not c.derived]
    names = [sql.Identifier(name) for name in stored_names(model)]
    return Table(
        model=model,
        load=sql.SQL("SELECT {} FROM {} WHERE tenant_id = %s AND {} = ANY (%b::text[])")
        .format(sql.SQL(", ").join(fields), table, key)
        .as_bytes(),
        upsert=sql.SQL(
            "INSERT INTO {table} (tenant_id, {names}, position)"
            " SELECT %s, * FROM unnest({arrays}, %b::bigint[])"
            " ON CONFLICT (tenant_id, {key}) DO UPDATE SET {sets}, position = excluded.position"
        )
        .format(
            table=table,
            names=sql.SQL(", ").join(names),
            arrays=sql.SQL(", ").join(_arrays(model)),
            key=key,
            sets=sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(n) for n in names if n != key
            ),
        )
        .as_bytes(),
        delete=sql.SQL("DELETE FROM {} WHERE tenant_id = %s AND {} = ANY (%b::text[])")
        .format(table, key)
        .as_bytes(),
    )


def _arrays(model: type[ReadModel[Any]]) -> list[sql.Composed]:
    # All values travel as texts: psycopg is slower in making the binary form of others.
    types = [sql.SQL(c.type) for c in columns_of(model.row)]
    casts = [sql.SQL("%b::text[]::{}[]").format(each) for each in types]
    return [*casts, *([sql.SQL("%b::text[]").format()] if model.search else [])]


async def load_rows(
    connection: Connection, table: Table, tenant: TenantId, keys: Iterable[str]
) -> dict[str, Row]:
    """Read the rows of some keys; those that are not there are left out."""
    return await loaded(await ask_for_rows(connection, table, tenant, keys), table)


async def ask_for_rows(
    connection: Connection, table: Table, tenant: TenantId, keys: Iterable[str]
) -> Asked:
    """Send for the rows of some keys; in a pipeline others can be sent for before they come."""
    return await connection.execute(table.load, (tenant, list(keys)))


async def loaded(asked: Asked, table: Table) -> dict[str, Row]:
    """Take the rows that were sent for, by their keys."""
    decode, place = row_decoder(table.model.row), _key_place(table.model)
    return {record[place]: decode(record) for record in await asked.fetchall()}


async def write_rows(
    connection: Connection,
    table: Table,
    tenant: TenantId,
    rows: dict[str, Row | None],
    positions: dict[str, int],
) -> None:
    """Write rows by key, with the position that made each what it is; None deletes."""
    gone = [key for key, row in rows.items() if row is None]
    kept = [(key, row) for key, row in rows.items() if row is not None]
    if gone:
        await connection.execute(table.delete, (tenant, gone))
    if kept:
        columns = texts_of(table.model, [row for _, row in kept])
        moved = [positions[key] for key, _ in kept]
        await connection.execute(table.upsert, (tenant, *columns, moved))


@cache
def row_decoder(row: type[Row]) -> Callable[[Sequence[Any]], Row]:
    """Make a function that builds a row of a record of its columns."""
    columns = [column for column in columns_of(row) if not column.derived]
    hints = columns_with_hints(row)
    nested = {c.name: msgspec.json.Decoder(hints[c.name]) for c in columns if c.is_json}

    def decode(record: Sequence[Any]) -> Row:
        return row(
            **{
                column.name: nested[column.name].decode(value)
                if column.is_json and value is not None
                else value
                for column, value in zip(columns, record, strict=False)
            }
        )

    return decode


def _key_place(model: type[ReadModel[Any]]) -> int:
    return [c.name for c in columns_of(model.row)].index(model.key)

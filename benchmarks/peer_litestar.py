"""The peer: the page by hand on Litestar and msgspec, with neither credential nor tenant.

One SELECT on the table that our API reads, a struct a row, encoded at once: the least that a
typed answer costs where nobody asks who is asking.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from litestar import Litestar, get
from litestar.datastructures import State
from msgspec import Struct
from psycopg import AsyncConnection, sql
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool

from benchmarks.serving.tables import TABLE

CONNECTIONS: Final = 10

# By the primary key, which begins with the tenant: here, too, it is in order without a sort.
PAGE: LiteralString = """
SELECT number, total, customer, lines FROM {} ORDER BY tenant_id, invoice LIMIT %s
"""


class Customer(Struct):
    name: str


class Line(Struct, rename="camel"):
    description: str
    quantity: str
    unit_price: str
    amount: str


class StoredLine(Struct):
    description: str
    quantity: str
    unit_price: str
    amount: str


class Invoice(Struct):
    number: str
    total: Decimal
    customer: Customer
    lines: list[Line]


_customer = msgspec.json.Decoder(Customer).decode
_lines = msgspec.json.Decoder(list[StoredLine]).decode
_page = sql.SQL(PAGE).format(sql.Identifier(TABLE))


@get("/invoices")
async def invoices(state: State, first: int) -> list[Invoice]:
    async with state.pool.connection() as connection:
        found = await connection.execute(_page, (first,), prepare=True)
        rows = await found.fetchall()
    return [
        Invoice(number, total, _customer(customer), [_line(each) for each in _lines(lines)])
        for number, total, customer, lines in rows
    ]


def _line(stored: StoredLine) -> Line:
    return Line(stored.description, stored.quantity, stored.unit_price, stored.amount)


async def _configure(connection: AsyncConnection[Any]) -> None:  # Any: rows of any query.
    connection.adapters.register_loader("json", TextLoader)


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    async with AsyncConnectionPool(
        os.environ["DATABASE_URL"],
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        open=False,
        kwargs={"autocommit": True},
        configure=_configure,
    ) as pool:
        app.state.pool = pool
        yield


app = Litestar([invoices], lifespan=[_running], openapi_config=None, logging_config=None)

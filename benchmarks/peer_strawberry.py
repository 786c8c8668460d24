"""The peer: strawberry as it comes, on Litestar by its own integration, as its docs show it.

Its rows come by the SELECT of the page that is written by hand; types and a resolver do the rest.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final

import strawberry
from litestar import Litestar
from psycopg import sql
from psycopg_pool import AsyncConnectionPool
from strawberry.litestar import make_graphql_controller

from benchmarks.peer_litestar import PAGE
from benchmarks.serving.tables import TABLE

CONNECTIONS: Final = 10
_page = sql.SQL(PAGE).format(sql.Identifier(TABLE))
_pool: AsyncConnectionPool[Any] = AsyncConnectionPool(  # Any: rows of any query.
    os.environ["DATABASE_URL"],
    min_size=CONNECTIONS,
    max_size=CONNECTIONS,
    open=False,
    kwargs={"autocommit": True},
)


@strawberry.type
class Customer:
    name: str


@strawberry.type
class Line:
    description: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


@strawberry.type
class Invoice:
    number: str
    total: Decimal
    customer: Customer
    lines: list[Line]


@strawberry.type
class Query:
    @strawberry.field
    async def invoices(self, first: int) -> list[Invoice]:
        async with _pool.connection() as connection:
            found = await connection.execute(_page, (first,), prepare=True)
            rows = await found.fetchall()
        return [
            Invoice(
                number=number,
                total=total,
                customer=Customer(name=customer["name"]),
                lines=[_line(each) for each in lines],
            )
            for number, total, customer, lines in rows
        ]


def _line(stored: dict[str, str]) -> Line:
    return Line(
        description=stored["description"],
        quantity=Decimal(stored["quantity"]),
        unit_price=Decimal(stored["unit_price"]),
        amount=Decimal(stored["amount"]),
    )


@asynccontextmanager
async def _running(_app: Litestar) -> AsyncIterator[None]:
    async with _pool:
        yield


app = Litestar(
    [make_graphql_controller(strawberry.Schema(Query), path="/graphql")],
    lifespan=[_running],
    openapi_config=None,
    logging_config=None,
)

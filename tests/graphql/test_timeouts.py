"""A query that takes too long is broken off in PostgreSQL, and says so."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import sql

from adapters.postgres.models.versions import serving_table
from adapters.runtime import Runtime
from projections.invoices import Invoices
from tests.graphql.client import Client
from tests.graphql.served import served

PAGE = "{ invoices(first: 1) { nodes { id } } }"


@asynccontextmanager
async def locked(runtime: Runtime) -> AsyncIterator[None]:
    """Let nobody read invoices."""
    table = sql.Identifier(await serving_table(runtime.pool, Invoices))
    url = runtime.settings.owner_url
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        yield
        await connection.rollback()


async def test_a_slow_statement_is_broken_off(runtime: Runtime, client: Client) -> None:
    async with served(runtime, client.tenant, graphql_seconds_max=0.2) as hurried:
        async with locked(runtime):
            began = time.monotonic()
            told = await hurried.ask(f"{PAGE[:-1]} projections {{ name }} }}")
            assert time.monotonic() - began < 2
        error = told["errors"][0]
        assert error["extensions"]["code"] == "graphql.timeout"
        assert error["extensions"]["hint"]
        assert error["path"][0] == "invoices"
        assert await hurried.data(PAGE) == {"invoices": {"nodes": []}}


async def test_a_slow_statement_of_a_compiled_query_is_broken_off(
    runtime: Runtime, client: Client
) -> None:
    async with served(runtime, client.tenant, graphql_seconds_max=0.2) as hurried:
        async with locked(runtime):
            began = time.monotonic()
            told = await hurried.ask(PAGE)
            assert time.monotonic() - began < 2
        assert told["errors"][0]["extensions"]["code"] == "graphql.timeout"
        assert told["extensions"]["cost"]
        assert await hurried.data(PAGE) == {"invoices": {"nodes": []}}


async def test_a_query_of_many_slow_statements_is_bounded_too(
    runtime: Runtime, client: Client
) -> None:
    of = {"graphql_seconds_max": 0.5, "at_least_seconds_max": -0.3}
    async with served(runtime, client.tenant, **of) as hurried:
        async with locked(runtime):
            told = await hurried.ask(f"{PAGE[:-1]} projections {{ name }} }}")
        assert told["errors"][0]["extensions"]["code"] == "graphql.timeout"
        assert "path" not in told["errors"][0]
        assert await hurried.data(PAGE) == {"invoices": {"nodes": []}}


async def test_others_are_answered_meanwhile(runtime: Runtime, client: Client) -> None:
    patient = served(runtime, client.tenant, graphql_seconds_max=1.0)
    async with patient as asking, locked(runtime):
        slow = asyncio.create_task(asking.ask(PAGE))
        assert (await asking.data("{ tenant { slug } }"))["tenant"]
        assert not slow.done()
        assert (await slow)["errors"]

"""On a real PostgreSQL a row is the same however it came about: live, anew, or as of a moment."""

from contextlib import suppress
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from psycopg import sql

from adapters.postgres.connections import tenant_transaction
from adapters.postgres.models.moments import fold_row
from adapters.postgres.models.rows import row_decoder, table_of
from adapters.postgres.models.shown import shown, shown_type
from adapters.postgres.models.tables import columns_of
from adapters.postgres.models.versions import table_name
from adapters.postgres.projecting.building.rebuild import Asked, rebuild
from adapters.postgres.projecting.folding import fold_news, stored_names
from adapters.postgres.projecting.news import read_news
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from domain.kernel import Command, Refused
from projections.balances import CustomerBalances
from projections.invoices import Invoices
from projections.kernel import ReadModel, Row, project, read_models
from projections.vat_book import VatBook
from tests.invoicing.test_properties import sequences
from tests.privacy.conftest import Desk
from tests.projections.conftest import AGAIN, append, log_of
from tests.projections.histories import histories
from tests.projections.kinds import KINDS

Admin = psycopg.Connection[tuple[Any, ...]]
Model = type[ReadModel[Any]]
MODELS = [*read_models().values(), *KINDS]
CRASHES_MAX = 3
FEW = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Killed(Exception):
    """The process died before its commit."""


async def rows_of(desk: Desk, model: Model, table: str) -> dict[str, Row]:
    """Read the rows of a tenant as readers see them."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns_of(model.row))
    statement = sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(table))
    async with tenant_transaction(desk.runtime.pool, desk.tenant) as connection:
        records = await (await connection.execute(statement)).fetchall()
    rows = map(row_decoder(shown_type(model.row)), records)
    return {getattr(row, model.key): row for row in rows}


async def fold_up_to(
    desk: Desk, model: Model, table: str, after: int, until: int, *, killed: bool
) -> int:
    """Take one batch, and come to its end or die; return where the next one begins."""
    pool, vault = desk.runtime.pool, desk.runtime.vault
    with suppress(Killed):
        async with tenant_transaction(pool, desk.tenant) as connection:
            news = await read_news(
                connection,
                desk.tenant,
                after=after,
                until=until,
                names=stored_names(model),
                vault=vault,
            )
            folded = await fold_news(
                connection, table_of(model, table), desk.tenant, news, after=after, vault=vault
            )
            assert folded.failure is None
            if killed:
                raise Killed
        return folded.position
    return after


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
@FEW
@for_all(data=st.data())
async def test_rows_are_the_same_live_and_anew_and_as_of_each_position(
    runtime: Runtime, model: Model, data: st.DataObject
) -> None:
    desk = Desk(runtime)
    history = data.draw(histories(model))
    await append(desk, history)
    expected = {key: shown(row) for key, row in project(model, history).items()}

    after, crashes = 0, 0
    while after < len(history):
        until = data.draw(st.integers(after + 1, len(history)))
        killed = crashes < CRASHES_MAX and data.draw(st.booleans())
        crashes += killed
        after = await fold_up_to(desk, model, table_name(model), after, until, killed=killed)
    assert await rows_of(desk, model, table_name(model)) == expected

    again = AGAIN + table_name(model)
    await fold_up_to(desk, model, again, 0, len(history), killed=False)
    assert await rows_of(desk, model, again) == expected

    keys = {key for event in history for key in model.keys(event)}
    for position in data.draw(st.sets(st.integers(0, len(history)), max_size=4)):
        then = project(model, history[:position])
        for key in keys:
            assert await fold_row(log_of(desk), model, key, position) == then.get(key)


@FEW
@for_all(sequence=sequences)
async def test_any_commands_leave_every_model_as_an_independent_fold_has_it(
    runtime: Runtime, sequence: list[Command]
) -> None:
    desk = Desk(runtime)
    for command in sequence:
        with suppress(Refused):
            await runtime.bus.execute(command, desk.context)
    await Projector(runtime.pool, runtime.vault).catch_up()
    stored = [each async for each in runtime.store.read(desk.tenant)]
    history = await runtime.vault.read(desk.tenant, stored)
    models: tuple[Model, ...] = (Invoices, CustomerBalances, VatBook)
    for model in models:
        expected = {key: shown(row) for key, row in project(model, history).items()}
        assert await rows_of(desk, model, table_name(model)) == expected


@pytest.mark.parametrize("piece_events", [3, 10_000])
async def test_models_that_gather_are_rebuilt_as_they_were(
    runtime: Runtime, admin: Admin, piece_events: int
) -> None:
    desk = Desk(runtime)
    for number in range(12):
        await desk.record(f"R-{number}", f"C{number % 5}")
    await Projector(runtime.pool, runtime.vault).catch_up()
    models: tuple[Model, ...] = (CustomerBalances, VatBook)
    for model in models:
        table = table_name(model)
        before = await rows_of(desk, model, table)
        assert len(before) == (5 if model is CustomerBalances else 1)
        admin.execute(sql.SQL("UPDATE {} SET documents = 99").format(sql.Identifier(table)))
        url = runtime.settings.database_admin_url or ""
        asked = Asked(piece_events=piece_events)
        done = await rebuild(url, model.name, keyring=runtime.keyring, asked=asked)
        assert done.verified
        assert await rows_of(desk, model, table) == before

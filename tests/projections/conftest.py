"""Tables for read models of every kind, and a tenant whose log they are folded from."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from adapters.postgres.models.moments import Log
from adapters.postgres.models.tables import create_table, shape_of
from adapters.postgres.models.versions import table_name
from adapters.runtime import Runtime
from adapters.settings import Settings
from application import codec
from application.ports import Append, NewEvent
from domain.kernel import Event
from projections.kernel import read_models
from tests.privacy.conftest import Desk
from tests.projections.kinds import KINDS

AGAIN = "again_"
MADE = "INSERT INTO read_model (name, version, shape, built_at) VALUES (%s, %s, %s, now())"


@pytest.fixture(scope="module")
def admin(settings: Settings) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection of the schema's owner, in autocommit."""
    with psycopg.connect(settings.database_admin_url or "", autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def kinds(admin: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Make the tables of the models that are of tests only, and of every model one more."""
    for model in KINDS:
        admin.execute(create_table(model, table_name(model)))
        admin.execute(MADE, (model.name, model.version, shape_of(model)))
    for model in (*read_models().values(), *KINDS):
        admin.execute(create_table(model, AGAIN + table_name(model)))


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    return Desk(runtime)


@pytest.fixture
def log(desk: Desk) -> Log:
    return log_of(desk)


def log_of(desk: Desk) -> Log:
    return Log(desk.tenant, desk.runtime.store, desk.runtime.vault)


async def append(desk: Desk, events: Sequence[Event]) -> None:
    """Let events have happened, whatever the rules would say."""
    written = tuple(
        codec.encode(event, actor="system", correlation_id="", causation_id="")
        for event in await desk.runtime.vault.seal(desk.tenant, events)
    )
    if written:
        await desk.runtime.store.append(desk.tenant, Append(events=written))


async def append_raw(desk: Desk, name: str, data: str, *tags: str) -> int:
    """Let something have happened that this code may not be able to read."""
    event = NewEvent(
        type=name, tags=tags, data=data, actor="system", correlation_id="", causation_id=""
    )
    return await desk.runtime.store.append(desk.tenant, Append(events=(event,))) + 1

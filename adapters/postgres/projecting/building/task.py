"""What a rebuild is to make, and where: said once, for the processes that work on it."""

from typing import Any, Final, LiteralString, TypeAlias

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection, sql

from adapters.keyring import Keyring
from adapters.postgres.connections import Connection, prepare_adapters
from adapters.postgres.models.versions import table_name
from projections.kernel import ReadModel, read_models

SyncConnection: TypeAlias = psycopg.Connection[tuple[Any, ...]]  # Any: rows of several shapes.
PUBLIC: Final = "public"
CONNECT_SECONDS: Final = 10

# It sees the logs of all tenants, and may change no event.
ACT: LiteralString = "SET ROLE asiento_appender"
ACT_FOR_NOW: LiteralString = "SET LOCAL ROLE asiento_appender"
AS_BEFORE: LiteralString = "SET LOCAL ROLE NONE"


class Task(Struct, frozen=True, kw_only=True):
    """One rebuild, as every process that works on it knows it.

    Attributes:
        schema: Where the new table is made; another than the usual one for rows as of a day.

    """

    id: int
    url: str
    name: str
    schema: str
    keyring: Keyring

    @property
    def model(self) -> type[ReadModel[Any]]:  # Any: of any row.
        return read_models()[self.name]

    @property
    def is_apart(self) -> bool:
        """Whether the new rows go into a schema of their own, and take nobody's place."""
        return self.schema != PUBLIC

    @property
    def live(self) -> str:
        """The table that serves."""
        return table_name(self.model)

    @property
    def shadow(self) -> str:
        """The table that is being made."""
        return f"{self.model.name if self.is_apart else self.live}__next"

    @property
    def made(self) -> str:
        """What the table will be called."""
        return self.model.name if self.is_apart else self.live

    @property
    def shadow_name(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.shadow)


def former_name(live: str) -> str:
    """Name the table that keeps the former rows."""
    return f"{live}__old"


async def open_owner(url: str) -> Connection:
    """Connect as the schema's owner."""
    connection = await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_SECONDS
    )
    prepare_adapters(connection)
    return connection


async def open_clerk(task: Task) -> Connection:
    """Connect as who sees all tenants, with the new table's schema before the others."""
    connection = await open_owner(task.url)
    await connection.execute(ACT)
    await connection.execute(_path(task))
    return connection


def open_porter(task: Task) -> SyncConnection:
    """As ``open_clerk``, for what waits by itself: COPY."""
    connection = psycopg.connect(task.url, autocommit=True, connect_timeout=CONNECT_SECONDS)
    connection.execute(ACT)
    connection.execute(_path(task))
    return connection


def _path(task: Task) -> sql.Composed:
    return sql.SQL("SET search_path = {}, public").format(sql.Identifier(task.schema))

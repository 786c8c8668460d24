"""Connections that act as the application's role, and transactions that see one tenant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from time import monotonic
from typing import Any, Final, LiteralString, TypeAlias
from uuid import UUID
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, AsyncCursor, OperationalError, sql
from psycopg.errors import QueryCanceled
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from adapters.postgres.packed import Packed, PackedDumper
from application.errors import Unavailable
from domain.ids import TenantId

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]  # Any: rows of any query.
Asked: TypeAlias = AsyncCursor[tuple[Any, ...]]  # Any: as above. A query that was sent.
Pool: TypeAlias = AsyncConnectionPool[Connection]

_used_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
POOL_SIZE_MAX: Final = 10
CONNECT_SECONDS: Final = 10.0

# A server that is gone without a word is found out in about 12 s, and not in two hours.
DEAD_AFTER: Final[dict[str, Any]] = {  # Any: as libpq takes them.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 12_000,
}

# The role owns nothing and bypasses no row-level security, whoever logged in.
ACT_AS_APPLICATION: LiteralString = "SET ROLE asiento_app"
SET_TENANT: LiteralString = "SELECT set_config('app.tenant_id', %s, true)"
BEGIN_AS: LiteralString = "BEGIN; SET LOCAL app.tenant_id = {}"
STATEMENT_WITHIN: LiteralString = "; SET LOCAL statement_timeout = "
TRUSTED_SECONDS: Final = 1.0
"""A connection that was used so lately is taken as it is; an older one is tried first."""

_statement_seconds: ContextVar[float | None] = ContextVar("statement_seconds", default=None)


class Interrupted(Unavailable):
    """PostgreSQL broke a statement off. What had been done of the transaction is undone."""


def bound_statements(seconds: float | None) -> None:
    """Have PostgreSQL break off what takes longer, in this task's transactions from now on."""
    _statement_seconds.set(seconds)


def statement_timeout() -> str:
    """Write what a transaction begins with for that, behind its BEGIN; empty: nothing bounds it."""
    milliseconds = statement_milliseconds()
    return f"{STATEMENT_WITHIN}{milliseconds}" if milliseconds else ""


def statement_milliseconds() -> int:
    """Tell how long a statement of this task may take; 0: nothing bounds it."""
    seconds = _statement_seconds.get()
    return max(int(seconds * 1000), 1) if seconds else 0


async def act_as_application(connection: Connection) -> None:
    """Give up every right of the login role that the application does not need."""
    prepare_adapters(connection)
    await connection.execute(ACT_AS_APPLICATION)


def prepare_adapters(connection: Connection) -> None:
    """Leave JSON as text (msgspec decodes it, or it goes through as it is), and arrays packed."""
    connection.adapters.register_loader("json", TextLoader)
    connection.adapters.register_dumper(Packed, PackedDumper)


async def connect(url: str) -> Connection:
    """Open one connection of one's own, in autocommit.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    try:
        connection = await AsyncConnection.connect(
            url, autocommit=True, connect_timeout=int(CONNECT_SECONDS), **DEAD_AFTER
        )
        await act_as_application(connection)
    except OperationalError as error:
        raise unavailable(error) from error
    return connection


def make_pool(url: str, *, size_max: int = POOL_SIZE_MAX) -> Pool:
    """Describe a pool; open it with ``async with``."""

    async def check(connection: Connection) -> None:
        if monotonic() - _used_at.get(connection, 0.0) <= TRUSTED_SECONDS:
            return
        try:
            await AsyncConnectionPool.check_connection(connection)
        except OperationalError:
            # Where one is dead, the others are: the server was restarted. Found out one by
            # one, they would cost the pool's growing rest between attempts each.
            await pool.drain()
            raise

    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size_max,
        open=False,
        kwargs={"autocommit": True},  # Transactions begin and end where tenant_transaction says.
        configure=act_as_application,
        check=check,
        timeout=CONNECT_SECONDS,
    )
    return pool


@asynccontextmanager
async def tenant_transaction(
    pool: Pool, tenant: TenantId, *, derived: bool = False
) -> AsyncIterator[Connection]:
    """Open a transaction in which row-level security shows *tenant* and nobody else.

    What is *derived*, and made again from where its cursor stands should it be lost, does not
    wait for the disk at its commit.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    # One round trip, and no parameter: a UUID needs no quoting once it is one.
    begin = sql.SQL(BEGIN_AS).format(sql.Literal(str(UUID(tenant)))).as_string(None)
    begin += "; SET LOCAL synchronous_commit = off" if derived else ""
    begin += statement_timeout()
    async with lend(pool) as connection:
        await connection.execute(begin.encode())
        try:
            yield connection
        except BaseException:
            await _roll_back(connection)
            raise
        await connection.execute("COMMIT")


@asynccontextmanager
async def transaction_pipeline(pool: Pool) -> AsyncIterator[Connection]:
    """Open a transaction of statements that go out together; whose it is, the first one says.

    Whoever needs to know what one of them did fetches it, and waits only then; so the count of
    its rows is not known. What fails may be raised by a later statement.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    async with lend(pool) as connection:
        try:
            async with connection.pipeline():
                await connection.execute("BEGIN")
                yield connection
                await connection.execute("COMMIT")
        except BaseException:
            # psycopg takes for prepared what it sent behind the failure, and it is not.
            await connection.close()
            raise


@asynccontextmanager
async def lend(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection on which each statement is a transaction of its own, of no tenant yet.

    Raises:
        Unavailable: PostgreSQL does not answer.

    """
    try:
        async with pool.connection() as connection:
            yield connection
            _used_at[connection] = monotonic()
    except QueryCanceled as error:
        raise _interrupted() from error
    except (OperationalError, PoolTimeout) as error:
        raise unavailable(error) from error


async def _roll_back(connection: Connection) -> None:
    # A connection that broke has nothing to roll back, and the pool lets go of it.
    with suppress(OperationalError):
        await connection.execute("ROLLBACK")


def _interrupted() -> Interrupted:
    seconds = _statement_seconds.get()
    longer = f" after {seconds:g} s" if seconds else ""
    return Interrupted(
        "database.interrupted",
        f"PostgreSQL broke a statement off{longer}.",
        hint="Ask for less: fewer rows, a narrower filter, no count.",
    )


def unavailable(error: Exception) -> Unavailable:
    """Say that the database is away, without what its message may hold of the URL."""
    if "authentication failed" in str(error):
        return Unavailable(
            "database.login_refused",
            "PostgreSQL does not accept this user and password.",
            hint="Mend DATABASE_URL (for migrations and rebuilds, DATABASE_ADMIN_URL).",
        )
    return Unavailable(
        "database.unavailable",
        f"PostgreSQL can't be reached or broke off ({type(error).__name__}).",
        hint="Nothing acknowledged was lost. Ask again when it is back.",
    )

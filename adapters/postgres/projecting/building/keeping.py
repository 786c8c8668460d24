"""The former rows of a rebuilt model: kept for a while, so that they can serve again.

They know no forgetting that came after them. So where somebody is forgotten, they go.
"""

from typing import LiteralString

import structlog
from psycopg import sql

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.building.task import former_name

OVER: LiteralString = """
SELECT model, version, to_regclass(format('%%I', model || '_v' || version || '__old')) IS NOT NULL
FROM rebuild WHERE kept_until IS NOT NULL AND (%s OR kept_until < now())
"""
GONE: LiteralString = """
UPDATE rebuild SET kept_until = NULL WHERE model = %s AND version = %s AND kept_until IS NOT NULL
"""
log = structlog.get_logger()


async def empty_former(connection: Connection, *, at_once: bool = False) -> None:
    """Empty the tables of former rows whose time is over, or all of them, inside a transaction.

    The application may not drop them; empty, they take no room. The next rebuild drops them.
    """
    found = await connection.execute(OVER, (at_once,))
    for model, version, is_there in await found.fetchall():
        if is_there:
            table = sql.Identifier(former_name(f"{model}_v{version}"))
            await connection.execute(sql.SQL("TRUNCATE {}").format(table))
        await connection.execute(GONE, (model, version))
        log.info("projection.former_rows_dropped", model=model, version=version)

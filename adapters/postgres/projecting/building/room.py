"""Whether there is room on the disk for a second table, as far as that can be known beforehand."""

import shutil
from pathlib import Path
from typing import Final, LiteralString

from psycopg import sql

from adapters.postgres.connections import Connection
from adapters.postgres.projecting.building.task import PUBLIC, Task
from domain.ids import TenantId
from domain.kernel import Refused

SORTING: Final = 1.2
"""Indexes are sorted on the disk before they are written."""

# Of a table that holds little as yet: what the events are that it is made of.
SIZES: LiteralString = """
SELECT pg_total_relation_size(to_regclass({table})),
       (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('public.event')
        WHERE isleaf),
       (SELECT sum(position) FROM log_head),
       (SELECT coalesce(sum(position), 0) FROM log_head
        WHERE ({tenant}::uuid IS NULL OR tenant_id = {tenant}))
"""


async def estimate(clerk: Connection, task: Task, tenant: TenantId | None) -> int:
    """Tell about how many bytes the new table and its indexes will take."""
    statement = sql.SQL(SIZES).format(
        table=sql.Literal(sql.Identifier(PUBLIC, task.live).as_string(None)),
        tenant=sql.Literal(tenant),
    )
    row = await (await clerk.execute(statement)).fetchone()
    assert row is not None, "A SELECT of subqueries has a row."
    table, events, positions, mine = (int(each or 0) for each in row)
    return int((table if table > events // 10 else events) * SORTING * mine / max(positions, 1))


def check_room(name: str, needed: int, folder: Path, spare: int) -> None:
    """Refuse what the disk of *folder* can't take and leave so many bytes free.

    Raises:
        Refused: It can't.

    """
    free = shutil.disk_usage(folder).free
    if needed + spare > free:
        raise Refused(
            "projections.no_room",
            f"Rebuilding {name} takes about {_megabytes(needed)} beside the old rows;"
            f" {_megabytes(free)} are free, of which {_megabytes(spare)} are left alone.",
            hint="Make room, rebuild one --tenant at a time, or set REBUILD_SPARE_BYTES"
            " (-1: don't look).",
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"

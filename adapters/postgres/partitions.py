"""Splitting the log by tenant, for those who know on their first day that it will be large."""

from typing import Any, Final

import psycopg

from domain.kernel import Refused

PARTITIONS_MIN: Final = 2
PARTITIONS_MAX: Final = 1_024
NOT_EMPTY: Final = "AS003"
COUNT: Final = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'public.event'::regclass"
Connection = psycopg.Connection[tuple[Any, ...]]  # Any: rows of any query.


def partition_log(connection: Connection, partitions: int) -> bool:
    """Split the empty tables of the log; tell whether there was something to do.

    Raises:
        Refused: The log holds events, is split in another number, or the number is no good.

    """
    if not PARTITIONS_MIN <= partitions <= PARTITIONS_MAX:
        raise Refused(
            "database.bad_partitions",
            f"The log can't be split into {partitions}.",
            hint=f"Ask for {PARTITIONS_MIN} to {PARTITIONS_MAX} partitions.",
        )
    row = connection.execute(COUNT).fetchone()
    found = row[0] if row else 0
    if found == partitions:
        return False
    if found:
        raise Refused(
            "database.partitioned",
            f"The log is split into {found} already.",
            hint="Make a new database, and bring the tenants over by archive and restore.",
        )
    try:
        with connection.transaction():
            connection.execute("SELECT partition_log_v1(%s)", (partitions,))
    except psycopg.Error as error:
        if error.sqlstate != NOT_EMPTY:
            raise
        raise Refused(
            "database.not_empty",
            "The log holds events, and its tables can't be split any more.",
            hint="Make a new database, and bring the tenants over by archive and restore.",
        ) from error
    return True

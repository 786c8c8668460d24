"""What PostgreSQL sends by COPY, taken from the connection a row at a time.

The driver's own loop comes through two generators for each row, and takes twice as long.
"""

from collections.abc import Iterator
from select import POLLIN, poll
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.errors import error_from_result
from psycopg.pq.abc import PGconn

Connection = psycopg.Connection[tuple[Any, ...]]  # Any: rows of several shapes.
SIGNATURE_BYTES: Final = 19
END: Final = b"\xff\xff"


def copied_rows(connection: Connection, statement: sql.Composed) -> Iterator[bytes]:
    """Run a binary COPY to here; give each row as it comes, with its fields as they were sent."""
    with connection.cursor().copy(statement) as copy:
        first = bytes(copy.read())[SIGNATURE_BYTES:]
        if len(first) > len(END):
            yield first
            yield from _received(connection.pgconn)
        if copy.read():
            raise psycopg.OperationalError("The rows did not end where they said.")


def _received(server: PGconn) -> Iterator[bytes]:
    """Give each row, up to the mark of their end or to an error."""
    arrival = poll()
    arrival.register(server.socket, POLLIN)
    while True:
        length, row = server.get_copy_data(1)
        if length > len(END):
            yield bytes(row)
        elif length == 0:
            arrival.poll()
            server.consume_input()
        elif length > 0:
            return
        else:
            raise _why_it_ended(server)


def _why_it_ended(server: PGconn) -> psycopg.Error:
    """Take what the server said last, so that nothing is left to be read."""
    results = list(iter(server.get_result, None))
    if not results:
        return psycopg.OperationalError("The rows ended before the mark of their end.")
    return error_from_result(results[0])

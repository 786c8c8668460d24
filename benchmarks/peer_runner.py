"""The peer: the eventsourcing library's ProjectionRunner on PostgreSQL, as its makers ship it.

Its events hold the data of invoices like ours, not sealed; its projection folds them by the same
read model, and writes the row and its tracking in one transaction, as its documentation has it.
It speaks as our client processes do.
"""

import sys
from decimal import Decimal
from time import perf_counter, process_time
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
import psycopg
from eventsourcing.application import Application
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import sql

from adapters.postgres.models.search import search_text
from adapters.postgres.models.tables import SEARCH, columns_of, define_table
from benchmarks.appending.load import Did, Load
from benchmarks.peer_eventsourcing import Invoice, environment
from benchmarks.projecting.invoices import an_invoice, data_of
from domain.ids import SYSTEM_TENANT
from domain.invoicing import InvoiceRecorded
from projections.invoices import InvoiceRow, Invoices

TABLE: Final = "peer_invoices"
SAVED_TOGETHER: Final = 500
EVENTS_PER_SECOND_MAX: Final = 4_000
"""More than it folds, so that its backlog never ends within the time."""

COLUMNS: Final = columns_of(InvoiceRow)
_decode = msgspec.json.Decoder(InvoiceRecorded).decode


class Books(Application[UUID]):
    """The application whose events are projected."""


class View(PostgresTrackingRecorder):
    """A table of invoices like ours, and how far it has come."""

    def __init__(self, datastore: Any, **given: Any) -> None:  # noqa: ANN401 - as the library's.
        super().__init__(datastore, **given)
        names = [*(column.name for column in COLUMNS), *([SEARCH] if Invoices.search else [])]
        places = sql.SQL(", ").join([sql.Placeholder()] * (len(names) + 2))
        self._insert = sql.SQL("INSERT INTO {} (tenant_id, {}, position) VALUES ({})").format(
            sql.Identifier(TABLE), sql.SQL(", ").join(map(sql.Identifier, names)), places
        )

    def add(self, row: InvoiceRow, tracking: Tracking) -> None:
        values = _values(row)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            given = (SYSTEM_TENANT, *values, tracking.notification_id)
            cursor.execute(self._insert, given, prepare=True)


class Folding(Projection[View]):
    """Folds each event by our own read model, so that only the machinery differs."""

    name = "peer_view"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:  # noqa: ANN401 - as above.
        row = Invoices.apply(None, _decode(domain_event.data))
        assert row is not None
        self.view.add(row, tracking)


def main() -> None:
    load = msgspec.json.decode(sys.stdin.readline(), type=Load)
    known = environment(load) | {"POSTGRES_POOL_SIZE": "5"}  # Its own default.
    _fill(load, known)
    print("ready", flush=True)
    sys.stdin.readline()
    print(msgspec.json.encode(_fold_for(known, load.seconds)).decode(), flush=True)
    sys.stdin.read()


def _fill(load: Load, known: dict[str, str]) -> None:
    """Make the table, and save aggregates of one event for longer than it will fold."""
    with psycopg.connect(load.database_url, autocommit=True) as owner:
        if owner.execute("SELECT to_regclass(%s)", (TABLE,)).fetchone() == (None,):
            owner.execute(define_table(Invoices, TABLE))
    patterns = [data_of(an_invoice(number)) for number in range(SAVED_TOGETHER)]
    books = Books(known)
    for _ in range(int(load.seconds * EVENTS_PER_SECOND_MAX) // SAVED_TOGETHER + 1):
        books.save(*(Invoice(data=_own(pattern)) for pattern in patterns))
    books.close()


def _own(pattern: str) -> str:
    invoice = str(uuid4())
    return pattern.replace("INVOICE", invoice).replace("NUMBER", f"N{invoice}")


def _fold_for(known: dict[str, str], seconds: float) -> Did:
    with ProjectionRunner(
        application_class=Books, projection_class=Folding, view_class=View, env=known
    ) as runner:
        before = _reached(runner.view)
        begun, cpu = perf_counter(), process_time()
        runner.run_forever(seconds)
        folded = _reached(runner.view) - before
        took, cpu = perf_counter() - begun, process_time() - cpu
    return Did(operations=folded, events=folded, seconds=took, cpu_seconds=cpu, p50_ms=0, p99_ms=0)


def _reached(view: View) -> int:
    return view.max_tracking_id(Books.name) or 0


def _values(row: InvoiceRow) -> list[object]:
    """Write a row as texts, which psycopg sends fastest."""
    values: list[object] = []
    for column in COLUMNS:
        value = getattr(row, column.name)
        if column.is_json and value is not None:
            value = msgspec.json.encode(value).decode()
        values.append(str(value) if isinstance(value, Decimal) else value)
    return [*values, *([search_text(Invoices, row)] if Invoices.search else [])]


if __name__ == "__main__":
    main()

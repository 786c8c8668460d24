"""Logs of invoices made long by COPY: three lines each, a customer whose data is sealed.

The bus seals a text for a customer, an event type and a field, so that one seal a customer is
as good as one an invoice. Events are like those of an import; they have no true hash, as no
projection looks at it.
"""

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from itertools import repeat
from pathlib import Path
from secrets import token_bytes
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from adapters.embedded.servers import Urls
from adapters.keyring import KEY_BYTES, Keyring, open_keyring
from adapters.postgres.subject_keys import binding_of
from adapters.settings import Settings
from application import codec
from application.ports import SubjectKey
from application.vault import Vault
from benchmarks.appending.work import ACTOR, CORRELATION, tenants
from domain.ids import TenantId
from domain.invoicing import CustomerCode, InvoiceId, InvoiceNumber, InvoiceRecorded, Line
from domain.kernel import Event

CUSTOMERS_MAX: Final = 1_000
INVOICES_PER_CUSTOMER: Final = 10
CHUNK_EVENTS: Final = 200_000
STEP: Final = 7_919
"""A prime: by such steps the customers are visited as if by chance."""

TYPE: Final = InvoiceRecorded.__name__
LINES: Final = (
    ("WHITE HANGING HEART T-LIGHT HOLDER", Decimal(6), Decimal("2.55"), Decimal(21)),
    ("CREAM CUPID HEARTS COAT HANGER", Decimal(8), Decimal("2.75"), Decimal(21)),
    ("ASSORTED COLOUR BIRD ORNAMENT", Decimal(32), Decimal("1.69"), Decimal(10)),
)

PATTERNS: LiteralString = """
CREATE TABLE IF NOT EXISTS bench_pattern (
    tenant_id uuid NOT NULL, customer integer NOT NULL, code text NOT NULL, data text NOT NULL,
    PRIMARY KEY (tenant_id, customer))
"""
KEYS: LiteralString = """
COPY subject_key (tenant_id, subject, generation, wrapped, master) FROM STDIN
"""
HEADS: LiteralString = """
INSERT INTO log_head SELECT t, 0, sha256('filler') FROM unnest(%s::uuid[]) AS t
"""
FILLED: LiteralString = "SELECT coalesce(sum(position), 0)::bigint, count(*) FROM log_head"
CUSTOMERS: LiteralString = "SELECT max(customer) + 1 FROM bench_pattern"
MOVE: LiteralString = "UPDATE log_head SET position = position + %s"

EVENTS: LiteralString = """
INSERT INTO event
SELECT tenant_id, at, {type},
       ARRAY['customer_code:' || code, 'invoice:' || invoice, 'number:N' || at],
       replace(replace(data, 'INVOICE', invoice), 'NUMBER', 'N' || at),
       now(), {actor}, {correlation}, '', sha256('filler')
FROM {invoices}
ORDER BY at, tenant_id
"""
TAGS: LiteralString = """
INSERT INTO event_tag
SELECT tenant_id, tag, {type}, at FROM {invoices}, unnest(
    ARRAY['customer_code:' || code, 'invoice:' || invoice, 'number:N' || at]) AS tag
ORDER BY tenant_id, tag, at
"""
INVOICES: LiteralString = """(
    SELECT h.tenant_id, h.position + n AS at, p.code, p.data,
           '0198c0de-0000-7000-8000-' || lpad(to_hex(h.position + n), 12, '0') AS invoice
    FROM generate_series(1, {each}) AS n CROSS JOIN log_head AS h
    JOIN bench_pattern AS p
      ON p.tenant_id = h.tenant_id AND p.customer = (h.position + n) * {step} % {customers}
) AS i"""


def fill(
    urls: Urls, folder: Path, *, events: int, tenant_count: int, lines: int = len(LINES)
) -> int:
    """Bring the logs of so many tenants to so many events in all, and return how many it is."""
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        filled, begun = _row(admin, FILLED)
        if begun == 0:
            keys = _Keys(open_keyring(Settings(asiento_data=folder)))
            customers = _customers(events // tenant_count)
            patterns = [an_invoice(number, lines) for number in range(customers)]
            _begin(admin, keys, tenants(tenant_count), patterns)
        while (left := events - filled) >= tenant_count:
            each = max(1, min(left, CHUNK_EVENTS) // tenant_count)
            with ThreadPoolExecutor() as pool:
                list(pool.map(_insert, repeat(urls), (EVENTS, TAGS), repeat(each)))
            admin.execute(MOVE, (each,))
            filled += each * tenant_count
        # Otherwise autovacuum would do this while we measure.
        admin.execute("VACUUM (ANALYZE, INDEX_CLEANUP off) event, event_tag, log_head")
        admin.execute("CHECKPOINT")
    return int(filled)


def _insert(urls: Urls, statement: LiteralString, each: int) -> None:
    with psycopg.connect(urls.admin_database_url, autocommit=True) as admin:
        admin.execute("SET synchronous_commit = off")
        invoices = sql.SQL(INVOICES).format(
            each=sql.Literal(each),
            step=sql.Literal(STEP),
            customers=sql.Literal(_row(admin, CUSTOMERS)[0]),
        )
        known = {
            "type": sql.Literal(TYPE),
            "actor": sql.Literal(ACTOR),
            "correlation": sql.Literal(CORRELATION),
            "invoices": invoices,
        }
        admin.execute(sql.SQL(statement).format(**known))


def _customers(events_each: int) -> int:
    return max(1, min(CUSTOMERS_MAX, events_each // INVOICES_PER_CUSTOMER))


def _begin(
    admin: "psycopg.Connection[tuple[Any, ...]]",
    keys: "_Keys",
    names: list[TenantId],
    patterns: Sequence[InvoiceRecorded],
) -> None:
    """Write the heads, one event a customer as a pattern for all theirs, and its key."""
    admin.execute(HEADS, (names,))
    admin.execute(PATTERNS)
    with (
        asyncio.Runner() as runner,
        admin.cursor() as cursor,
        cursor.copy("COPY bench_pattern (tenant_id, customer, code, data) FROM STDIN") as copy,
    ):
        for tenant in names:
            sealed = runner.run(Vault(keys).seal(tenant, patterns))
            for number, event in enumerate(sealed):
                copy.write_row((tenant, number, _code(number), data_of(event)))
    with admin.cursor() as cursor, cursor.copy(KEYS) as copy:
        for row in keys.made:
            copy.write_row(row)
    admin.execute("ANALYZE bench_pattern, subject_key")


def data_of(event: Event) -> str:
    """Return what the log holds of an event."""
    return codec.encode(event, actor=ACTOR, correlation_id=CORRELATION, causation_id="").data


def an_invoice(number: int, lines: int = len(LINES)) -> InvoiceRecorded:
    """Say what is recorded of a customer; INVOICE and NUMBER stand where each has its own."""
    return InvoiceRecorded(
        invoice=InvoiceId("INVOICE"),
        number=InvoiceNumber("NUMBER"),
        kind="invoice",
        issued_on=date(2026, 1, 1) + timedelta(days=number % 365),
        currency="EUR",
        lines=tuple(
            Line(
                description=text, quantity=quantity, unit_price=price, tax_rate=rate, item="85123A"
            )
            for text, quantity, price, rate in LINES[:lines]
        ),
        customer_code=CustomerCode(_code(number)),
        customer_name=f"García Hernández e Hijos {number}, S.L.",
        customer_country="ES",
        customer_tax_id=f"B{number:08}",
    )


def _code(number: int) -> str:
    return f"C{number:05}"


class _Keys:
    """Implements ``SubjectKeys`` in memory, and keeps what the table is to hold of it."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.made: list[tuple[TenantId, str, int, bytes, str]] = []

    async def find(
        self, tenant: TenantId, subjects: Collection[str], *, make: bool = False
    ) -> list[SubjectKey]:
        assert make, "What is only sealed asks for keys to seal with."
        found: list[SubjectKey] = []
        for subject in subjects:
            key = token_bytes(KEY_BYTES)
            master, wrapped = self._keyring.wrap(key, binding_of(tenant, subject, 0))
            self.made.append((tenant, subject, 0, wrapped, master))
            found.append(SubjectKey(subject=subject, generation=0, key=key))
        return found

    async def last_generation(self, tenant: TenantId, subject: str) -> int | None:
        raise LookupError(f"Nobody forgets {subject} of {tenant} here.")


def _row(admin: "psycopg.Connection[tuple[Any, ...]]", statement: LiteralString) -> Any:  # noqa: ANN401 - a row of any query.
    return admin.execute(statement).fetchone()

"""Lists are searched by words: of the caller's own rows, of what is known of them today."""

from typing import Any

import psycopg
import pytest

from adapters.postgres.models import queries
from adapters.postgres.models.conditions import Filter
from adapters.postgres.models.queries import count_rows, list_rows
from adapters.postgres.models.versions import table_name
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from application.errors import Malformed
from projections.invoices import InvoiceRow, Invoices
from projections.jobs import Jobs
from tests.privacy.conftest import Desk
from tests.projections.kinds import Buyers

Admin = psycopg.Connection[tuple[Any, ...]]
TABLE = table_name(Invoices)
PLAN = """
EXPLAIN SELECT customer_code FROM {table}
WHERE tenant_id = current_tenant() AND search_text LIKE '%needle%' LIMIT 1001
"""
MANY = """
INSERT INTO {table} (tenant_id, customer_code, bills, regular, search_text, position)
SELECT '{tenant}', 'C' || n, '[]', false, md5(n::text) || ' common', n
FROM generate_series(1, 20000) AS n
"""


def words(text: object) -> Filter:
    return {"search": {"words": text}}


async def found(desk: Desk, text: object, **asked: dict[str, object]) -> list[str | None]:
    page = await list_rows(
        desk.runtime.pool,
        Invoices,
        desk.context,
        filter={**words(text), **asked},
        order_by="number",
    )
    return [row.number for row in page.rows if isinstance(row, InvoiceRow)]


@pytest.fixture
async def desk(runtime: Runtime) -> Desk:
    """A tenant with three customers and four invoices."""
    desk = Desk(runtime)
    await desk.record("2026-1")
    await desk.record("2026-2", "C8", "José García Ñandú")
    await desk.record("2025-3", "C8", "José García Ñandú")
    await desk.record("50%_off", "C9", "GARCIA Hermanos S.L.")
    await Projector(runtime.pool, runtime.vault).catch_up()
    return desk


@pytest.mark.parametrize("few", [1_000, 1])
@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("garcía", ["2025-3", "2026-2", "50%_off"]),
        ("GARCIA 2026", ["2026-2"]),
        ("2026 garc", ["2026-2"]),
        ("ndu", ["2025-3", "2026-2"]),
        ("Ñandú", ["2025-3", "2026-2"]),
        ("nunez", ["2026-1"]),
        ("n", ["2025-3", "2026-1", "2026-2", "50%_off"]),
        ("%", ["50%_off"]),
        ("_", ["50%_off"]),
        ("c8", ["2025-3", "2026-2"]),
        ("", ["2025-3", "2026-1", "2026-2", "50%_off"]),
        ("garcia nobody", []),
        ("\\", []),
        ("'; DROP TABLE invoices; --", []),
        ("x\x00", []),
    ],
)
async def test_words_find_rows_whether_many_have_them_or_few(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, few: int, text: str, numbers: list[str]
) -> None:
    monkeypatch.setattr(queries, "FOUND_MAX", few)
    assert await found(desk, text) == numbers
    count = await count_rows(desk.runtime.pool, Invoices, desk.context, filter=words(text))
    assert count == len(numbers)


async def test_a_search_goes_with_other_filters_and_comes_in_pages(desk: Desk) -> None:
    assert await found(desk, "garcia", customer_code={"eq": "C8"}) == ["2025-3", "2026-2"]
    pool, context = desk.runtime.pool, desk.context
    page = await list_rows(pool, Invoices, context, first=2, filter=words("garcia"))
    rest = await list_rows(
        pool, Invoices, context, first=2, filter=words("garcia"), after=page.cursors[-1]
    )
    assert (len(page.rows), page.has_next, len(rest.rows), rest.has_next) == (2, True, 1, False)


async def test_nobody_finds_the_rows_of_another_tenant(desk: Desk) -> None:
    assert await found(Desk(desk.runtime), "garcia") == []


@pytest.mark.parametrize("asked", [7, None, ["a"], " ".join(map(str, range(11)))])
async def test_what_is_no_words_is_refused(desk: Desk, asked: object) -> None:
    with pytest.raises(Malformed) as refused:
        await found(desk, asked)
    assert refused.value.code in {"query.bad_comparison", "query.bad_value"}


async def test_a_model_without_a_search_says_what_it_can_be_filtered_by(desk: Desk) -> None:
    with pytest.raises(Malformed) as refused:
        await list_rows(desk.runtime.pool, Jobs, desk.context, filter=words("a"))
    assert refused.value.code == "query.not_filterable"
    assert "search" not in refused.value.hint
    with pytest.raises(Malformed) as refused:
        await list_rows(desk.runtime.pool, Invoices, desk.context, filter={"net": {"eq": 1}})
    assert refused.value.hint.endswith("batch, due, search.")


async def test_who_is_forgotten_is_found_by_no_name_and_lies_in_no_search_text(
    desk: Desk, admin: Admin
) -> None:
    await desk.forget("C8")
    await Projector(desk.runtime.pool, desk.runtime.vault).catch_up()
    assert await found(desk, "garcia") == ["50%_off"]
    assert await found(desk, "c8") == ["2025-3", "2026-2"]
    mine = f"SELECT search_text FROM {TABLE} WHERE tenant_id = '{desk.tenant}'"
    assert "nandu" not in str(admin.execute(mine.encode()).fetchall())


@pytest.mark.usefixtures("kinds")
async def test_the_function_has_the_index_that_row_level_security_keeps_from_the_application(
    desk: Desk, admin: Admin
) -> None:
    table = table_name(Buyers)
    admin.execute(MANY.format(table=table, tenant=desk.tenant).encode())
    admin.execute(f"ANALYZE {table}".encode())

    def plan(role: str) -> str:
        with admin.transaction():
            admin.execute("SET LOCAL enable_seqscan = off")
            admin.execute(f"SET LOCAL ROLE {role}".encode())
            admin.execute(f"SET LOCAL app.tenant_id = '{desk.tenant}'".encode())
            return str(admin.execute(PLAN.format(table=table).encode()).fetchall())

    index = "Bitmap Index Scan on test_buyers_v1_tenant_id_search_text_idx"
    assert index in plan("asiento_appender")
    assert index not in plan("asiento_app")


@pytest.mark.usefixtures("kinds")
async def test_without_the_extensions_all_is_found_without_an_index(
    desk: Desk, admin: Admin
) -> None:
    with admin.transaction() as transaction:
        admin.execute("DROP EXTENSION pg_trgm CASCADE")
        admin.execute("SELECT index_search_v1('test_buyers_v1')")
        left = "SELECT FROM pg_indexes WHERE indexdef LIKE '%search_text%'"
        assert admin.execute(left).fetchall() == []
        raise psycopg.Rollback(transaction)
    index = f"DROP INDEX {TABLE}_tenant_id_search_text_idx"
    admin.execute(index.encode())
    assert await found(desk, "garcia 2026") == ["2026-2"]
    admin.execute("SELECT index_search_v1(%s)", (TABLE,))
    assert await found(desk, "garcia 2026") == ["2026-2"]

"""What every staging area promises for the rows of files on their way in."""

from uuid import uuid4

import pytest

from application.ports import StagedError, StagedRow, Staging
from domain.ids import BatchId, TenantId

BATCH, OTHER = BatchId("b1"), BatchId("b2")
ROWS = [
    StagedRow("A-2", 2, ["A-2", "tab\there", "line\nbreak\r\n", "back\\slash"]),
    StagedRow("A-10", 3, ["A-10", "", "ñ 日本", ""]),
    StagedRow("A-2", 4, ["A-2", "x"]),
    StagedRow("", 5, []),
    StagedRow("a-1", 6, ["a-1"]),
    StagedRow("É-1", 7, ["É-1"]),
]


def error(document: str, line: int, code: str = "imports.bad_date") -> StagedError:
    return StagedError(
        document=document, line=line, code=code, column="date", value="x\x00", reason="No date."
    )


async def lines(staging: Staging, tenant: TenantId) -> list[int]:
    found = await staging.rows(tenant, BATCH, after=("", 0), limit=100)
    return [row.line for row in found]


async def good(
    staging: Staging, tenant: TenantId, *, after: str = "", rows: int = 100
) -> list[int]:
    found = await staging.documents(tenant, BATCH, after=after, rows=rows)
    return [row.line for row in found]


@pytest.fixture
async def filled(staging: Staging, tenant: TenantId) -> Staging:
    await staging.add(tenant, BATCH, ROWS[:3])
    await staging.add(tenant, BATCH, ROWS[3:])
    return staging


async def test_rows_come_back_as_they_went_in_by_document_then_line(
    filled: Staging, tenant: TenantId
) -> None:
    expected = sorted(ROWS, key=lambda row: (row.document, row.line))
    found = await filled.rows(tenant, BATCH, after=("", 0), limit=100)
    assert [(row.document, row.line, list(row.cells)) for row in found] == [
        (row.document, row.line, list(row.cells)) for row in expected
    ]


async def test_rows_come_in_pages_that_miss_and_repeat_none(
    staging: Staging, tenant: TenantId
) -> None:
    many = [StagedRow(f"A-{n % 700}", n, ["x"]) for n in range(2, 3002)]
    await staging.add(tenant, BATCH, many)
    seen: list[tuple[str, int]] = []
    at = ("", 0)
    while page := await staging.rows(tenant, BATCH, after=at, limit=500):
        assert len(page) < len(many)
        seen += [(row.document, row.line) for row in page]
        at = seen[-1]
    assert seen == sorted((row.document, row.line) for row in many)


async def test_a_chunk_that_was_not_noted_is_dropped_and_sent_again(
    filled: Staging, tenant: TenantId
) -> None:
    await filled.drop_after(tenant, BATCH, 4)
    assert await lines(filled, tenant) == [3, 2, 4]
    await filled.add(tenant, BATCH, ROWS[3:])
    assert await lines(filled, tenant) == [5, 3, 2, 4, 6, 7]


async def test_documents_are_whole_and_without_an_error(filled: Staging, tenant: TenantId) -> None:
    assert await good(filled, tenant) == [3, 2, 4, 6, 7]
    await filled.reject(tenant, BATCH, [error("A-2", 4)])
    assert await good(filled, tenant) == [3, 6, 7]


async def test_documents_go_on_after_the_last_one(staging: Staging, tenant: TenantId) -> None:
    many = [StagedRow(f"A-{n // 7:04}", n, ["x"]) for n in range(2, 3002)]
    await staging.add(tenant, BATCH, many)
    seen: list[int] = []
    after = ""
    while found := await staging.documents(tenant, BATCH, after=after, rows=500):
        assert len(found) < len(many)
        seen += [row.line for row in found]
        after = found[-1].document
    assert seen == list(range(2, 3002))


async def test_a_document_larger_than_a_chunk_is_whole(staging: Staging, tenant: TenantId) -> None:
    await staging.add(tenant, BATCH, [StagedRow("A-1", n, ["A-1"]) for n in range(2, 12)])
    await staging.add(tenant, BATCH, [StagedRow("A-2", 20, ["A-2"])])
    found = await good(staging, tenant, rows=3)
    assert found[:10] == list(range(2, 12))
    assert await good(staging, tenant, after="A-1", rows=3) == [20]


async def test_the_first_reason_of_a_row_holds(filled: Staging, tenant: TenantId) -> None:
    await filled.reject(tenant, BATCH, [error("A-2", 2)])
    await filled.reject(tenant, BATCH, [error("A-2", 2, "imports.held")])
    assert await filled.hold(tenant, BATCH) == 1


async def test_good_rows_of_a_bad_document_are_held_once(filled: Staging, tenant: TenantId) -> None:
    await filled.reject(tenant, BATCH, [error("A-2", 4), error("", 5)])
    assert await filled.hold(tenant, BATCH) == 1
    assert await filled.hold(tenant, BATCH) == 1
    assert await good(filled, tenant) == [3, 6, 7]


async def test_errors_are_forgotten_when_asked(filled: Staging, tenant: TenantId) -> None:
    await filled.reject(tenant, BATCH, [error("A-2", 4)])
    await filled.hold(tenant, BATCH)
    await filled.clear_errors(tenant, BATCH)
    assert await good(filled, tenant) == [3, 2, 4, 6, 7]
    assert await filled.hold(tenant, BATCH) == 0


async def test_batches_and_tenants_are_apart(filled: Staging, tenant: TenantId) -> None:
    stranger = TenantId(str(uuid4()))
    assert await filled.rows(tenant, OTHER, after=("", 0), limit=9) == []
    assert await filled.rows(stranger, BATCH, after=("", 0), limit=9) == []
    await filled.drop_after(stranger, BATCH, 0)
    await filled.clear_errors(tenant, OTHER)
    assert len(await lines(filled, tenant)) == len(ROWS)

"""Batches over GraphQL: opened, filled with rows, and looked into."""

import pytest

from adapters.postgres.staging import PostgresStaging
from adapters.runtime import Runtime
from application.ports import StagedError, StagedRow
from domain.ids import BatchId
from tests.graphql.client import Client

OPEN = """
mutation Open { openImportBatch(input: {origin: "test"}) { batch position } }
"""
INGEST = """
mutation Ingest($input: IngestRowsInput!) {
  ingestRows(input: $input) { batch job position events { type } }
}
"""
ROWS = """
query Rows($batch: ID!, $first: Int = 50, $after: String, $filter: ImportRowFilter,
           $atLeast: Position) {
  importRows(batch: $batch, first: $first, after: $after, filter: $filter, atLeast: $atLeast) {
    nodes { line document status cells code column value reason }
    pageInfo { hasNextPage endCursor }
    totalCount
  }
}
"""
REJECTED = {"status": {"eq": "rejected"}}


async def staged(runtime: Runtime, client: Client) -> tuple[BatchId, str]:
    """Open a batch of three rows, the second of which is rejected."""
    opened = (await client.data(OPEN))["openImportBatch"]
    batch = BatchId(opened["batch"])
    staging = PostgresStaging(runtime.pool)
    cells = (("A", "1", ["A", "x"]), ("B", "2", ["B", "y"]), ("C", "3", ["C", "z"]))
    rows = [StagedRow(document, int(line), texts) for document, line, texts in cells]
    await staging.add(client.tenant.id, batch, rows)
    error = StagedError(
        document="B", line=2, code="imports.no_date", column="date", value="y", reason="No date."
    )
    await staging.reject(client.tenant.id, batch, [error])
    return batch, opened["position"]


async def test_rows_sent_as_json_start_a_job(client: Client) -> None:
    batch = (await client.data(OPEN))["openImportBatch"]["batch"]
    rows = [{"number": "1", "date": "2026-01-31", "quantity": 1, "unit_price": 1.25}]
    made = (await client.data(INGEST, input={"batch": batch, "rows": rows}))["ingestRows"]
    assert made["batch"] == batch
    assert [event["type"] for event in made["events"]] == ["FileReceived", "JobQueued"]
    query = "query J($id: ID!, $at: Position) { job(id: $id, atLeast: $at) { subject status } }"
    job = await client.data(query, id=made["job"], at=made["position"])
    assert job["job"] == {"subject": batch, "status": "queued"}


async def test_rows_of_a_file_are_walked_page_by_page(runtime: Runtime, client: Client) -> None:
    batch, position = await staged(runtime, client)
    lines, after, more = [], None, True
    while more:
        asked = {"batch": batch, "first": 2, "after": after, "atLeast": position}
        page = (await client.data(ROWS, **asked))["importRows"]
        lines += [row["line"] for row in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert lines == [1, 2, 3]


async def test_rejected_rows_say_why(runtime: Runtime, client: Client) -> None:
    batch, position = await staged(runtime, client)
    answer = await client.data(ROWS, batch=batch, filter=REJECTED, atLeast=position)
    assert answer["importRows"]["nodes"] == [
        {
            "line": 2,
            "document": "B",
            "status": "rejected",
            "cells": ["B", "y"],
            "code": "imports.no_date",
            "column": "date",
            "value": "y",
            "reason": "No date.",
        }
    ]


async def test_another_tenants_rows_are_not_there(
    runtime: Runtime, client: Client, other: Client
) -> None:
    batch, position = await staged(runtime, client)
    await client.data(ROWS, batch=batch, atLeast=position)
    answer = await other.data(ROWS, batch=batch)
    assert answer["importRows"]["nodes"] == []
    assert answer["importRows"]["totalCount"] == 0


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"first": 101}, "query.bad_first"),
        ({"after": "nothing"}, "query.bad_cursor"),
        ({"after": "W3RydWUsIiIsMV0", "filter": None}, "query.bad_cursor"),
        ({"filter": {"status": {"eq": "odd"}}}, "query.bad_value"),
    ],
)
async def test_rows_refuse_what_they_cannot_understand(
    client: Client, asked: dict[str, object], code: str
) -> None:
    assert (await client.error(ROWS, batch="b", **asked))["code"] == code

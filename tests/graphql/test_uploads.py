"""Files over GraphQL: streamed, bounded, refused where they have no place, and imported."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from litestar.types import HTTPReceiveMessage

from adapters.blobs.folder import FolderBlobs
from adapters.graphql.commands.uploads import TooLarge, uploaded
from adapters.runtime import Runtime
from tests.graphql.client import Client
from tests.graphql.test_imports import OPEN
from tests.rest.api import make_tenant

UPLOAD = """
mutation Upload($batch: ID!, $file: Upload!, $key: String) {
  uploadImportFile(input: {batch: $batch, file: $file}, idempotencyKey: $key) {
    batch job position events { type }
  }
}
"""
SALES = b"number,date,quantity,unit_price\nU-1,2026-01-31,1,5\n"
PIECE_BYTES = 65_536
BOUNDARY = "a-border-that-no-file-holds"


def operations(batch: str, **variables: object) -> dict[str, object]:
    return {"query": UPLOAD, "variables": {"batch": batch, "file": None, **variables}}


async def send(
    client: Client,
    asked: object,
    places: object,
    files: dict[str, bytes] | None = None,
    **headers: str,
) -> httpx.Response:
    """Send a form as others write it: what is asked, the map, then the files."""
    parts: list[tuple[str, Any]] = [
        ("operations", (None, json.dumps(asked))),
        ("map", (None, json.dumps(places))),
    ]
    parts += [(name, (f"{name}.csv", content)) for name, content in (files or {}).items()]
    return await client.http.post(client.url, files=parts, headers=headers)


def blobs_of(runtime: Runtime, client: Client) -> list[Path]:
    assert isinstance(runtime.blobs, FolderBlobs)
    folder = runtime.blobs.folder(client.tenant.id)
    return sorted(folder.iterdir()) if folder.exists() else []


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def until(so: Callable[[], bool]) -> None:
    while not so():  # noqa: ASYNC110 - a folder has no event for it.
        await asyncio.sleep(0.01)


async def opened(client: Client) -> str:
    batch: str = (await client.data(OPEN))["openImportBatch"]["batch"]
    return batch


async def test_an_uploaded_file_starts_the_import_of_a_batch(
    runtime: Runtime, client: Client
) -> None:
    batch = await opened(client)
    answer = await send(client, operations(batch), {"0": ["variables.file"]}, {"0": SALES})
    made = answer.json()["data"]["uploadImportFile"]
    assert made["batch"] == batch
    assert [event["type"] for event in made["events"]] == ["FileReceived", "JobQueued"]
    (kept,) = blobs_of(runtime, client)
    assert kept.read_bytes() == SALES


async def test_the_same_file_under_the_same_key_is_taken_in_once(client: Client) -> None:
    batch = await opened(client)
    asked, places = operations(batch, key="once"), {"0": ["variables.file"]}
    first, second = [await send(client, asked, places, {"0": SALES}) for _ in range(2)]
    assert first.json()["data"] == second.json()["data"]
    assert "errors" not in first.json()


async def test_a_file_in_an_input_object_finds_its_place(client: Client) -> None:
    query = "mutation U($i: UploadImportFileInput!) { uploadImportFile(input: $i) { batch } }"
    given = {"batch": await opened(client), "file": None, "mapping": {"decimalMark": "."}}
    asked = {"query": query, "variables": {"i": given}}
    answer = await send(client, asked, {"0": ["variables.i.file"]}, {"0": SALES})
    assert answer.json()["data"]["uploadImportFile"]["batch"] == given["batch"]


@pytest.mark.parametrize(
    ("asked", "places", "files", "says"),
    [
        ({}, {"0": ["variables.nothing"]}, {"0": SALES}, "no variable"),
        ({}, {"0": ["variables.file.0"]}, {"0": SALES}, "no place"),
        ({}, {"0": ["query"]}, {"0": SALES}, "no variable"),
        ({}, {"0": ["variables"]}, {"0": SALES}, "no variable"),
        ({"file": "text"}, {"0": ["variables.file"]}, {"0": SALES}, "must be null"),
        ({}, {"0": ["variables.file"]}, {}, "did not come"),
        ({}, {"0": ["variables.file"]}, {"0": SALES, "1": SALES}, "no place in the map"),
        (
            {},
            {"0": ["variables.file"], "1": ["variables.file"]},
            {"0": SALES, "1": SALES},
            "Two files are to be in one place",
        ),
        ({}, {"0": []}, {"0": SALES}, "used nowhere"),
        ({}, [], {"0": SALES}, "not the JSON"),
        ({}, {"0": "variables.file"}, {"0": SALES}, "not the JSON"),
        ({}, {str(n): ["variables.file"] for n in range(11)}, {}, "too many files"),
    ],
)
async def test_a_file_without_its_place_is_refused_and_not_kept(
    runtime: Runtime,
    client: Client,
    *,
    asked: dict[str, object],
    places: object,
    files: dict[str, bytes],
    says: str,
) -> None:
    answer = await send(client, operations("b", **asked), places, files)
    (error,) = answer.json()["errors"]
    assert answer.status_code in {400, 413}
    assert error["extensions"]["code"].startswith("graphql.")
    assert says in error["message"]
    assert blobs_of(runtime, client) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "can't be read"),
        (b"nonsense", "can't be read"),
        (f"--{BOUNDARY}--\r\n".encode(), "ends before its map"),
        (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="map"\r\n\r\n{{}}\r\n'
            f"--{BOUNDARY}--".encode(),
            "operations was expected",
        ),
        (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="operations"\r\n\r\n[]\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="map"\r\n\r\n{{}}\r\n'
            f"--{BOUNDARY}--".encode(),
            "no one operation",
        ),
    ],
)
async def test_a_form_of_another_kind_is_told_from_a_request(
    client: Client, body: bytes, says: str
) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = await client.http.post(client.url, content=body, headers=headers)
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert says in error["message"]
    assert error["extensions"]["code"] == "graphql.bad_upload"


async def test_more_than_the_limit_is_refused_while_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    parts = {
        "operations": (None, json.dumps(operations("b"))),
        "map": (None, '{"0": ["variables.file"]}'),
        "0": ("0.csv", b"x" * 3_000_000),
    }
    form = httpx.Request("POST", "http://a.example", files=cast("Any", parts))
    body, taken = form.read(), 0

    async def receive() -> HTTPReceiveMessage:
        nonlocal taken
        taken += PIECE_BYTES
        piece = body[taken - PIECE_BYTES : taken]
        return {"type": "http.request", "body": piece, "more_body": taken < len(body)}

    with pytest.raises(TooLarge, match="1,000,000 bytes"):
        async with uploaded(form.headers["content-type"], receive, 1_000_000):
            pass
    assert taken < 1_200_000
    assert files_in(tmp_path) == []


async def test_an_upload_that_breaks_off_leaves_nothing(
    runtime: Runtime, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opened = (await client.data(OPEN))["openImportBatch"]
    asked = json.dumps(operations(opened["batch"]))
    begun = asyncio.Event()

    async def halves() -> AsyncIterator[bytes]:
        yield (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{asked}\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="map"\r\n\r\n'
            f'{{"0": ["variables.file"]}}\r\n--{BOUNDARY}\r\n'
            'Content-Disposition: form-data; name="0"; filename="a.csv"\r\n\r\n'
        ).encode() + SALES
        await until(lambda: files_in(tmp_path) != [])
        begun.set()
        raise ConnectionAbortedError

    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    with pytest.raises(ConnectionAbortedError):
        await client.http.post(client.url, content=halves(), headers=headers)
    assert begun.is_set()
    await until(lambda: files_in(tmp_path) == [])
    assert blobs_of(runtime, client) == []
    query = "query Q($b: ID!, $at: Position) { importBatch(id: $b, atLeast: $at) { status } }"
    batch = await client.data(query, b=opened["batch"], at=opened["position"])
    assert batch["importBatch"]["status"] == "open"


async def test_whoever_may_not_import_leaves_no_file(runtime: Runtime, url: str) -> None:
    async with Client(url, await make_tenant(runtime, ("invoicing.invoice.read",))) as client:
        answer = await send(client, operations("b"), {"0": ["variables.file"]}, {"0": SALES})
        assert answer.json()["errors"][0]["extensions"]["code"] == "access.forbidden"
        assert blobs_of(runtime, client) == []


async def test_a_form_of_another_page_needs_leave_first(url: str) -> None:
    async with httpx.AsyncClient() as http:
        form: Any = {"operations": (None, "{}")}
        answer = await http.post(url, files=form)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "graphql.preflight_required"
        asked = await http.post(url, files=form, headers={"GraphQL-Require-Preflight": "1"})
        assert asked.json()["errors"][0]["extensions"]["code"] == "access.unauthenticated"


async def test_text_is_no_file(client: Client) -> None:
    error = await client.error(UPLOAD, batch="b", file="text")
    assert error["code"] == "graphql.invalid"
    assert "multipart" in error["message"]

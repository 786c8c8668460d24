"""What imports have over REST beside their commands: files as multipart, and rows to look at."""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State, UploadFile
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import Struct

from adapters.postgres.models.queries import find_row
from adapters.postgres.staging import ListedRow, list_import_rows
from adapters.rest.bodies import FORM, taking
from adapters.rest.commands import (
    ERRORS,
    IdempotencyKey,
    IfMatch,
    Wanted,
    execute,
    result_of,
)
from adapters.rest.problems import documented
from adapters.rest.reads import TAG, UNCHANGED, AtLeast
from adapters.rest.routes import TAKES_FILES
from adapters.rest.tags import JSON, tagged
from adapters.runtime import Runtime
from adapters.waiting import wait_until
from application.errors import Malformed, NotFound
from application.kernel import Context, build, convert, exposed_commands
from application.ports import Blobs
from domain.ids import BatchId
from domain.imports import IngestRows
from domain.imports.columns import GivenMapping
from projections.imports import ImportBatches, ImportBatchRow

PIECE_BYTES: Final = 1 << 20
MAPPING_BYTES_MAX: Final = 1 << 20
PAGE_ROWS: Final = 100
PAGE_ROWS_MAX: Final = 500
READ_ERRORS: Final = documented(400, 401, 403, 404, 503)


class RowPage(Struct, frozen=True, kw_only=True):
    """Rows of a batch, and where the next page begins."""

    items: list[ListedRow]
    next: str | None


@post(
    "/imports/batches/{batch:str}/ingest",
    status_code=202,
    operation_id="IngestRows",
    summary="Ingest rows",
    description="Take in rows as JSON (`rows`, `defaults`, `mapping`), or a file as multipart: its"
    " field `file`, and if need be `mapping` as JSON. CSV, plain or gzip.",
    tags=["imports"],
    responses=ERRORS,
    opt={TAKES_FILES: True},
    before_request=taking(JSON, FORM),
)
async def ingest(
    request: Request[Context, str, State],
    batch: FromPath[str],
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Response[result_of(IngestRows)]:  # type: ignore[valid-type] # Made of the command.
    runtime: Runtime = request.app.state.runtime
    exposed = exposed_commands()[IngestRows]
    exposed.check(request.user)
    if request.content_type[0] == FORM:
        form = await request.form()
        kept = await _kept(runtime.blobs, request.user, form.get("file"), form.get("mapping"))
        command = build(IngestRows, {"batch": batch, **kept}, runtime.clock)
    else:
        given = {**_object(await request.body()), "batch": batch}
        command = await exposed.build(given, request.user, runtime.blobs, runtime.clock)
    wanted = Wanted(ImportBatches, {"batch": batch}, if_match, idempotency_key)
    return await execute(request, command, wanted)


@get(
    "/imports/batches/{batch:str}",
    operation_id="GetImportBatch",
    summary="Get an import batch",
    tags=["imports"],
    responses={304: UNCHANGED, **READ_ERRORS},
    response_headers=[TAG],
)
async def get_batch(
    request: Request[Context, str, State], batch: FromPath[str], at_least: AtLeast = None
) -> Response[ImportBatchRow]:
    runtime: Runtime = request.app.state.runtime
    await wait_until(runtime, ImportBatches, request.user, at_least)
    found = await find_row(runtime.read_pool, ImportBatches, request.user, batch)
    if found is None:
        raise NotFound(
            "imports.no_batch", f"There is no import batch {batch}.", hint="Open a batch first."
        )
    return tagged(request, found.row, found.position)


@get(
    "/imports/batches/{batch:str}/rows",
    operation_id="ListImportRows",
    summary="List the rows of an import batch",
    tags=["imports"],
    responses=READ_ERRORS,
)
async def list_rows_of_batch(
    request: Request[Context, str, State],
    batch: FromPath[str],
    status: FromQuery[Literal["all", "rejected"]] = "all",
    first: Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)] = PAGE_ROWS,
    after: FromQuery[str | None] = None,
) -> RowPage:
    await get_batch.fn(request, batch)  # Who may not see the batch may not see its rows.
    runtime: Runtime = request.app.state.runtime
    rows = await list_import_rows(
        runtime.read_pool,
        request.user.tenant,
        BatchId(batch),
        after=_cursor(after),
        limit=first + 1,
        rejected=status == "rejected",
    )
    more = len(rows) > first
    following = f"{rows[first - 1].line}:{rows[first - 1].document}" if more else None
    return RowPage(items=rows[:first], next=following)


def _cursor(after: str | None) -> tuple[str, int]:
    if after is None:
        return "", 0
    found = re.fullmatch(r"([0-9]{1,9}):(.*)", after, re.DOTALL)
    if found is None:
        raise Malformed(
            "query.bad_cursor", "This is no cursor.", hint="Take `next` of the page before."
        )
    return found[2], int(found[1])


def _object(body: bytes) -> Mapping[str, Any]:  # Any: JSON, checked against its shape later.
    try:
        given = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        given = error
    if not isinstance(given, dict):
        raise Malformed(
            "input.invalid",
            "The body is no JSON object.",
            hint='Send {"rows": [...], "defaults": {...}}, or a file as multipart/form-data.',
        )
    return given


async def _kept(
    blobs: Blobs, context: Context, file: object, mapping: UploadFile | str | bytes | None
) -> Mapping[str, object]:
    """Keep an uploaded file, and return the fields of the command that takes it in."""
    if not isinstance(file, UploadFile):
        raise Malformed(
            "imports.no_file", "The form has no file.", hint="Send it as the field `file`."
        )
    if isinstance(mapping, UploadFile):
        mapping = await mapping.read(MAPPING_BYTES_MAX)
    try:
        given = GivenMapping() if mapping is None else convert(json.loads(mapping), GivenMapping)
    except (ValueError, TypeError) as error:
        raise Malformed(
            "imports.bad_mapping", f"The mapping is no JSON: {error}.", hint="Mend or omit it."
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        path, size = Path(folder) / "upload", 0
        with path.open("wb") as copy:
            while piece := await file.read(PIECE_BYTES):
                size += copy.write(piece)
        return {
            "sha256": await blobs.put(context.tenant, path),
            "name": Path(file.filename or "upload").name[:255] or "upload",
            "size_bytes": size,
            "mapping": given,
        }


HANDLERS = (ingest, get_batch, list_rows_of_batch)

"""The import of a file over GraphQL: the same command as over REST, and as for rows in JSON."""

from typing import Any, Final, cast

import strawberry
from strawberry import UNSET
from strawberry.types.field import StrawberryField

from adapters.graphql.asking import Info
from adapters.graphql.commands.commanding import IDEMPOTENCY, done, result_type
from adapters.graphql.commands.uploads import Received, Upload
from adapters.graphql.shapes import field_of, given, input_type, made_class
from application.kernel import build, exposed_commands
from domain.imports import IngestRows
from domain.imports.columns import GivenMapping

SAYS: Final = f"Take in a file of rows, which a job reads: CSV, plain or gzip. {IDEMPOTENCY}"


def import_file_fields() -> dict[str, StrawberryField]:
    """Make further fields of Mutation, by name."""
    annotations = {
        "batch": strawberry.ID,
        "file": Upload,
        "mapping": input_type(GivenMapping) | None,
    }
    shape = made_class("UploadImportFileInput", annotations, {"mapping": UNSET})
    upload_import_file.__annotations__ |= {
        "input": strawberry.input(shape, description="A file of rows, and the batch it is for."),
        "return": result_type(exposed_commands()[IngestRows]),
    }
    return {"upload_import_file": field_of(upload_import_file, SAYS)}


async def upload_import_file(
    info: Info,
    input: object,  # noqa: A002 - the contract's word.
    idempotency_key: str | None = None,
) -> object:
    asking, exposed = info.context, exposed_commands()[IngestRows]
    runtime, context = asking.runtime, asking.context
    exposed.check(context)  # Nothing is kept for those who may not.
    sent: dict[str, Any] = given(input)
    file = cast("Received", sent.pop("file"))
    kept = {
        **sent,
        "sha256": await runtime.blobs.put(context.tenant, file.path),
        "name": file.name,
        "size_bytes": file.size_bytes,
    }
    return await done(exposed, build(IngestRows, kept, runtime.clock), asking, idempotency_key)

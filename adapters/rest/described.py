"""The OpenAPI document: what the framework derives of handlers, and what it can't know of them.

What holds for every operation of a kind is said here once; what holds for one stands at its
handler. Nothing is said that is not so: a client is generated of this, and tests send what it says.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec
from litestar.openapi.spec import Tag

from adapters.rest.commands import body_of
from adapters.rest.examples import EXAMPLES, PROBLEM
from adapters.rest.problems import MEANINGS, MEDIA_TYPE
from adapters.rest.streams import CSV, NDJSON
from application.kernel import exposed_commands
from domain.imports import IngestRows

Json: TypeAlias = dict[str, Any]  # Any: a document.
REFERENCE: Final = "#/components/schemas/{name}"
TAGS: Final = (
    Tag("invoicing", "Invoices, credit notes, and what follows of them: balances, the VAT book."),
    Tag("imports", "Invoices of files and of other systems, a batch at a time."),
    Tag("jobs", "What takes longer than an answer may, and how far it is."),
    Tag("credentials", "What opens systems outside: it goes in, and never comes out."),
    Tag("webhooks", "Endpoints of others that are sent each event, signed."),
    Tag("privacy", "What a person may ask for of what is known of them."),
    Tag("tenants", "The companies whose books are kept."),
    Tag("modules", "What a company has of the product: modules, fields, sector templates."),
    Tag("access", "Who gets in."),
    Tag("operations", "How the process is. No credential is asked for."),
)
OF_ANY: Final = (431,)
OF_BODIES: Final = (408, 413, 415)
HEADERS: Final[dict[str, dict[str, Json]]] = {
    "401": {"WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}}},
    "429": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
    "503": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
    "412": {
        "ETag": {
            "description": "The row as it is now, where the caller may read it.",
            "schema": {"type": "string"},
        }
    },
}


def described(document: Json) -> Json:
    """Complete what the framework derived."""
    document = _plain(document)
    for operation in operations_of(document):
        _describe(operation)
    schemas = document["components"]["schemas"]
    schemas["Problem"]["examples"] = [PROBLEM]
    ingest = document["paths"]["/api/v1/imports/batches/{batch}/ingest"]["post"]
    ingest["requestBody"] = _rows(schemas) | {"required": True}
    return document


def operations_of(document: Json) -> Iterator[Json]:
    """Name the operations of a document."""
    for operations in document["paths"].values():
        yield from operations.values()


def _describe(operation: Json) -> None:
    operation.setdefault("security", [])
    responses = operation["responses"]
    takes_body = "requestBody" in operation or operation["operationId"] == IngestRows.__name__
    for status in (*OF_ANY, *(OF_BODIES if takes_body else ())):
        responses.setdefault(str(status), _problem(MEANINGS[status]))
    responses["default"] = _problem("Any other problem, such as a fault of ours (500).")
    for status, response in responses.items():
        for header in response.get("headers", {}).values():
            header.setdefault("schema", {"type": "string"})
        if status in HEADERS and MEDIA_TYPE in response.get("content", {}):
            response["headers"] = {**response.get("headers", {}), **HEADERS[status]}
    if "406" in responses:
        content = responses["200"]["content"]
        content[CSV] = {"schema": {"type": "string", "description": "A row a line, under a head."}}
        content[NDJSON] = {"schema": {"type": "string", "description": "A row a line, as JSON."}}
    example = EXAMPLES.get(operation["operationId"])
    if example is not None and "requestBody" in operation:
        for content in operation["requestBody"]["content"].values():
            content["examples"] = {"usual": {"value": example}}
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _sent(parameter["schema"])


def _problem(meaning: str) -> Json:
    reference = {"$ref": REFERENCE.format(name="Problem")}
    return {"description": meaning, "content": {MEDIA_TYPE: {"schema": reference}}}


def _sent(schema: Json) -> Json:
    """Describe what a parameter holds where it is sent: null it never is, it is left out."""
    if isinstance(schema.get("type"), list) and None in schema.get("enum", ()):
        values = [value for value in schema["enum"] if value is not None]
        return {**schema, "type": "string", "enum": values}
    kinds = [kind for kind in schema.get("oneOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "oneOf"}}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any part of a document.
    """Write a choice of one as what it is."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _plain(each) for name, each in value.items()}
    match plain.get("oneOf"):
        case [only] if isinstance(only, dict):
            rest = {name: each for name, each in plain.items() if name != "oneOf"}
            return {**only, **rest}
    return plain


def _rows(schemas: Json) -> Json:
    """Describe the body that is read by hand: rows as JSON, or a file in a form."""
    shape = body_of(exposed_commands()[IngestRows].shape, ["batch"])
    assert shape is not None, "There are rows in it."
    (rows,), made = msgspec.json.schema_components([shape], ref_template=REFERENCE)
    schemas.update(made)
    file = {"type": "string", "format": "binary", "description": "CSV, plain or gzip."}
    mapping = {"type": "string", "description": "What is to be known of it, as JSON."}
    form = {
        "type": "object",
        "properties": {"file": file, "mapping": mapping},
        "required": ["file"],
    }
    example = {"usual": {"value": EXAMPLES[IngestRows.__name__]}}
    return {
        "content": {
            "application/json": {"schema": rows, "examples": example},
            "multipart/form-data": {"schema": form},
        }
    }

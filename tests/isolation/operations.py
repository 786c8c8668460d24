"""Requests made of the OpenAPI document: each place that can hold something of a company's."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from msgspec import Struct

from adapters.rest.app import make_app
from adapters.rest.docs import document_of
from adapters.settings import Settings
from tests.isolation.company import SHARED

Json = Any  # JSON of any shape.
METHODS: Final = ("get", "post", "put", "patch", "delete")
LONG_AGO: Final = "2020-01-01T00:00:00Z"
NOT_ALIKE: Final = frozenset({"lt", "lte", "gt", "gte", "null", "in"})
"""Comparisons that let rows of one's own through, whatever they are compared with; and lists."""

SAMPLES: Final = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}


class Operation(Struct, frozen=True):
    """An operation of the document."""

    method: str
    path: str
    about: Json

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"

    def parameters(self, where: str) -> list[str]:
        return [each["name"] for each in self.about.get("parameters", ()) if each["in"] == where]


@cache
def document() -> Json:
    """Write the document, as the API that is tried serves it."""
    return json.loads(document_of(make_app(Settings())))


def operations() -> list[Operation]:
    """List every operation of the document."""
    return [
        Operation(method, path, about)
        for path, methods in document()["paths"].items()
        for method, about in methods.items()
        if method in METHODS
    ]


def templates(operation: Operation, named: Mapping[str, object]) -> Iterator[dict[str, Json]]:
    """Make requests, each with one place or several that hold something of the company's."""
    places = operation.parameters("path")
    base = {"method": operation.method, "url": _address(operation.path, places)}
    body = _body(operation)
    if places:
        yield from _of_path(operation, base, body)
    yield from _of_filters(operation, base, named)
    for given in _of_body(operation, body, named) if body is not None else ():
        yield {**base, "json": given}


def _address(path: str, places: list[str]) -> str:
    for place in places:
        path = path.replace(f"{{{place}}}", f"<<{place}>>")
    return path


def _of_path(operation: Operation, base: dict[str, Json], body: Json) -> Iterator[dict[str, Json]]:
    whole = base if body is None else {**base, "json": body}
    yield whole
    query, headers = operation.parameters("query"), operation.parameters("header")
    moments = ("0", "1", LONG_AGO, datetime.now(UTC).isoformat())
    for name, values in (("as_of", moments), ("at_least", ("0",))):
        if name in query:
            yield from ({**base, "params": {name: value}} for value in values)
    for tag in ("*", f'"7-{"0" * 32}"') if "If-Match" in headers else ():
        yield {**whole, "headers": {"If-Match": tag}}
    if operation.method == "get":
        yield {**base, "method": "head"}
        yield {**base, "headers": {"If-None-Match": "*"}}


def _of_filters(
    operation: Operation, base: dict[str, Json], named: Mapping[str, object]
) -> Iterator[dict[str, Json]]:
    for name in operation.parameters("query"):
        column, _, _ = name.removeprefix("filter[").partition("]")
        compared = name.rpartition("[")[2].rstrip("]")
        if name.startswith("filter[") and column in named and compared not in NOT_ALIKE:
            yield {**base, "params": {name: f"<<{column}>>"}}


def _of_body(operation: Operation, body: Json, named: Mapping[str, object]) -> Iterator[Json]:
    """Put the company's into one field after the other, and then into all of them."""
    places = list(_places(_schema(operation), named))
    for place in places:
        yield _with(body, place)
    if len(places) > 1:
        for place in places:
            body = _with(body, place)
        yield body


def _schema(operation: Operation) -> Json:
    content = operation.about.get("requestBody", {}).get("content", {})
    return _resolved(content.get("application/json", {}).get("schema"))


def _body(operation: Operation) -> Json:
    """Write a usual body; None where there is none."""
    content = operation.about.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    examples = content.get("examples")
    if examples:
        return next(iter(examples.values()))["value"]
    return _sample(content["schema"])


def _resolved(schema: Json) -> Json:
    if schema is None:
        return {}
    if "$ref" in schema:
        return _resolved(document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return _resolved(next(each for each in schema[several] if each.get("type") != "null"))
    return schema


def _kind(schema: Json) -> str:
    """Name the type of a schema; of several, the one that is not null."""
    given = schema.get("type", "string")
    return given if isinstance(given, str) else next(each for each in given if each != "null")


def _sample(schema: Json) -> Json:
    schema = _resolved(schema)
    kind = _kind(schema)
    if kind == "object":
        parts = schema.get("properties", {})
        return {name: _sample(parts[name]) for name in schema.get("required", ())}
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "array":
        return [_sample(schema["items"])] * schema.get("minItems", 0)
    return SAMPLES.get(kind, "none")


def _places(schema: Json, named: Mapping[str, object], *above: str) -> Iterator[tuple[str, ...]]:
    """Find the fields that go by the name of something of the company's, however deep."""
    schema = _resolved(schema)
    if _kind(schema) == "array":
        yield from _places(schema["items"], named, *above, "[]")
    for name, of in schema.get("properties", {}).items():
        kind = _kind(_resolved(of))
        if kind in {"array", "object"}:
            yield from _places(of, named, *above, name)
        elif name in named and name not in SHARED:
            yield (*above, name)


def _with(body: Json, place: tuple[str, ...]) -> Json:
    """Write a body anew, with the company's in one place."""
    name, *rest = place
    if name == "[]":
        first, *others = body or [{}]
        return [_with(first, tuple(rest)), *others]
    if not rest:
        return {**body, name: f"<<{name}>>"}
    inside = body.get(name) or ([] if rest[0] == "[]" else {})
    return {**body, name: _with(inside, tuple(rest))}

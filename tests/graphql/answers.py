"""Answers of both kinds to one query: that of a compiled one, and that of one that is executed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from graphql import GraphQLError
from msgspec import Struct

from adapters.graphql.asked import Asked, decoder
from adapters.graphql.asking import Asking
from adapters.graphql.compiled.answers import Compiler, answer_compiled
from adapters.graphql.schema import schema

_read = decoder(Asked)


class Told(Struct):
    """An answer; the fields of its objects are in order. Its errors are by their paths."""

    data: Any  # Any: JSON.
    errors: dict[str, str]

    @classmethod
    def of(cls, data: bytes, errors: Sequence[GraphQLError] = ()) -> "Told":
        return cls(
            json.loads(data, object_pairs_hook=list),
            {repr(each.path): json.dumps(each.formatted) for each in errors},
        )

    def agrees(self, other: "Told") -> bool:
        """Tell whether the errors are the same.

        Of fields that fail side by side, the first may take what is above with it, and then
        nobody hears of the others.
        """
        both = self.errors.keys() & other.errors.keys()
        same = all(self.errors[path] == other.errors[path] for path in both)
        return same and bool(self.errors) == bool(other.errors)


def sent(
    query: str, variables: Mapping[str, object], operation_name: str | None = None
) -> tuple[Asked, bytes]:
    """Send a query as a client does: what is asked, and that to the byte."""
    asked = {"query": query, "variables": variables, "operationName": operation_name}
    request = json.dumps(asked).encode()
    return _read.decode(request), request


async def execute(asking: Asking, asked: Asked) -> Told:
    """Answer as usual."""
    result = await schema().execute(
        asked.query,
        variable_values=asked.variables,
        operation_name=asked.operation_name,
        context_value=asking,
    )
    return Told.of(msgspec.json.encode(result.data), result.errors or ())


async def ask(asking: Asking, query: str, **variables: object) -> Any:  # noqa: ANN401 - JSON.
    """Return the data of a query that is compiled, and is answered the same both ways."""
    asked, request = sent(query, variables)
    compiled = await answer_compiled(asking, asked, request)
    assert compiled is not None, "It is not compiled."
    expected = await execute(asking, asked)
    assert expected.errors == {}
    assert Told.of(compiled).data == expected.data
    return json.loads(compiled)


async def error_of(asking: Asking, query: str, **variables: object) -> dict[str, Any]:
    """Return the one error of a query, its code beside its message, that no other answer hides."""
    asked, request = sent(query, variables)
    assert await answer_compiled(asking, asked, request) is None
    told = await execute(asking, asked)
    (error,) = map(json.loads, told.errors.values())
    return {"message": error["message"], "path": error.get("path"), **error["extensions"]}


async def compare(compiler: Compiler, asking: Asking, asked: Asked, request: bytes) -> str:
    """Answer both ways, hold the answers together, and tell which way it went."""
    fresh = Asking(runtime=asking.runtime, caller=asking.caller)
    compiled = await compiler.answer(asking, asked, request)
    expected = await execute(fresh, asked)
    if compiled is not None:
        assert Told.of(compiled) == expected
        return "compiled"
    told = await execute(asking, asked)
    assert told.data == expected.data
    assert told.agrees(expected), (told.errors, expected.errors)
    return "failed" if expected.errors else "executed"

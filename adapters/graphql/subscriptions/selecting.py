"""What a subscriber has selected of each message: worked out when it subscribes, then only written.

Whoever selects the same of the same message is sent the same text, written once.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    get_operation_ast,
)
from graphql.execution import Executor, create_source_event_stream
from graphql.execution.collect_fields import collect_fields, collect_subfields
from msgspec import Struct

from adapters.graphql.asking import Asking
from adapters.graphql.documents import NotValid, core_schema, read_document
from adapters.graphql.errors import tell
from adapters.graphql.subscriptions.feeds import AnyFeed, Feed, Told
from application.errors import Malformed

SELECTIONS_KEPT: Final = 1_000
TYPENAME: Final = "__typename"

Write: TypeAlias = Callable[[Any], object]  # Any: each scalar writes its own type.


class Failed(Exception):
    """A document that can't be run, and what its sender is told of it."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        tell(errors)
        self.errors = [error.formatted for error in errors]


def told_of(error: Exception) -> list[Any]:  # Any: JSON.
    """Return what is told of an error, whatever it is."""
    if isinstance(error, Failed):
        return error.errors
    return Failed([GraphQLError(str(error), original_error=error)]).errors


class Selection:
    """Some fields of what a feed tells: under which key stands what, by what is told."""

    def __init__(self, name: str, fields: Sequence[tuple[str, Write]]) -> None:
        self._name = name
        self._fields = fields

    def write(self, told: Told[Any]) -> str:  # Any: of whatever is told.
        """Write a message as the result of an execution, unless somebody did already."""
        payload = told.payloads.get(self)
        if payload is None:
            chosen = {key: write(told.value) for key, write in self._fields}
            payload = msgspec.json.encode({"data": {self._name: chosen}}).decode()
            told.payloads[self] = payload
        return payload


class Operation(Struct, frozen=True, kw_only=True):
    """What a client asks for, parsed and found valid."""

    document: DocumentNode
    node: OperationDefinitionNode

    @property
    def subscribes(self) -> bool:
        return self.node.operation is OperationType.SUBSCRIPTION


def read_operation(query: str, name: str | None) -> Operation:
    """Parse and validate a document.

    Raises:
        Failed: It is not valid.
        Malformed: It has no operation of this name, or several and none is named.

    """
    document = _document(query)
    node = get_operation_ast(document, name)
    if node is None:
        raise Malformed(
            "graphql.bad_operation",
            "There is no one operation to run.",
            hint="Name the operation of a document of several.",
        )
    return Operation(document=document, node=node)


async def open_feed(
    operation: Operation, variables: dict[str, Any] | None, asking: Asking
) -> tuple[AnyFeed, Selection]:
    """Open what an operation subscribes to.

    Raises:
        Failed: It can't be opened, or the caller may not.

    """
    name = operation.node.name.value if operation.node.name else None
    built = Executor.build(
        core_schema(),
        operation.document,
        context_value=asking,
        raw_variable_values=variables,
        operation_name=name,
    )
    if isinstance(built, list):
        raise Failed(built)
    source: Any = create_source_event_stream(built)  # Any: what resolvers return.
    if built.is_awaitable(source):
        source = await source
    if isinstance(source, ExecutionResult):
        raise Failed(source.errors or [])
    assert isinstance(source, Feed), "What can be subscribed to is a feed."
    return source, _selected(built)


def _document(query: str) -> DocumentNode:
    try:
        return read_document(query)
    except NotValid as error:
        raise Failed(error.errors) from error


def _selected(built: Executor[Any]) -> Selection:  # Any: of what it returns.
    """Work out what is selected, fragments and directives included."""
    root = core_schema().subscription_type
    assert root is not None, "There are subscriptions."
    given = (built.schema, built.fragments, built.variable_values)
    roots = collect_fields(*given, root, built.operation).grouped_field_set
    key, details = next(iter(roots.items()))
    told = get_named_type(root.fields[details[0].node.name.value].type)
    assert isinstance(told, GraphQLObjectType), "A feed tells objects."
    chosen = collect_subfields(*given, built.operation, told, details).grouped_field_set
    names = tuple((each, found[0].node.name.value) for each, found in chosen.items())
    return _selection(key, told.name, names)


@lru_cache(SELECTIONS_KEPT)
def _selection(key: str, type_name: str, names: tuple[tuple[str, str], ...]) -> Selection:
    told = core_schema().type_map[type_name]
    assert isinstance(told, GraphQLObjectType), "A feed tells objects."
    return Selection(key, [(each, _field(told, name)) for each, name in names])


def _field(told: GraphQLObjectType, name: str) -> Write:
    if name == TYPENAME:
        return lambda _: told.name
    field = told.fields[name]
    attribute: str = field.extensions["strawberry-definition"].python_name
    write = _writer(field.type)

    def read(value: object) -> object:
        found = getattr(value, attribute)
        return None if found is None else write(found)

    return read


def _writer(of: GraphQLOutputType) -> Write:
    """Say how a value is written that is not null."""
    if isinstance(of, GraphQLNonNull):
        return _writer(of.of_type)
    if isinstance(of, GraphQLList):
        write = _writer(of.of_type)
        return lambda values: [write(value) for value in values]
    leaf: Any = of  # Any: a scalar or an enumeration; both can be told apart from nothing else.
    write_leaf: Write = leaf.coerce_output_value
    return write_leaf

"""A command alone in its document: its input read and its answer written without an execution.

It runs once, whatever becomes of it: what it failed with is left for the usual execution to word.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec
from graphql import FieldNode, GraphQLField
from graphql.execution.values import VariableValues, get_argument_values
from msgspec import Struct, structs
from strawberry.utils.str_converters import to_camel_case

from adapters.graphql.asking import Asking
from adapters.graphql.commands.commanding import command_name, done
from adapters.graphql.compiled.nested import object_type
from adapters.graphql.compiled.selections import TYPENAME, Document, Selected, Uncompilable
from adapters.graphql.shapes import LISTS
from adapters.postgres.models.tables import plain_type
from application.kernel import Exposed, exposed_commands

HAPPENED: Final = "Happened"
Read = Callable[[Any], Any]  # Any: plain data of any shape.
Write = Callable[[Any], object]  # Any: what a command answers.


class Commanding(Struct, frozen=True):
    """A mutation of one field: its command, how its input is read and its answer written."""

    key: str
    node: FieldNode
    definition: GraphQLField
    exposed: Exposed
    read: Read
    write: Write

    async def answer(self, asking: Asking, variables: VariableValues) -> bytes | None:
        """Run the command; None: it failed, and *asking* knows with what."""
        arguments = get_argument_values(self.definition, self.node, variables)
        runtime = asking.runtime
        try:
            given = self.read(arguments["input"])
            built = await self.exposed.build(given, asking.context, runtime.blobs, runtime.clock)
            answer = await done(self.exposed, built, asking, arguments.get("idempotencyKey"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told by the execution.
            asking.known[self.key] = error
            return None
        return msgspec.json.encode({self.key: self.write(answer)})


def plan_command(document: Document) -> Commanding:
    """Plan a mutation.

    Raises:
        Uncompilable: It has several fields, which stop at the first that fails, or another one.

    """
    fields = document.fields("Mutation", [document.operation.selection_set])
    commands = {command_name(each): each for each in exposed_commands().values() if each.route}
    if len(fields) != 1 or fields[0].name not in commands:
        raise Uncompilable("mutation")
    (field,) = fields
    exposed = commands[field.name]
    name = f"{exposed.command.__name__}Result"
    return Commanding(
        field.key,
        field.node,
        document.definition("Mutation", field.name),
        exposed,
        _reader(exposed.shape),
        _writer(name, field, document),
    )


def _reader(shape: type[Struct]) -> Read:
    """Read an input by the names of its struct. What is null counts as left out."""
    hints = get_type_hints(shape, include_extras=True)
    fields = {
        to_camel_case(each.name): (each.name, _value_reader(hints[each.name]))
        for each in structs.fields(shape)
    }

    def read(given: Mapping[str, Any]) -> dict[str, Any]:
        plain = {}
        for shown, value in given.items():
            if value is not None:
                name, read_value = fields[shown]
                plain[name] = read_value(value)
        return plain

    return read


def _value_reader(hint: Any) -> Read:  # noqa: ANN401 - annotations are of any kind.
    plain = plain_type(hint)
    if get_origin(plain) in LISTS:
        read_one = _value_reader(get_args(plain)[0])
        return lambda values: [None if each is None else read_one(each) for each in values]
    if isinstance(plain, type) and issubclass(plain, Struct):
        return _reader(plain)
    return lambda value: value


def _writer(name: str, selected: Selected, document: Document) -> Write:
    fields = document.fields(name, selected.below)
    made = object_type([each.key for each in fields])
    parts = [_part(each, name, document) for each in fields]
    return lambda answer: made(*[part(answer) for part in parts])


def _part(field: Selected, name: str, document: Document) -> Write:
    if field.name == TYPENAME:
        return lambda _: name
    if field.name == "position":
        return lambda answer: str(answer.position)
    if field.name == "events":
        write = _writer(HAPPENED, field, document)
        return lambda answer: _all(write, answer.events)
    attribute: str = (
        document.definition(name, field.name).extensions["strawberry-definition"].python_name
    )
    return lambda answer: getattr(answer, attribute)


def _all(write: Write, values: Sequence[Any]) -> list[object]:
    return [write(each) for each in values]

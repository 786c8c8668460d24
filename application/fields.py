"""Fields as a company has them: held to before a command is decided, and shown to whoever asks.

A module says which fields of its documents can be hidden, asked for and filled in; whatever a
company adds beside them goes under `custom`, of which there is a schema.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from application.errors import NotFound
from application.kernel import Exposed, Looking
from application.modules import Entity, catalogue
from domain.fields import (
    CUSTOM,
    TEXT_MAX,
    AddCustomField,
    Added,
    ConfigureField,
    EntityName,
    Fields,
    FieldsOf,
    FieldType,
    Plain,
    Rule,
    completed,
    ruled,
)
from domain.kernel import Command

MANAGE: Final = "modules.field.manage"
HOLDER: Final = CUSTOM.removesuffix(".")
"""The field of a command that holds what a company added."""

SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
TYPES: Final[dict[FieldType, dict[str, object]]] = {
    "text": {"type": "string", "minLength": 1, "maxLength": TEXT_MAX},
    "number": {"type": "string", "format": "decimal"},
    "date": {"type": "string", "format": "date"},
    "boolean": {"type": "boolean"},
    "choice": {"type": "string"},
}


class ListedField(Struct, frozen=True, kw_only=True):
    """A field, and what holds for it. The type is null where it has several parts."""

    field: str
    type: FieldType | None
    label: str
    choices: tuple[str, ...]
    hidden: bool
    required: bool
    default: Plain | None


class ListedEntity(Struct, frozen=True, kw_only=True):
    """A kind of document, its fields, and a JSON Schema of those that the company added."""

    entity: EntityName
    fields: tuple[ListedField, ...]
    custom_schema: dict[str, object]


@cache
def entities() -> dict[EntityName, Entity]:
    """Find the kinds of document whose fields a company decides on."""
    return {each.name: each for module in catalogue().values() for each in module.entities}


@cache
def entity_of(command: type[Command]) -> Entity | None:
    """Name the kind of document that a command writes."""
    found = (each for each in entities().values() if command in {*each.made_by, *each.taken_by})
    return next(found, None)


def held(command: Command, fields: Fields) -> Command:
    """Hold a command to what its company decided about fields, and fill in what is left out.

    Raises:
        Refused: A field is missing, not used here, unknown, or not of its type.

    """
    entity = entity_of(type(command))
    if entity is None:
        return command
    given: Mapping[str, object] | None = getattr(command, HOLDER)
    if given is None and entity.name not in fields.entities:
        return command
    of = fields.of(entity.name)
    strict = type(command) in entity.made_by
    if strict:
        for name, rule in of.rules.items():
            if not name.startswith(CUSTOM):
                command = _ruled(command, name, name.split("."), rule)
    custom = completed(of, given or {}, strict=strict) or None
    return command if custom == given else replace(command, **{HOLDER: custom})


def listed_fields(fields: Fields) -> list[ListedEntity]:
    """List the kinds of document, with every field and what holds for it."""
    return [
        ListedEntity(
            entity=entity.name,
            fields=tuple(_listed(entity, fields.of(entity.name))),
            custom_schema=custom_schema(fields.of(entity.name)),
        )
        for entity in entities().values()
    ]


def custom_schema(of: FieldsOf) -> dict[str, object]:
    """Describe what `custom` takes (JSON Schema, 2020-12)."""
    rules = {name: of.rules.get(CUSTOM + name, Rule()) for name in of.added}
    shown = {name: added for name, added in of.added.items() if not rules[name].hidden}
    return {
        "$schema": SCHEMA,
        "type": "object",
        "properties": {name: _schema(added, rules[name]) for name, added in shown.items()},
        "required": [
            name for name in shown if rules[name].required and rules[name].default is None
        ],
        "additionalProperties": False,
    }


def _schema(added: Added, rule: Rule) -> dict[str, object]:
    return {
        **TYPES[added.type],
        **({"title": added.label} if added.label else {}),
        **({"enum": list(added.choices)} if added.choices else {}),
        **({} if rule.default is None else {"default": rule.default}),
    }


def _listed(entity: Entity, of: FieldsOf) -> list[ListedField]:
    there = {name: Added(type=kind) if kind else None for name, kind in entity.fields.items()}
    added = {CUSTOM + name: each for name, each in of.added.items()}
    rules = {name: of.rules.get(name, Rule()) for name in (*there, *added)}
    return [
        ListedField(
            field=name,
            type=each.type if each else None,
            label=each.label if each else "",
            choices=each.choices if each else (),
            hidden=rules[name].hidden,
            required=rules[name].required,
            default=rules[name].default,
        )
        for name, each in {**there, **added}.items()
    ]


def _ruled(value: Any, name: str, path: Sequence[str], rule: Rule) -> Any:  # noqa: ANN401 - a part of a command.
    """Hold the field at *path* to its rule; where a part above it is left out, nothing is."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(_ruled(each, name, path, rule) for each in value)
    first, *rest = path
    before = getattr(value, first)
    after = _ruled(before, name, rest, rule) if rest else ruled(name, rule, before)
    return value if after is before else replace(value, **{first: after})


def _known(name: EntityName) -> Entity:
    entity = entities().get(name)
    if entity is None:
        raise NotFound(
            "fields.no_entity",
            f"There is no kind of document {name} whose fields could be decided on.",
            hint=f"There are: {', '.join(entities())}.",
        )
    return entity


async def _check_entity(_looking: Looking, command: AddCustomField) -> AddCustomField:
    _known(command.entity)
    return command


async def _find_fields(_looking: Looking, command: ConfigureField) -> ConfigureField:
    return replace(command, there=dict(_known(command.entity).fields))


COMMANDS = (
    Exposed(
        command=AddCustomField,
        permission=MANAGE,
        route="POST /fields/{entity}/custom",
        find=_check_entity,
    ),
    Exposed(
        command=ConfigureField,
        permission=MANAGE,
        route="POST /fields/{entity}/configure",
        find=_find_fields,
    ),
)

"""Fields: what a company hides on its documents, asks for, fills in by itself, and adds of its own.

The type of a field that a company added never changes: what was written once is read for ever.
Nothing of a person belongs into such a field, for what stands in it can't be forgotten.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal, NewType, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from domain.kernel import Boundary, Command, Event, Found, Key, Refused, State, Value
from domain.money import is_amount

EntityName = NewType("EntityName", str)
FieldType: TypeAlias = Literal["text", "number", "date", "boolean", "choice"]
Plain: TypeAlias = str | bool
"""A value as JSON has it. A number is written as text, so that no digit is lost."""

FIELDS: Final = "fields:own"
"""The tag of all that a company decided about fields, so that one look brings it."""

CUSTOM: Final = "custom."
"""How the name of a field begins that the company added, beside those that there are."""

ADDED_MAX: Final = 50
CHOICES_MAX: Final = 100
TEXT_MAX: Final = 1_000

EntityText = Annotated[
    EntityName,
    Meta(pattern=r"^[a-z_]+\.[a-z_]+$(?!\n)", max_length=60, description="As invoicing.invoice."),
]
AddedText = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$(?!\n)", description="Such as table_number.")
]
FieldText = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_.]{0,79}$(?!\n)",
        description="Such as customer.tax_id, or custom.table_number of one that was added.",
    ),
]
ChoiceText = Annotated[str, Meta(min_length=1, max_length=100)]
Choices = Annotated[tuple[ChoiceText, ...], Meta(max_length=CHOICES_MAX)]
Label = Annotated[str, Meta(max_length=100)]


class CustomFieldAdded(Event):
    """The company has a field of its own. Its type is for ever."""

    common_tags = frozenset({FIELDS})

    entity: Key[EntityName]
    field: str
    type: FieldType
    label: str
    choices: tuple[str, ...]


class CustomFieldChanged(Event):
    """It is called otherwise, or takes other choices. What was written before stays."""

    common_tags = frozenset({FIELDS})

    entity: Key[EntityName]
    field: str
    label: str
    choices: tuple[str, ...]


class FieldConfigured(Event):
    """What holds for a field from here on."""

    common_tags = frozenset({FIELDS})

    entity: Key[EntityName]
    field: str
    hidden: bool
    required: bool
    default: Plain | None = None


FieldEvent: TypeAlias = CustomFieldAdded | CustomFieldChanged | FieldConfigured


class Rule(Value):
    """What holds for a field: it is not taken, must be there, or is filled in."""

    hidden: bool = False
    required: bool = False
    default: Plain | None = None


class Added(Value):
    """A field of the company's own."""

    type: FieldType
    label: str = ""
    choices: tuple[str, ...] = ()


class FieldsOf(Value):
    """What a company decided about the fields of one kind of document."""

    rules: dict[str, Rule] = {}
    added: dict[str, Added] = {}


class Fields(State):
    """All that a company decided about fields."""

    entities: dict[EntityName, FieldsOf] = {}

    def evolve(self, event: FieldEvent) -> "Fields":
        of = self.of(event.entity)
        match event:
            case CustomFieldAdded():
                new = Added(type=event.type, label=event.label, choices=event.choices)
                of = replace(of, added={**of.added, event.field: new})
            case CustomFieldChanged():
                new = replace(of.added[event.field], label=event.label, choices=event.choices)
                of = replace(of, added={**of.added, event.field: new})
            case FieldConfigured():
                rule = Rule(hidden=event.hidden, required=event.required, default=event.default)
                of = replace(of, rules={**of.rules, event.field: rule})
        return Fields(entities={**self.entities, event.entity: of})

    def of(self, entity: EntityName) -> FieldsOf:
        return self.entities.get(entity, FieldsOf())

    @classmethod
    def own(cls) -> Boundary["Fields"]:
        return Boundary(state=cls, tag=FIELDS)


class AddCustomField(Command):
    """Add a field of the company's own, or call it otherwise and let it take other choices."""

    entity: EntityText
    field: AddedText
    type: FieldType
    label: Label = ""
    choices: Choices = ()

    def boundary(self) -> tuple[Boundary[Fields]]:
        return (Fields.own(),)

    def decide(self, fields: Fields) -> Iterator[FieldEvent]:
        added = fields.of(self.entity).added
        before = added.get(self.field)
        if bool(self.choices) != (self.type == "choice"):
            raise Refused(
                "fields.choices",
                f"A field of type {self.type} takes {len(self.choices)} choices.",
                hint="Name choices for a field of type choice, and for no other.",
            )
        if before is not None and before.type != self.type:
            raise Refused(
                "fields.type_is_fixed",
                f"The field {self.field} is of type {before.type}, and stays so.",
                hint="Add another field; this one can be hidden.",
            )
        self._check_label(added)
        if before is None and len(added) >= ADDED_MAX:
            raise Refused(
                "fields.too_many",
                f"{self.entity} has {ADDED_MAX} fields of the company's own.",
                hint="That is all there can be.",
            )
        if before is None:
            yield CustomFieldAdded(
                entity=self.entity,
                field=self.field,
                type=self.type,
                label=self.label,
                choices=self.choices,
            )
        elif (before.label, before.choices) != (self.label, self.choices):
            yield CustomFieldChanged(
                entity=self.entity, field=self.field, label=self.label, choices=self.choices
            )

    def _check_label(self, added: Mapping[str, Added]) -> None:
        """See that what a column of a file is called says which field it is for."""
        others = {name: each.label for name, each in added.items() if name != self.field}
        known = {each.casefold() for each in (*others, *others.values()) if each}
        asked = (self.label,) if self.field in added else (self.field, self.label)
        if known & {each.casefold() for each in asked}:
            raise Refused(
                "fields.label_taken",
                f"Another field of {self.entity} is known as that.",
                hint="Call it otherwise: columns of files go by the names and labels of fields.",
            )


class ConfigureField(Command):
    """Say what holds for a field. What is left out holds no more."""

    entity: EntityText
    field: FieldText
    hidden: bool = False
    required: bool = False
    default: Plain | None = None
    there: Found[dict[str, FieldType | None]] = {}  # By name; None: of several parts.

    def boundary(self) -> tuple[Boundary[Fields]]:
        return (Fields.own(),)

    def decide(self, fields: Fields) -> Iterator[FieldEvent]:
        of = fields.of(self.entity)
        added = of.added.get(self.field.removeprefix(CUSTOM)) if self._is_added else None
        if added is None and self.field not in self.there:
            raise Refused(
                "fields.absent",
                f"{self.entity} has no field {self.field}.",
                hint="List the fields there are: those of the company's own begin with custom.",
            )
        if self.hidden and self.required:
            raise Refused(
                "fields.hidden_and_required",
                f"The field {self.field} can't be required where it is not taken.",
                hint="Say one of the two; a default is filled in though a field is hidden.",
            )
        default = self.default
        if default is not None:
            kind = added or self._plain()
            default = checked(self.field, kind, default)
        rule = Rule(hidden=self.hidden, required=self.required, default=default)
        if rule != of.rules.get(self.field, Rule()):
            yield FieldConfigured(
                entity=self.entity,
                field=self.field,
                hidden=self.hidden,
                required=self.required,
                default=default,
            )

    @property
    def _is_added(self) -> bool:
        return self.field.startswith(CUSTOM)

    def _plain(self) -> Added:
        """Read a field that there is anyway as one that takes a default."""
        kind = self.there[self.field]
        if kind is None:
            raise Refused(
                "fields.no_default",
                f"The field {self.field} has several parts.",
                hint="Give its parts a default.",
            )
        return Added(type=kind)


def completed(of: FieldsOf, given: Mapping[str, object], *, strict: bool) -> dict[str, Plain]:
    """Check what was written into the fields of the company's own, and fill in the rest.

    Where it is not *strict*, as for what was issued elsewhere, nothing is asked for or filled in.

    Raises:
        Refused: There is no such field, it is hidden, is missing, or the value is not of its type.

    """
    unknown = given.keys() - of.added.keys()
    if unknown:
        raise Refused(
            "fields.unknown",
            f"There is no field {min(unknown)} of the company's own.",
            hint="Add it first, or leave it out.",
        )
    found: dict[str, Plain] = {}
    for name, added in of.added.items():
        rule, value = of.rules.get(CUSTOM + name, Rule()), given.get(name)
        value = ruled(CUSTOM + name, rule, value) if strict else value
        if value is not None:
            found[name] = checked(CUSTOM + name, added, value)
    return found


def ruled(name: str, rule: Rule, value: object) -> object:
    """Hold a value to the rule of its field, and fill it in where it is missing.

    Raises:
        Refused: The field is hidden, or must be there.

    """
    if rule.hidden and value is not None and value != rule.default:
        raise Refused("fields.hidden", f"The field {name} is not used here.", hint="Leave it out.")
    if value is None and rule.default is not None:
        return rule.default
    if value is None and rule.required:
        raise Refused("fields.required", f"The field {name} is missing.", hint="Fill it in.")
    return value


def checked(name: str, added: Added, value: object) -> Plain:
    """Write a value in the one form that its type has.

    Raises:
        Refused: It is not of the type.

    """
    found = _read(added, value)
    if found is None:
        says = f"one of {', '.join(added.choices)}" if added.choices else f"a {added.type}"
        raise Refused(
            "fields.bad_value",
            f"The field {name} takes {says}.",
            hint="Dates are like 2026-01-31, numbers like 12.50.",
        )
    return found


def _read(added: Added, value: object) -> Plain | None:
    text = value if isinstance(value, str) else ""
    match added.type:
        case "boolean":
            return value if isinstance(value, bool) else {"true": True, "false": False}.get(text)
        case "number":
            return None if isinstance(value, bool | list | dict) else _number(str(value))
        case "date":
            return _date(text)
        case "choice":
            return text if text in added.choices else None
        case "text":
            return text if 0 < len(text) <= TEXT_MAX else None


def _number(text: str) -> str | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return format(found, "f") if is_amount(found) else None


def _date(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None

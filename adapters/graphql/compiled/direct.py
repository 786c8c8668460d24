"""Values inside a row that are read as the answer shows them, once their keys are called so.

What is stored and what is answered differ by the names of keys and by what is left out. Where
nothing else does, the keys are renamed in the JSON, and what is decoded is encoded as it is.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, get_args, get_origin, get_type_hints

from msgspec import Struct, defstruct
from strawberry.utils.str_converters import to_camel_case

from adapters.graphql.compiled.selections import Document, Selected
from adapters.graphql.shapes import LISTS
from adapters.postgres.models.tables import plain_type

Hint = Any  # Annotations are of any kind.
AS_STORED: Final[Mapping[Hint, type]] = {
    str: str,
    int: int,
    bool: bool,
    Decimal: str,
    date: str,
}
"""What is answered as it is stored, and how it is read. Decimals, where they have no exponent."""


class Direct(Struct, frozen=True):
    """How a column is read: as which type, once these keys are renamed."""

    type: Hint
    renames: Sequence[tuple[bytes, bytes]]

    def renamed(self, stored: bytes) -> bytes:
        # A quote inside a text has a backslash before it, so that this meets keys alone.
        for old, new in self.renames:
            stored = stored.replace(old, new)
        return stored


def read_directly(hint: Hint, selected: Selected, document: Document) -> Direct | None:
    """Find out how values can be read as they are answered; None: they can't."""
    reader = _Reader(document)
    try:
        kind = reader.type_of(hint, selected)
        reader.check()
    except _Otherwise:
        return None
    renames = [(old, new) for old, new in reader.renames.items() if old != new]
    return Direct(kind, [(f'"{old}":'.encode(), f'"{new}":'.encode()) for old, new in renames])


class _Otherwise(Exception):
    """They have to be converted."""


class _Reader:
    """Makes types, and gathers how keys are to be called in all of a column."""

    def __init__(self, document: Document) -> None:
        self.renames: dict[str, str] = {}
        self._document = document
        self._structs: list[tuple[set[str], dict[str, str]]] = []

    def type_of(self, hint: Hint, selected: Selected) -> Hint:
        plain = plain_type(hint)
        if get_origin(plain) in LISTS:
            return list[self.type_of(get_args(plain)[0], selected)] | None  # type: ignore[misc] # Made at run time.
        if isinstance(plain, type) and issubclass(plain, Struct):
            return self._struct(plain, selected) | None
        if plain not in AS_STORED:
            raise _Otherwise
        return AS_STORED[plain] | None

    def _struct(self, kind: type[Struct], selected: Selected) -> type[Struct]:
        hints = get_type_hints(kind, include_extras=True)
        names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        attributes = {to_camel_case(name): (name, stored) for name, stored in names}
        parts: dict[str, Hint] = {}
        shown: dict[str, str] = {}
        for each in self._document.fields(kind.__name__, selected.below):
            name, stored = attributes.get(each.name, ("", ""))
            if not name or name in parts:
                raise _Otherwise  # `__typename`, or a field that is answered twice.
            parts[name], shown[name] = self.type_of(hints[name], each), each.key
            if self.renames.setdefault(stored, each.key) != each.key:
                raise _Otherwise
        expected = {stored: shown[name] for name, stored in attributes.values() if name in shown}
        self._structs.append(({stored for _, stored in attributes.values()}, expected))
        return defstruct("Part", list(parts.items()), rename=shown, gc=False)

    def check(self) -> None:
        """See that in every object the keys are as expected, and no other is called like one."""
        for stored, expected in self._structs:
            called = [self.renames.get(name, name) for name in stored]
            if any(self.renames[name] != key for name, key in expected.items()):
                raise _Otherwise
            if any(called.count(key) > 1 for key in expected.values()):
                raise _Otherwise

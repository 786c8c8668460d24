"""Values inside a row, which are stored as JSON: only what is selected of them is read.

All values of a column are read together, and put together a field at a time.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from operator import attrgetter
from typing import Any, Final, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from strawberry.utils.str_converters import to_camel_case

from adapters.graphql.compiled.direct import read_directly
from adapters.graphql.compiled.selections import TYPENAME, Document, Selected, Uncompilable
from adapters.graphql.scalars import write_decimal
from adapters.graphql.shapes import LISTS
from adapters.postgres.models.tables import plain_type

Values = Sequence[Any]  # Any: of any type.
Convert = Callable[[Values], Values]
Hint = Any  # Annotations are of any kind.
EXPONENTS: Final = (b"E+", b"E-")
"""How the text of a decimal may be stored that is written out in an answer."""


class Reading(Struct, frozen=True):
    """How values are read: as which type, and what then becomes of all of them together."""

    type: Hint
    convert: Convert | None = None


class Column:
    """Reads a JSON column of many rows."""

    def __init__(self, hint: Hint, selected: Selected, document: Document) -> None:
        self._plain = _plain_decoder(hint, selected, document)
        self._exact = _decoder(_reading(hint, selected, document, exact=True))

    def __call__(self, stored: Values) -> Values:
        there = [each or b"null" for each in stored] if None in stored else stored
        joined = b"[" + b",".join(there) + b"]"
        # No amount that anybody enters has an exponent; where one was kept, it is written out.
        rare = any(each in joined for each in EXPONENTS)
        return self._exact(joined) if rare else self._plain(joined)


def fields_struct(names: Sequence[tuple[str, Hint]], shown: dict[str, str]) -> type[Struct]:
    """Make a struct; *shown* says what its fields are called in JSON."""
    return msgspec.defstruct("Part", names, rename=shown, gc=False)


def object_type(keys: Sequence[str]) -> type[Struct]:
    """Make the type of an object of the answer, its fields by place."""
    shown = {f"f{at}": key for at, key in enumerate(keys)}
    return fields_struct([(name, Any) for name in shown], shown)


def _plain_decoder(hint: Hint, selected: Selected, document: Document) -> Callable[[bytes], Values]:
    direct = read_directly(hint, selected, document)
    if direct is None:
        return _decoder(_reading(hint, selected, document, exact=False))
    decode = msgspec.json.Decoder(list[direct.type]).decode  # type: ignore[name-defined] # Made at run time.
    return lambda joined: decode(direct.renamed(joined))


def _decoder(reading: Reading) -> Callable[[bytes], Values]:
    decode = msgspec.json.Decoder(list[reading.type | None]).decode  # type: ignore[name-defined] # Made at run time.
    convert = reading.convert
    if convert is None:
        return decode
    return lambda joined: _present(decode(joined), convert)


def _present(values: Values, convert: Convert) -> Values:
    """Convert what is there, and leave None where nothing is."""
    if None not in values:
        return convert(values)
    converted = iter(convert([each for each in values if each is not None]))
    return [None if each is None else next(converted) for each in values]


def _reading(hint: Hint, selected: Selected, document: Document, *, exact: bool) -> Reading:
    plain = plain_type(hint)
    if get_origin(plain) in LISTS:
        return _list(_reading(get_args(plain)[0], selected, document, exact=exact))
    if isinstance(plain, type) and issubclass(plain, Struct):
        return _struct(plain, selected, document, exact=exact)
    return _scalar(plain, exact=exact)


def _scalar(plain: Hint, *, exact: bool) -> Reading:
    if plain is Decimal:
        return Reading(str, _written_out if exact else None)
    if plain is datetime:
        return Reading(datetime, lambda values: [each.isoformat() for each in values])
    if plain is date:
        return Reading(str)
    return Reading(plain if plain in {str, int, bool} else Any)


def _written_out(values: Values) -> Values:
    return [write_decimal(Decimal(each)) for each in values]


def _list(inner: Reading) -> Reading:
    convert = inner.convert
    kind = list[inner.type | None]  # type: ignore[name-defined] # Made at run time.
    if convert is None:
        return Reading(kind)

    def each(lists: Values) -> Values:
        converted = iter(_present(list(chain.from_iterable(lists)), convert))
        return [list(islice(converted, len(one))) for one in lists]

    return Reading(kind, each)


def _struct(kind: type[Struct], selected: Selected, document: Document, *, exact: bool) -> Reading:
    hints = get_type_hints(kind, include_extras=True)
    stored = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    attributes = {to_camel_case(name): name for name in stored}
    fields = document.fields(kind.__name__, selected.below)
    made = object_type([each.key for each in fields])
    parts: dict[str, Hint] = {}
    getters: list[Callable[[Values], Iterable[Any]]] = []
    for each in fields:
        if each.name == TYPENAME:
            getters.append(_constant(kind.__name__))
            continue
        name = attributes[each.name]
        reading = _reading(hints[name], each, document, exact=exact)
        known = parts.setdefault(name, reading.type)
        if known != reading.type:  # Two selections of the same field, with other parts of it.
            raise Uncompilable(each.name)
        getters.append(_getter(name, reading.convert))
    part = fields_struct(
        [(name, hint | None) for name, hint in parts.items()], {n: stored[n] for n in parts}
    )
    return Reading(part, lambda values: list(map(made, *[get(values) for get in getters])))


def _constant(value: object) -> Callable[[Values], Iterable[Any]]:
    return lambda values: [value] * len(values)


def _getter(name: str, convert: Convert | None) -> Callable[[Values], Iterable[Any]]:
    get = attrgetter(name)
    if convert is None:
        return lambda values: map(get, values)
    return lambda values: _present(list(map(get, values)), convert)

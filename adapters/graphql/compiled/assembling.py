"""Rows as they come become objects of the answer, a column at a time."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate, chain, pairwise
from operator import itemgetter
from types import GenericAlias
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.graphql.compiled.nested import Column, object_type
from adapters.graphql.compiled.plans import ColumnOf, Field, Many, Objects, Page, Parts, Rows
from adapters.graphql.compiled.selections import TYPENAME, Document
from adapters.postgres.models.paging import Paging
from adapters.postgres.models.tables import columns_of

ZERO: Final = b"\0"
"""What stands in no text of PostgreSQL's, so that many are decoded as one."""

Values = Sequence[Any]  # Any: of any column.
Columns = Sequence[Values]
Pagings = dict[Page, Paging]
Make = Callable[[Columns, Pagings], Values]
"""Makes a value of each record: of the columns of all of them, and the pages that are read."""


class Found(Struct, frozen=True):
    """The records of the pages of several parents, one page after the other.

    Attributes:
        sizes: How many records each parent has, one more than a page perhaps.
        counts: How many there are in all, where it was counted.

    """

    columns: Columns
    sizes: Sequence[int]
    counts: Sequence[int] = ()


Connect = Callable[[Found, Pagings], Values]
"""Makes the connection of each parent."""


def connections(page: Page, document: Document) -> Connect:
    """Make the function that makes connections."""
    made = object_type([each.key for each in page.fields])
    parts = [_of_connection(each, document) for each in page.fields]

    def connect(found: Found, pagings: Pagings) -> Values:
        paged = _Paged.of(page, found, pagings)
        return list(map(made, *[part(paged, pagings) for part in parts]))

    return connect


class _Paged(Struct, frozen=True):
    """Pages as they are shown: their records in order, and how many each has."""

    found: Found
    columns: Columns
    sizes: Sequence[int]
    cursors: Sequence[str]
    paging: Paging | None

    @classmethod
    def of(cls, page: Page, found: Found, pagings: Pagings) -> "_Paged":
        if not page.reads_rows:
            return cls(found, found.columns, found.sizes, (), None)
        paging = pagings[page]
        columns, sizes = _shown(found, paging)
        cursors: Sequence[str] = ()
        if page.reads_cursors:
            places = _places(page.rows, paging, columns)
            cursors = list(map(paging.keyset.cursor_at, *places))
        return cls(found, columns, sizes, cursors, paging)

    def by_parent(self, values: Values) -> list[Values]:
        if len(self.sizes) == 1:
            return [values]
        ends = accumulate(self.sizes, initial=0)
        return [values[start:end] for start, end in pairwise(ends)]


def _shown(found: Found, paging: Paging) -> tuple[Columns, Sequence[int]]:
    """Leave out what only told that there is more, and turn what was read backward."""
    backward = paging.keyset.backward
    if not backward and max(found.sizes, default=0) <= paging.size:
        return found.columns, found.sizes
    sizes = [min(size, paging.size) for size in found.sizes]
    if len(sizes) == 1:
        way = slice(sizes[0] - 1, None, -1) if backward and sizes[0] else slice(sizes[0])
        return [column[way] for column in found.columns], sizes
    starts = accumulate(found.sizes, initial=0)
    ranges = [range(start, start + size) for start, size in zip(starts, sizes, strict=False)]
    kept = list(chain.from_iterable(map(reversed, ranges) if backward else ranges))
    return [[column[at] for at in kept] for column in found.columns], sizes


def _places(rows: Rows, paging: Paging, columns: Columns) -> list[Values]:
    """Read what the cursors say, as they say it of rows."""
    types = {column.name: column.type for column in columns_of(rows.model.row)}
    texts = [
        _read(types[name], columns[rows.width + at], nested=rows.nested)
        for at, name in enumerate(paging.keyset.columns)
    ]
    return [
        [None if each is None else PLACED[types[name]](each) for each in column]
        if types[name] in PLACED
        else column
        for name, column in zip(paging.keyset.columns, texts, strict=True)
    ]


PLACED: Final[dict[str, Callable[[Any], object]]] = {
    "numeric": Decimal,
    "timestamptz": datetime.fromisoformat,
}
"""What cursors hold of columns whose texts in an answer they are not."""


def _of_connection(field: Field, document: Document) -> Callable[[_Paged, Pagings], Values]:
    match field.source:
        case Objects() as objects:
            make = object_maker(objects, document)
            return lambda paged, pagings: paged.by_parent(make(paged.columns, pagings))
        case Parts(type_name="PageInfo") as parts:
            return _page_infos(parts)
        case Parts() as parts:
            return _edges(parts, document)
        case str() as name:
            return lambda paged, _: [name] * len(paged.sizes)
    return lambda paged, _: paged.found.counts


def _edges(parts: Parts, document: Document) -> Callable[[_Paged, Pagings], Values]:
    made = object_type([each.key for each in parts.fields])
    makers: list[Callable[[_Paged, Pagings], Values]] = []
    for each in parts.fields:
        if isinstance(each.source, Objects):
            makers.append(_nodes(object_maker(each.source, document)))
        elif each.name == TYPENAME:
            makers.append(lambda paged, _: [parts.type_name] * sum(paged.sizes))
        else:
            makers.append(lambda paged, _: paged.cursors)
    return lambda paged, pagings: paged.by_parent(
        list(map(made, *[make(paged, pagings) for make in makers]))
    )


def _nodes(make: Make) -> Callable[[_Paged, Pagings], Values]:
    return lambda paged, pagings: make(paged.columns, pagings)


def _page_infos(parts: Parts) -> Callable[[_Paged, Pagings], Values]:
    made = object_type([each.key for each in parts.fields])
    names = [each.name for each in parts.fields]

    def infos(paged: _Paged, _: Pagings) -> Values:
        paging = paged.paging
        assert paging is not None, "A page that tells of itself is read."
        answers = []
        for size, cursors in zip(paged.found.sizes, paged.by_parent(paged.cursors), strict=True):
            found = range(size)
            told = {
                TYPENAME: parts.type_name,
                "hasNextPage": paging.has_next(found),
                "hasPreviousPage": paging.has_previous(found),
                "startCursor": cursors[0] if cursors else None,
                "endCursor": cursors[-1] if cursors else None,
            }
            answers.append(made(*[told[name] for name in names]))
        return answers

    return infos


def object_maker(objects: Objects, document: Document) -> Make:
    """Make the function that makes the objects of rows; None where there is no row."""
    made = object_type([each.key for each in objects.fields])
    makers = [_field_maker(each, objects, document) for each in objects.fields]
    missing = objects.missing

    def make(columns: Columns, pagings: Pagings) -> Values:
        found = list(map(made, *[each(columns, pagings) for each in makers]))
        if missing is None:
            return found
        keys = columns[missing.at]
        return [None if k is None else each for k, each in zip(keys, found, strict=True)]

    return make


def _field_maker(field: Field, objects: Objects, document: Document) -> Make:
    match field.source:
        case ColumnOf() as column:
            return _column_maker(column, objects.rows, document)
        case Objects() as inner:
            return object_maker(inner, document)
        case Many() as many:
            return _many_maker(many, document)
    name, counted = objects.type_name, itemgetter(0)
    return lambda columns, _: [name] * len(counted(columns))


def _column_maker(column: ColumnOf, rows: Rows, document: Document) -> Make:
    slot, nested = column.slot, rows.nested
    kind = next(c.type for c in columns_of(rows.model.row) if c.name == column.name)
    if kind == "json":
        read = Column(column.hint, column.selected, document)
        return lambda columns, _: read(columns[slot.at])
    if kind == "timestamptz":
        return lambda columns, _: list(map(_moment, _read(kind, columns[slot.at], nested=nested)))
    return lambda columns, _: _read(kind, columns[slot.at], nested=nested)


def _moment(text: str | None) -> str | None:
    return None if text is None else datetime.fromisoformat(text).isoformat()


def _read(kind: str, values: Values, *, nested: bool) -> Values:
    """Read a column of PostgreSQL's texts; inside JSON it is what it shall be."""
    if nested:
        return values
    if kind == "bigint":
        return [None if each is None else int(each) for each in values]
    if kind == "boolean":
        return [None if each is None else each == b"t" for each in values]
    if None in values or not values:
        return [None if each is None else str(each, "utf-8") for each in values]
    return ZERO.join(values).decode().split("\0")


def _many_maker(many: Many, document: Document) -> Make:
    connect, page, slot = connections(many.page, document), many.page, many.slot
    decoders: dict[Sequence[str], msgspec.json.Decoder[list[list[tuple[Any, ...]] | None]]] = {}

    def make(columns: Columns, pagings: Pagings) -> Values:
        places = pagings[page].keyset.columns if page.reads_rows else ()
        if places not in decoders:
            decoders[places] = _decoder(page.rows, places)
        lists = _records(decoders[places], columns[slot.at])
        width = page.rows.width + len(places)
        flat = list(chain.from_iterable(lists))
        by_column = list(zip(*flat, strict=True)) if flat else [()] * width
        counts = _read_counts(page, columns)
        return connect(Found(by_column, list(map(len, lists)), counts), pagings)

    return make


def _records(
    decoder: "msgspec.json.Decoder[list[list[tuple[Any, ...]] | None]]", stored: Values
) -> list[list[tuple[Any, ...]]]:
    """Read the lists of records of all parents."""
    joined = b"[" + b",".join([b"[]" if each is None else each for each in stored]) + b"]"
    return [each or [] for each in decoder.decode(joined)]


def _decoder(rows: Rows, places: Sequence[str]) -> Any:  # noqa: ANN401 - of a type made here.
    types: list[Any] = [None] * rows.width
    _name_types(rows, types)
    kinds = {column.name: column.type for column in columns_of(rows.model.row)}
    types += [IN_JSON.get(kinds[name], str | None) for name in places]
    record: Any = GenericAlias(tuple, tuple(types))
    return msgspec.json.Decoder(list[list[record] | None])


IN_JSON: Final[dict[str, Any]] = {
    "bigint": int | None,
    "boolean": bool | None,
    "json": msgspec.Raw,
}


def _name_types(rows: Rows, types: list[Any]) -> None:
    kinds = {column.name: column.type for column in columns_of(rows.model.row)}
    for name, slot in rows.columns.items():
        types[slot.at] = IN_JSON.get(kinds[name], str | None)
    for one in rows.ones:
        _name_types(one.rows, types)
    for many in rows.manys:
        types[many.slot.at] = msgspec.Raw
        if many.page.count:
            types[many.page.count.at] = int


def _read_counts(page: Page, columns: Columns) -> Sequence[int]:
    return [int(each) for each in columns[page.count.at]] if page.count else ()

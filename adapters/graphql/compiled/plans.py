"""What a query reads: which columns of which model, and of those related to it, for which fields.

A record is laid out in slots: the columns of the row, those of each one row it is related to, a
list in JSON for each relation to many, and the count of it where that is asked for.
"""

from collections.abc import Iterable
from typing import Any, Final

from graphql import FieldNode, GraphQLField
from msgspec import Struct, field
from strawberry.utils.str_converters import to_camel_case

from adapters.graphql.compiled.selections import TYPENAME, Document, Selected, Uncompilable
from adapters.graphql.queries.rows import Model, row_types
from adapters.graphql.shapes import singular
from projections.kernel import Related, columns_with_hints, read_models

RECORD_MAX: Final = 90
"""Slots of a record: PostgreSQL's functions take a hundred arguments."""


class Slot(Struct, eq=False):
    """Where in a record something stands, once all of it is known."""

    at: int = -1


class Rows(Struct, eq=False):
    """What is read of the rows of a model; selections of the same rows share it.

    Attributes:
        nested: They come as JSON in a record of others, and not as PostgreSQL's texts.

    """

    model: Model
    nested: bool
    columns: dict[str, Slot] = field(default_factory=dict)
    ones: list["One"] = field(default_factory=list)
    manys: list["Many"] = field(default_factory=list)

    def column(self, name: str) -> Slot:
        return self.columns.setdefault(name, Slot())

    def lay_out(self, at: int = 0) -> int:
        """Give every slot its place from *at* on, and return the place behind."""
        for slot in self.columns.values():
            slot.at, at = at, at + 1
        for one in self.ones:
            at = one.rows.lay_out(at)
        for many in self.manys:
            many.slot.at, at = at, at + 1
            if many.page.count:
                many.page.count.at, at = at, at + 1
            many.page.rows.lay_out()
        if at > RECORD_MAX:
            raise Uncompilable(self.model.name)
        return at

    @property
    def width(self) -> int:
        """Count the slots of a record."""
        counts = sum(many.page.count is not None for many in self.manys)
        ones = sum(one.rows.width for one in self.ones)
        return len(self.columns) + ones + len(self.manys) + counts

    @property
    def has_relations(self) -> bool:
        return bool(self.ones or self.manys)


class One(Struct, eq=False, frozen=True):
    """The one row of another model that a row is related to."""

    related: Related
    rows: Rows


class Many(Struct, eq=False, frozen=True):
    """A page of rows of another model that belong to a row."""

    related: Related
    page: "Page"
    slot: Slot


class Field(Struct, eq=False, frozen=True):
    """A field of the answer, and what it is made of; of the type's own name: nothing."""

    key: str
    name: str
    source: Any = None  # A Column, an Objects, a Page: what the fields of its type are made of.


class ColumnOf(Struct, eq=False, frozen=True):
    """A column of a row, and what is selected inside it."""

    name: str
    hint: Any  # An annotation.
    slot: Slot
    selected: Selected


class Objects(Struct, eq=False, frozen=True):
    """Rows as objects of the answer.

    Attributes:
        missing: Tells by its emptiness that there is no such row, where that may be.

    """

    type_name: str
    rows: Rows
    fields: list[Field]
    missing: Slot | None = None


class Page(Struct, eq=False):
    """A connection: the rows of a page, and what of the page is selected."""

    node: FieldNode
    definition: GraphQLField
    rows: Rows
    fields: list[Field] = field(default_factory=list)
    reads_rows: bool = False
    reads_cursors: bool = False
    count: Slot | None = None


class Parts(Struct, eq=False, frozen=True):
    """The fields of an edge or of what tells of a page."""

    type_name: str
    fields: list[Field]


def plan_page(
    model: Model, parent: str, selected: Selected, document: Document, *, nested: bool = False
) -> Page:
    """Plan what a list reads of its model; it is a field of the type *parent*."""
    name = f"{singular(model)}Connection"
    definition = document.definition(parent, selected.name)
    page = Page(node=selected.node, definition=definition, rows=Rows(model=model, nested=nested))
    for each in document.fields(name, selected.below):
        page.fields.append(Field(each.key, each.name, _part(page, each, document)))
    return page


def _part(page: Page, selected: Selected, document: Document) -> Any:  # noqa: ANN401 - of the page's.
    if selected.name == TYPENAME:
        return f"{singular(page.rows.model)}Connection"
    if selected.name == "totalCount":
        page.count = page.count or Slot()
        return None
    page.reads_rows = True
    page.rows.column(page.rows.model.key)  # So that records can be counted.
    if selected.name == "nodes":
        return plan_objects(page.rows, selected, document)
    if selected.name == "pageInfo":
        fields = [
            Field(each.key, each.name, "PageInfo" if each.name == TYPENAME else None)
            for each in document.fields("PageInfo", selected.below)
        ]
        page.reads_cursors |= any(each.name.endswith("Cursor") for each in fields)
        return Parts("PageInfo", fields)
    return _edges(page, selected, document)


def _edges(page: Page, selected: Selected, document: Document) -> Parts:
    name = f"{singular(page.rows.model)}Edge"
    fields: list[Field] = []
    for each in document.fields(name, selected.below):
        source: Any = name if each.name == TYPENAME else None  # Any: as of every field.
        if each.name == "node":
            source = plan_objects(page.rows, each, document)
        page.reads_cursors |= each.name == "cursor"
        fields.append(Field(each.key, each.name, source))
    return Parts(name, fields)


def plan_objects(
    rows: Rows, selected: Selected, document: Document, missing: Slot | None = None
) -> Objects:
    """Plan what the fields of a row read."""
    name = singular(rows.model)
    fields = [
        Field(each.key, each.name, _source(rows, each, document))
        for each in document.fields(name, selected.below)
    ]
    return Objects(name, rows, fields, missing)


def _source(rows: Rows, selected: Selected, document: Document) -> Any:  # noqa: ANN401 - as above.
    model = rows.model
    if selected.name == TYPENAME:
        return singular(model)
    names = {to_camel_case(name): name for name in _names(model)}
    name = names.get(selected.name)
    if selected.name == "id" or name in columns_with_hints(model.row):
        column = model.key if selected.name == "id" else str(name)
        hint = columns_with_hints(model.row)[column]
        return ColumnOf(column, hint, rows.column(column), selected)
    if name is None:  # A field that somebody gave the type and that is no relation.
        raise Uncompilable(selected.name)
    return _relation(rows, model.related[name], selected, document)


def _relation(rows: Rows, related: Related, selected: Selected, document: Document) -> Any:  # noqa: ANN401 - as above.
    other = read_models()[related.model]
    if other not in row_types():
        raise Uncompilable(selected.name)
    if related.many:
        parent = singular(rows.model)
        page = plan_page(other, parent, selected, document, nested=True)
        rows.manys.append(Many(related, page, Slot()))
        return rows.manys[-1]
    theirs = Rows(model=other, nested=rows.nested)
    rows.ones.append(One(related, theirs))
    return plan_objects(theirs, selected, document, missing=theirs.column(other.key))


def _names(model: Model) -> Iterable[str]:
    yield from columns_with_hints(model.row)
    yield from model.related

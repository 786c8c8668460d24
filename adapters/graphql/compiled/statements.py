"""The SQL of a plan: one statement for each list or row of Query, whatever is nested in it.

A page is read in a query of its own, so that what its rows are related to is looked up for them
alone. What belongs to a tenant is asked for by a mark, which the tenant of each request replaces.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import sql

from adapters.graphql.compiled.plans import Many, One, Page, Rows
from adapters.postgres.models.conditions import Condition, all_of, scope_of
from adapters.postgres.models.paging import Paging
from adapters.postgres.models.tables import columns_of
from application.kernel import Context
from projections.kernel import ReadModel, Related

Model = type[ReadModel[Any]]  # Any: of any row.
NOTHING: Final = Condition(sql.SQL(""))
AS_TEXT: Final = frozenset({"numeric", "date", "timestamptz"})
"""What JSON would show otherwise than PostgreSQL's texts do."""


class Window(Struct, frozen=True):
    """What a request says of a list: the page, and the conditions of its filter."""

    paging: Paging | None
    conditions: Sequence[Condition] = ()


class Writer:
    """Writes statements for one caller: with its permissions, on the tables that serve."""

    def __init__(
        self, context: Context, tables: Mapping[str, str], windows: Mapping[Page, Window]
    ) -> None:
        self._context = context
        self._tables = tables
        self._windows = windows
        self._aliases = 0
        self._relations: dict[One | Many, sql.Identifier] = {}

    def page(self, page: Page) -> Condition:
        """Write what reads the records of a page."""
        window = self._windows[page]
        paging, alias = window.paging, self._alias()
        assert paging is not None, "A page that is read was asked for."
        base = self._base(page.rows, window, [])
        slots = self._record(page.rows, alias, paging)
        joins = self._joins(page.rows, alias)
        order = _ordered(alias, paging) if page.rows.has_relations else NOTHING
        return _joined("SELECT ", slots, " FROM (", base, ") AS ", alias, joins, order)

    def count(self, page: Page) -> Condition:
        """Write what counts the rows that a list goes through."""
        return self._count(page.rows.model, self._windows[page], [])

    def row(self, rows: Rows, key: str) -> Condition:
        """Write what reads the record of one row."""
        alias, model = self._alias(), rows.model
        of_key = Condition(_equal(model.key), (key,))
        where = all_of([scope_of(model, self._context).condition, of_key])
        base = self._select(rows, where, ())
        joins = self._joins(rows, alias)
        slots = self._record(rows, alias, None)
        return _joined("SELECT ", slots, " FROM (", base, ") AS ", alias, joins)

    def _alias(self) -> sql.Identifier:
        self._aliases += 1
        return sql.Identifier(f"t{self._aliases}")

    def _of(self, relation: One | Many) -> sql.Identifier:
        """Name what a relation brings."""
        if relation not in self._relations:
            self._relations[relation] = self._alias()
        return self._relations[relation]

    def _table(self, model: Model) -> sql.Identifier:
        return sql.Identifier(self._tables[model.name])

    def _base(self, rows: Rows, window: Window, belonging: list[Condition]) -> Condition:
        """Write what reads the columns of a page's rows, each range no further than needed."""
        paging = window.paging
        assert paging is not None, "A page that is read was asked for."
        scope = scope_of(rows.model, self._context).condition
        limit = Condition(sql.SQL(" LIMIT %s"), (paging.size + 1,))
        tail = _joined(paging.keyset.order, limit)
        parts = [
            _joined(
                self._select(
                    rows,
                    all_of([scope, *belonging, *window.conditions, *behind]),
                    paging.keyset.columns,
                ),
                tail,
            )
            for behind in paging.ranges
        ]
        if len(parts) == 1:
            return parts[0]
        return _joined("(", _listed(parts, ") UNION ALL ("), ")", tail)

    def _select(self, rows: Rows, where: Condition, more: Sequence[str]) -> Condition:
        relations: Iterable[One | Many] = (*rows.ones, *rows.manys)
        ours = [name for each in relations for name in each.related.by.values()]
        names = dict.fromkeys([*rows.columns, *ours, *more])
        columns = sql.SQL(", ").join(map(sql.Identifier, names or (rows.model.key,)))
        return _joined("SELECT ", columns, " FROM ", self._table(rows.model), " WHERE ", where)

    def _record(self, rows: Rows, alias: sql.Identifier, paging: Paging | None) -> Condition:
        """Write the slots of a record, and the place of its row behind them."""
        slots = dict(self._slots(rows, alias))
        places = paging.keyset.columns if paging else ()
        record = [slots[at] for at in sorted(slots)]
        record += [_column(rows, alias, name) for name in places]
        return _listed(record, ", ")

    def _slots(self, rows: Rows, alias: sql.Identifier) -> Iterable[tuple[int, Condition]]:
        for name, slot in rows.columns.items():
            yield slot.at, _column(rows, alias, name)
        for one in rows.ones:
            yield from self._slots(one.rows, self._of(one))
        for many in rows.manys:
            page, window = many.page, self._windows[many.page]
            yield (
                many.slot.at,
                (
                    _joined(self._of(many), ".records")
                    if page.reads_rows
                    else Condition(sql.SQL("NULL::json"))
                ),
            )
            if page.count:
                belonging = _belonging(many.related, alias)
                count = self._count(page.rows.model, window, belonging)
                yield page.count.at, _joined("(", count, ")")

    def _count(self, model: Model, window: Window, belonging: list[Condition]) -> Condition:
        scope = scope_of(model, self._context).condition
        where = all_of([scope, *belonging, *window.conditions])
        return _joined("SELECT count(*) FROM ", self._table(model), " WHERE ", where)

    def _joins(self, rows: Rows, alias: sql.Identifier) -> Condition:
        parts = [self._join_one(one, alias) for one in rows.ones]
        parts += [self._join_many(many, alias) for many in rows.manys if many.page.reads_rows]
        return _joined(*parts)

    def _join_one(self, one: One, alias: sql.Identifier) -> Condition:
        rows, own = one.rows, self._of(one)
        scope = scope_of(rows.model, self._context).condition
        base = self._select(rows, all_of([scope, *_belonging(one.related, alias)]), ())
        order = _joined(" ORDER BY ", sql.Identifier(rows.model.key), " LIMIT 1")
        lateral = _joined(" LEFT JOIN LATERAL (", base, order, ") AS ", own, " ON true")
        return _joined(lateral, self._joins(rows, own))

    def _join_many(self, many: Many, alias: sql.Identifier) -> Condition:
        rows, window = many.page.rows, self._windows[many.page]
        assert window.paging is not None, "A page that is read was asked for."
        inner = self._alias()
        base = self._base(rows, window, _belonging(many.related, alias))
        record = self._record(rows, inner, window.paging)
        joins, order = self._joins(rows, inner), _ordered(inner, window.paging)
        records = _joined("SELECT json_agg(json_build_array(", record, ")", order, ") AS records")
        source = _joined(" FROM (", base, ") AS ", inner, joins)
        return _joined(" LEFT JOIN LATERAL (", records, source, ") AS ", self._of(many), " ON true")


def _belonging(related: Related, alias: sql.Identifier) -> list[Condition]:
    return [
        _joined(sql.Identifier(theirs), " = ", alias, ".", sql.Identifier(ours))
        for theirs, ours in related.by.items()
    ]


def _equal(column: str) -> sql.Composed:
    return sql.SQL("{} = %s").format(sql.Identifier(column))


def _column(rows: Rows, alias: sql.Identifier, name: str) -> Condition:
    column = _joined(alias, ".", sql.Identifier(name))
    kinds = {each.name: each.type for each in columns_of(rows.model.row)}
    return _joined(column, "::text") if rows.nested and kinds[name] in AS_TEXT else column


def _ordered(alias: sql.Identifier, paging: Paging) -> Condition:
    way = " DESC" if paging.keyset.descending != paging.keyset.backward else ""
    columns = [_joined(alias, ".", sql.Identifier(name), way) for name in paging.keyset.columns]
    return _joined(" ORDER BY ", _listed(columns, ", "))


def _listed(parts: Sequence[Condition], between: str) -> Condition:
    mixed = [part for each in parts for part in (between, each)]
    return _joined(*mixed[1:])


def _joined(*parts: Condition | sql.Composable | str) -> Condition:
    """Put parts of a statement together, with their values in order."""
    texts: list[sql.Composable] = []
    values: list[object] = []
    for part in parts:
        if isinstance(part, Condition):
            texts.append(part.text)
            values += part.values
        else:
            texts.append(sql.SQL(part) if isinstance(part, str) else part)
    return Condition(sql.Composed(texts), tuple(values))


def tables_needed(rows: Rows) -> set[Model]:
    """Name the models whose tables a statement reads."""
    found: set[Model] = {rows.model}
    for one in rows.ones:
        found |= tables_needed(one.rows)
    for many in rows.manys:
        found |= tables_needed(many.page.rows)
    return found


def pages_in(rows: Rows) -> Iterable[Page]:
    """List the pages that are nested in rows."""
    for one in rows.ones:
        yield from pages_in(one.rows)
    for many in rows.manys:
        yield many.page
        yield from pages_in(many.page.rows)

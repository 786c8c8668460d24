"""The tables of read models, declared by their rows: a column a field, the types by their types."""

import types
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    LiteralString,
    Union,
    get_args,
    get_origin,
)

from msgspec import Struct
from psycopg import sql

from projections.kernel import (
    ReadModel,
    Row,
    columns_with_hints,
    derived_columns,
    indexed_columns,
    scope_columns,
)

SEARCH: Final = "search_text"
TYPES: Final[dict[type, LiteralString]] = {
    str: "text",
    bool: "boolean",
    int: "bigint",
    Decimal: "numeric",
    date: "date",
    datetime: "timestamptz",
}


class Column(Struct, frozen=True, kw_only=True):
    """A column: its name, its PostgreSQL type, whether it may be empty. JSON holds the rest."""

    name: str
    type: LiteralString
    nullable: bool
    indexed: bool
    derived: bool = False  # It follows from the others, and is not read back.

    @property
    def is_json(self) -> bool:
        return self.type == "json"


@cache
def columns_of(row: type[Row]) -> tuple[Column, ...]:
    """Describe the columns of a row: its fields in their order, then what is derived of them."""
    indexed, derived = indexed_columns(row), derived_columns(row)
    return tuple(
        Column(
            name=name,
            type=_type_of(hint),
            nullable=_nullable(hint),
            indexed=name in indexed,
            derived=name in derived,
        )
        for name, hint in columns_with_hints(row).items()
    )


def plain_type(hint: Any) -> Any:  # noqa: ANN401 - annotations are of any kind.
    """Strip an annotation of its marks, its NewType and its None."""
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint = get_args(hint)[0]
        elif origin in {Union, types.UnionType}:
            members = [arg for arg in get_args(hint) if arg is not type(None)]
            if len(members) != 1:
                return hint
            hint = members[0]
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        else:
            return hint


def _nullable(hint: Any) -> bool:  # noqa: ANN401 - annotations are of any kind.
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return get_origin(hint) in {Union, types.UnionType} and type(None) in get_args(hint)


def _type_of(hint: Any) -> LiteralString:  # noqa: ANN401 - annotations are of any kind.
    plain = plain_type(hint)
    if get_origin(plain) is Literal:
        return "text"
    return TYPES.get(plain, "json")


def shape_of(model: type[ReadModel[Any]]) -> str:
    """Describe the table of *model* in one line, to tell whether it changed."""
    columns = (
        f"{c.name} {c.type}{'' if c.nullable else ' not null'}{' indexed' if c.indexed else ''}"
        for c in columns_of(model.row)
    )
    searched = f"; search {', '.join(model.search)}" if model.search else ""
    return f"{model.key}: {', '.join(columns)}{searched}"


def create_table(model: type[ReadModel[Any]], table: str) -> sql.Composed:
    """Write the statements that make the table, its indexes, its policy and its grants."""
    search = [index_search(table)] if model.search else []
    return sql.SQL(";\n").join([define_table(model, table), guard_table(table), *search])


def guard_table(table: str) -> sql.Composed:
    """Write what lets each tenant see its own rows only, and the application write them."""
    name = sql.Identifier(table)
    guards = [
        sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name),
        sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(name),
        sql.SQL("CREATE POLICY own_tenant ON {} USING (tenant_id = current_tenant())").format(name),
        sql.SQL(
            "CREATE POLICY all_tenants ON {} FOR SELECT TO asiento_appender USING (true)"
        ).format(name),
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO asiento_app").format(name),
        sql.SQL("GRANT SELECT ON {} TO asiento_appender").format(name),
    ]
    return sql.SQL(";\n").join(guards)


def index_search(table: str) -> sql.Composed:
    """Write the statement that makes the index of search texts, where PostgreSQL can have one."""
    return sql.SQL("SELECT index_search_v1({})").format(sql.Literal(table))


def define_table(model: type[ReadModel[Any]], table: str) -> sql.Composed:
    """Write the statements that make the table and its indexes, for whoever owns it."""
    columns = columns_of(model.row)
    name = sql.Identifier(table)
    definitions = [
        sql.SQL("{} {}{}{}").format(
            sql.Identifier(column.name),
            sql.SQL(column.type),
            # Keys and codes compare by bytes: the same everywhere, and faster.
            sql.SQL(' COLLATE "C"' if column.type == "text" else ""),
            sql.SQL("" if column.nullable else " NOT NULL"),
        )
        for column in columns
    ]
    if model.search:
        definitions.append(sql.SQL('{} text COLLATE "C" NOT NULL').format(sql.Identifier(SEARCH)))
    statements: Sequence[sql.Composed] = [
        sql.SQL(
            "CREATE TABLE {} (tenant_id uuid NOT NULL, {}, position bigint NOT NULL,"
            " PRIMARY KEY (tenant_id, {})) WITH (fillfactor = 90)"
        ).format(name, sql.SQL(", ").join(definitions), sql.Identifier(model.key)),
        *(
            sql.SQL("CREATE INDEX ON {} (tenant_id, {}, {})").format(
                name, sql.Identifier(column.name), sql.Identifier(model.key)
            )
            for column in columns
            if column.indexed
        ),
        # Most rows are of nobody's and of no branch, and cost nothing here.
        *(
            sql.SQL("CREATE INDEX ON {0} (tenant_id, {1}, {2}) WHERE {1} IS NOT NULL").format(
                name, sql.Identifier(column), sql.Identifier(model.key)
            )
            for column in scope_columns(model.row).values()
        ),
    ]
    return sql.SQL(";\n").join(statements)

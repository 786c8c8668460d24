"""Every table of a read model is what its row declares: down to collations, indexes and rights."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import psycopg
import pytest

from adapters.embedded.servers import Urls
from adapters.postgres.migrate import migrate
from adapters.postgres.models.tables import SEARCH, create_table, shape_of
from adapters.postgres.models.versions import Model, table_name
from application.errors import Malformed
from domain.invoicing import InvoiceDrafted, InvoiceId
from domain.kernel import Value
from projections.kernel import Indexed, ReadModel, Row, derived, read_models, scope_columns

COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull, collname, atthasdef
FROM pg_attribute LEFT JOIN pg_collation AS c ON c.oid = attcollation
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
INDEXES = """
SELECT array(
    SELECT attname FROM pg_attribute WHERE attrelid = indexrelid ORDER BY attnum
), indisprimary, indisunique, amname, indpred IS NULL, indisvalid
FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid JOIN pg_am AS a ON a.oid = c.relam
WHERE indrelid = %s::regclass
"""
POLICIES = """
SELECT policyname, roles::text[], cmd, qual, with_check FROM pg_policies
WHERE schemaname = 'public' AND format('%%I', tablename) = %s
"""
GUARDED = "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass"
RIGHTS = """
SELECT coalesce(r.rolname, 'PUBLIC'), array_agg(a.privilege_type ORDER BY a.privilege_type)
FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee
WHERE c.oid = %s::regclass AND a.grantee <> c.relowner GROUP BY 1
"""
TEXT = ("text", "C")
OWN_TENANT = "(tenant_id = current_tenant())"
Found = list[tuple[Any, ...]]  # Any: columns of several types.


class Part(Value):
    """What a bolt is made of."""

    grams: Decimal


class BoltRow(Row):
    """One bolt, with a column of each kind."""

    bolt: InvoiceId
    colour: Indexed[Literal["red", "blue"]]
    length: int
    weight: Indexed[Decimal | None]
    sold: bool
    made_on: date
    seen_at: datetime | None
    parts: tuple[Part, ...]
    box: Part | None
    name: Indexed[str | None] = None

    @derived
    def heavy(self) -> Indexed[bool]:
        """Tell whether it takes two to carry it."""
        return self.weight is not None and self.weight > 1

    @derived
    def label(self) -> str | None:
        """Name it as its box does."""
        return self.name


class Bolts(ReadModel[BoltRow]):
    """A read model with everything that one may declare."""

    name = "bolts"
    row = BoltRow
    key = "bolt"
    permission = "bolts.bolt.read"
    search = ("name", "colour")

    @staticmethod
    def apply(_row: BoltRow | None, _event: InvoiceDrafted) -> BoltRow | None:
        return None


COLUMNS_OF_BOLTS = [
    ("bolt", *TEXT, True),
    ("colour", *TEXT, True),
    ("length", "bigint", None, True),
    ("weight", "numeric", None, False),
    ("sold", "boolean", None, True),
    ("made_on", "date", None, True),
    ("seen_at", "timestamp with time zone", None, False),
    ("parts", "json", None, True),
    ("box", "json", None, False),
    ("name", *TEXT, False),
    ("heavy", "boolean", None, True),
    ("label", *TEXT, False),
    (SEARCH, *TEXT, True),
]


@pytest.fixture(scope="module")
def tables(database: Urls) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Look at a database with the tables of all read models, and one with everything."""
    with psycopg.connect(database.admin_database_url, autocommit=True) as connection:
        connection.execute(create_table(Bolts, table_name(Bolts)))
        yield connection


def found(tables: psycopg.Connection[tuple[Any, ...]], query: str, model: Model) -> Found:
    return tables.execute(query.encode(), (table_name(model),)).fetchall()


MODELS = [*read_models().values(), Bolts]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def test_a_row_becomes_columns_by_its_types(tables: psycopg.Connection[tuple[Any, ...]]) -> None:
    declared = [
        (name, kind, required, collation, False)
        for name, kind, collation, required in COLUMNS_OF_BOLTS
    ]
    position = ("position", "bigint", True, None, False)
    tenant = ("tenant_id", "uuid", True, None, False)
    assert found(tables, COLUMNS, Bolts) == [tenant, *declared, position]


@each_model
def test_the_columns_of_a_table_are_those_that_its_shape_names(
    tables: psycopg.Connection[tuple[Any, ...]], model: Model
) -> None:
    short = {"timestamp with time zone": "timestamptz"}
    columns = {
        name: f"{short.get(kind, kind)}{' not null' if required else ''}"
        for name, kind, required, _, _ in found(tables, COLUMNS, model)
    }
    assert columns.pop("tenant_id") == "uuid not null"
    assert columns.pop("position") == "bigint not null"
    assert (columns.pop(SEARCH, None) is not None) == bool(model.search)
    named = shape_of(model).partition("; ")[0].partition(": ")[2].split(", ")
    assert [each.removesuffix(" indexed") for each in named] == [
        f"{name} {kind}" for name, kind in columns.items()
    ]


@each_model
def test_texts_compare_by_bytes_in_every_table(
    tables: psycopg.Connection[tuple[Any, ...]], model: Model
) -> None:
    texts = {row[3] for row in found(tables, COLUMNS, model) if row[1] == "text"}
    assert texts == {"C"}


@each_model
def test_a_table_has_its_key_and_the_indexes_that_are_declared(
    tables: psycopg.Connection[tuple[Any, ...]], model: Model
) -> None:
    named = shape_of(model).partition("; ")[0].partition(": ")[2].split(", ")
    indexed = [each.split(" ")[0] for each in named if each.endswith(" indexed")]
    key = (["tenant_id", model.key], True, True, "btree", True, True)
    others = [(["tenant_id", n, model.key], False, False, "btree", True, True) for n in indexed]
    # Of nobody's rows, and of those of no branch, there is no entry.
    scoped = [
        (["tenant_id", n, model.key], False, False, "btree", False, True)
        for n in scope_columns(model.row).values()
    ]
    made = [row for row in found(tables, INDEXES, model) if SEARCH not in row[0]]
    assert sorted(made) == sorted([key, *others, *scoped])


@each_model
def test_the_words_that_find_a_row_are_indexed_where_the_server_can(
    tables: psycopg.Connection[tuple[Any, ...]], model: Model
) -> None:
    extensions = "SELECT FROM pg_extension WHERE extname IN ('pg_trgm', 'btree_gin')"
    able = tables.execute(extensions.encode()).rowcount == 2
    made = [row[3:] for row in found(tables, INDEXES, model) if SEARCH in row[0]]
    assert made == ([("gin", True, True)] if model.search and able else [])


@each_model
def test_a_table_shows_a_tenant_its_own_rows_and_nothing_else(
    tables: psycopg.Connection[tuple[Any, ...]], model: Model
) -> None:
    assert found(tables, GUARDED, model) == [(True, True)]
    assert sorted(found(tables, POLICIES, model)) == [
        ("all_tenants", ["asiento_appender"], "SELECT", "true", None),
        ("own_tenant", ["public"], "ALL", OWN_TENANT, None),
    ]


@each_model
def test_a_table_gives_rights_to_the_application_alone(
    tables: psycopg.Connection[tuple[Any, ...]], model: Model
) -> None:
    assert sorted(found(tables, RIGHTS, model)) == [
        ("asiento_app", ["DELETE", "INSERT", "SELECT", "UPDATE"]),
        ("asiento_appender", ["SELECT"]),
    ]


def test_the_tables_there_are_are_those_that_are_declared(
    tables: psycopg.Connection[tuple[Any, ...]],
) -> None:
    registered = tables.execute("SELECT name, version, shape FROM read_model ORDER BY 1").fetchall()
    assert registered == [(m.name, m.version, shape_of(m)) for m in read_models().values()]


def test_a_table_that_changed_under_its_version_is_refused(database: Urls) -> None:
    with psycopg.connect(database.admin_database_url, autocommit=True) as connection:
        changed = "UPDATE read_model SET shape = %s || shape WHERE name = 'invoices'"
        connection.execute(changed.encode(), ("colour text, ",))
        with pytest.raises(Malformed) as refused:
            migrate(database.admin_database_url, database.database_url, check=True)
        connection.execute(
            "UPDATE read_model SET shape = substr(shape, 14) WHERE name = 'invoices'"
        )
    assert refused.value.code == "projection.changed_in_place"
    assert "version" in refused.value.hint
    assert migrate(database.admin_database_url, database.database_url).pending == []

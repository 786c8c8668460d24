"""Which rows a query may return: the caller's own, and of them those that a filter asks for."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, LiteralString, TypeAlias

from msgspec import Struct
from psycopg import sql

from adapters.postgres.models.search import WORDS_MAX, patterns
from adapters.postgres.models.sight import Limit, limits, unseen
from adapters.postgres.models.tables import SEARCH, Column, columns_of
from application.access import ACROSS
from application.errors import Malformed
from application.kernel import Context
from domain.ids import SYSTEM_TENANT, TenantId
from projections.kernel import ReadModel

IN_MAX: Final = 100
SEARCHED: Final = "search"
WORDS: Final = "words"

COMPARISONS: Final[dict[str, LiteralString]] = {
    "eq": "{} = %s",
    "in": "{} = ANY (%s)",
    "lt": "{} < %s",
    "lte": "{} <= %s",
    "gt": "{} > %s",
    "gte": "{} >= %s",
    "contains": "strpos({}, %s) > 0",
}

Model: TypeAlias = type[ReadModel[Any]]  # Any: of any row.
Filter: TypeAlias = Mapping[str, Mapping[str, object]]
"""Conditions by column, all to hold: ``{"due": {"gt": Decimal(0)}}``; eq None: it is empty.

Where the model can be searched, ``{"search": {"words": "ana 2026"}}`` finds rows with all words.
"""


Belonging: TypeAlias = Mapping[str, object]
"""Values by column that rows must hold to belong to a row of another model; None: none do."""


class Condition(Struct, frozen=True):
    """A condition in SQL, and the values that travel beside it."""

    text: sql.SQL | sql.Composed
    values: tuple[object, ...] = ()


class Scope(Struct, frozen=True):
    """Where the rows lie that a caller may see, and which of them they are."""

    tenant: TenantId
    condition: Condition


def scope_of(model: Model, context: Context) -> Scope:
    """Say which rows of *model* are the caller's.

    Raises:
        Forbidden: The caller lacks the permission of the model, or sees none of its rows by it.

    """
    within = limits(model, context)
    tenant = storage_tenant(model, context)
    conditions = [Condition(sql.SQL("tenant_id = %s"), (tenant,))]
    owner = owner_column(model, context)
    if owner is not None:
        conditions.append(equal(owner, context.tenant))
    if within is not None:
        conditions.append(any_of([_limited(each) for each in within]))
    return Scope(tenant, all_of(conditions))


def require(context: Context, permission: str) -> None:
    """Let through who may read all that *permission* opens.

    Raises:
        Forbidden: The caller lacks it, or holds it for some rows alone.

    """
    if not context.may(permission):
        raise unseen(context, permission)


def storage_tenant(model: Model, context: Context) -> TenantId:
    """Name the tenant whose log the rows of *model* are folded from."""
    return SYSTEM_TENANT if model.system else context.tenant


def owner_column(model: Model, context: Context) -> str | None:
    """Name the column that must hold the caller's tenant; None where all rows are its own."""
    if not model.system:
        return None
    if context.tenant == SYSTEM_TENANT and context.may(ACROSS):
        return None
    return "owner" if "owner" in model.row.__struct_fields__ else "tenant"


def all_of(conditions: list[Condition]) -> Condition:
    """Join conditions that must all hold."""
    return Condition(
        sql.SQL(" AND ").join(condition.text for condition in conditions),
        tuple(value for condition in conditions for value in condition.values),
    )


def any_of(conditions: list[Condition]) -> Condition:
    """Join conditions of which one must hold."""
    return Condition(
        sql.SQL("({})").format(sql.SQL(" OR ").join(condition.text for condition in conditions)),
        tuple(value for condition in conditions for value in condition.values),
    )


def equal(column: str, value: object) -> Condition:
    """Let through the rows that hold *value*, and none where it is None."""
    return Condition(sql.SQL("{} = %s").format(sql.Identifier(column)), (value,))


def filter_conditions(model: Model, asked: Filter) -> Iterator[Condition]:
    """Translate a filter.

    Raises:
        Malformed: A column is not indexed, a comparison is unknown, or does not fit the column.

    """
    columns = filterable(model)
    for name, comparisons in asked.items():
        if name == SEARCHED and model.search:
            for pattern in searched(asked):
                yield Condition(sql.SQL("{} LIKE %s").format(sql.Identifier(SEARCH)), (pattern,))
            continue
        if name not in columns:
            raise Malformed(
                "query.not_filterable",
                f"{model.name} can't be filtered by {name!r}.",
                hint=f"Filter by {', '.join((*columns, SEARCHED) if model.search else columns)}.",
            )
        for comparison, value in comparisons.items():
            yield _condition(columns[name], comparison, value)


def searched(asked: Filter) -> list[str]:
    """Write the patterns of what is searched for; none where nothing is.

    Raises:
        Malformed: It isn't words, or too many.

    """
    comparisons = asked.get(SEARCHED, {})
    words = comparisons.get(WORDS, "")
    if not comparisons.keys() <= {WORDS} or not isinstance(words, str):
        raise Malformed(
            "query.bad_comparison",
            "A search takes words and nothing else.",
            hint=f"Ask for {SEARCHED}, {WORDS}, with a text.",
        )
    found = patterns(words)
    if len(found) > WORDS_MAX:
        raise Malformed(
            "query.bad_value",
            f"{len(found)} words were searched for, {WORDS_MAX} at most.",
            hint="Search for fewer words: a part of a word finds it too.",
        )
    return found


def filterable(model: Model) -> dict[str, Column]:
    """Name the columns that have an index, the key first."""
    columns = {column.name: column for column in columns_of(model.row)}
    return {
        name: column
        for name, column in ({model.key: columns[model.key]} | columns).items()
        if column.indexed or name == model.key
    }


def _limited(limit: Limit) -> Condition:
    if isinstance(limit.value, str):
        return equal(limit.column, limit.value)
    return Condition(
        sql.SQL("{} = ANY (%s)").format(sql.Identifier(limit.column)), (list(limit.value),)
    )


def _condition(column: Column, comparison: str, value: object) -> Condition:
    if comparison not in COMPARISONS or (comparison == "contains" and column.type != "text"):
        raise Malformed(
            "query.bad_comparison",
            f"{column.name} can't be compared by {comparison!r}.",
            hint=f"Compare by one of {', '.join(COMPARISONS)}; contains is for text.",
        )
    name = sql.Identifier(column.name)
    if comparison == "eq" and value is None:
        return Condition(sql.SQL("{} IS NULL").format(name))
    if not _fits(comparison, value):
        raise Malformed(
            "query.bad_value",
            f"{column.name} can't be compared by {comparison} with this value.",
            hint=f"eq alone takes null; in takes a list of at most {IN_MAX} values.",
        )
    given = list(value) if isinstance(value, list | tuple) else value
    return Condition(sql.SQL(COMPARISONS[comparison]).format(name), (given,))


def _fits(comparison: str, value: object) -> bool:
    if comparison != "in":
        return value is not None and not isinstance(value, list | tuple)
    return isinstance(value, list | tuple) and len(value) <= IN_MAX and None not in value

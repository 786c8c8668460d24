"""Filters of lists, as parameters of a query: of each column that has an index, and of no other."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import GenericAlias
from typing import Annotated, Any, Final, Literal, get_args

from litestar.params import QueryParameter
from msgspec import Struct

from adapters.postgres.models.conditions import IN_MAX, SEARCHED, WORDS, Model, filterable
from adapters.postgres.models.tables import columns_of, plain_type
from adapters.rest.tags import ReadRequest
from application.errors import Malformed
from projections.kernel import columns_with_hints

EQUAL: Final = "eq"
EMPTY: Final = "null"
ORDERED: Final = (int, Decimal, date, datetime, str)
COMPARISONS: Final = ("lt", "lte", "gt", "gte")
NOTES: Final = {
    "in": f"Any of these; the parameter once for each, {IN_MAX} at most.",
    "contains": "The text is part of it; upper and lower case differ.",
    EMPTY: "It is empty.",
}


class Place(Struct, frozen=True, kw_only=True):
    """A filter's place in the query, and what it may hold."""

    column: str
    comparison: str
    query: str
    hint: Any  # An annotation.

    @property
    def argument(self) -> str:
        return f"filter_{self.column}_{self.comparison}"


def filters_of(model: Model) -> dict[str, Place]:
    """Name the filters of *model*, by the argument that each arrives in."""
    return {place.argument: place for place in _places(model)}


def asked_of(
    filters: Mapping[str, Place], given: Mapping[str, object]
) -> dict[str, dict[str, object]]:
    """Turn arguments into conditions by column."""
    asked: dict[str, dict[str, object]] = {}
    for name, value in given.items():
        if value is None:
            continue
        place = filters[name]
        if place.comparison == EMPTY:
            _put(asked, place, EQUAL, None)
        else:
            _put(asked, place, place.comparison, value)
    return asked


def refuse_unknown(request: ReadRequest, model: Model, known: set[str]) -> None:
    """Refuse what a list does not know: ignored, it would show rows that were not asked for.

    Raises:
        Malformed: A parameter is misspelt, or a filter of a column without an index.

    """
    for name in request.query_params:
        if name not in known:
            raise _unknown(model, name, known)


def _put(asked: dict[str, dict[str, object]], place: Place, comparison: str, value: object) -> None:
    comparisons = asked.setdefault(place.column, {})
    if comparison in comparisons:
        raise Malformed(
            "query.bad_comparison",
            f"{place.column} can't both be empty and equal something.",
            hint=f"Leave filter[{place.column}] or filter[{place.column}][{EMPTY}] out.",
        )
    comparisons[comparison] = value


def _unknown(model: Model, name: str, known: set[str]) -> Malformed:
    column, _, rest = name.removeprefix("filter[").partition("]")
    comparisons = sorted(each for each in known if each.startswith(f"filter[{column}]"))
    if not name.startswith("filter[") or (rest and comparisons):
        others = comparisons or sorted(each for each in known if not each.startswith("filter["))
        return Malformed(
            "query.unknown_parameter",
            f"This list knows no {name[:60]!r}.",
            hint=f"Use {', '.join(others)}" + ("." if comparisons else ", or a filter[column]."),
        )
    columns = ", ".join([*filterable(model), *([SEARCHED] if model.search else [])])
    if column in {each.name for each in columns_of(model.row)}:
        return Malformed(
            "query.not_filterable",
            f"{model.name} can't be filtered by {column!r}, which has no index.",
            hint=f"Filter by {columns}.",
        )
    return Malformed(
        "query.unknown_parameter",
        f"This list knows no {name[:60]!r}.",
        hint=f"Filter by {columns}.",
    )


def _places(model: Model) -> Iterator[Place]:
    hints = columns_with_hints(model.row)
    if model.search:
        yield _place(SEARCHED, WORDS, str)
    for name, column in filterable(model).items():
        kind = plain_type(hints[name])
        yield _place(name, EQUAL, kind)
        yield _place(name, "in", GenericAlias(list, (kind,)), items_max=IN_MAX)
        # An id or a code is the same or another; the order of such says nothing.
        if kind in ORDERED and name != model.key and not _is_named(hints[name]):
            for comparison in (*COMPARISONS, *(["contains"] if kind is str else [])):
                yield _place(name, comparison, kind)
        if column.nullable:
            yield _place(name, EMPTY, Literal["true"])


def _place(column: str, comparison: str, kind: Any, *, items_max: int | None = None) -> Place:  # noqa: ANN401 - an annotation may be anything.
    alone = comparison in {EQUAL, WORDS}
    query = f"filter[{column}]" if alone else f"filter[{column}][{comparison}]"
    parameter = QueryParameter(name=query, description=NOTES.get(comparison), max_items=items_max)
    return Place(
        column=column,
        comparison=comparison,
        query=query,
        hint=Annotated[kind | None, parameter],
    )


def _is_named(hint: Any) -> bool:  # noqa: ANN401 - an annotation may be anything.
    """Tell whether a type has a name of its own, as ids have."""
    return hasattr(hint, "__supertype__") or any(map(_is_named, get_args(hint)))

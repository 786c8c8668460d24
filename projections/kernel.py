"""A read model is a table that events fill: one row for each key, folded and never repaired."""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any, ClassVar, Generic, TypeVar, get_args, get_type_hints

from domain.kernel import Event, Value, event_types_of

T = TypeVar("T")


class _Indexed:
    """Marks a column that lists may be filtered and ordered by."""


Indexed = Annotated[T, _Indexed()]


class Row(Value):
    """A row of a read model: its columns, its GraphQL fields, and what may be asked of it."""


R = TypeVar("R", bound=Row)


class ReadModel(Generic[R]):
    """How events become rows. The runtime reads, folds and writes in batches; this is pure."""

    name: ClassVar[str]  # The table, and the list in GraphQL and REST.
    row: ClassVar[type[Row]]
    key: ClassVar[str]  # The event field, and the column, that says which row an event touches.
    version: ClassVar[int] = 1  # Raised when apply or the row changes: a rebuild follows.
    permission: ClassVar[str]  # What a reader needs.
    public: ClassVar[bool] = True  # Shown by GraphQL and REST.
    system: ClassVar[bool] = False  # Folded from the log of the reserved tenant.
    apply: ClassVar[Any]  # Any: each read model names the union of events it understands.


@cache
def read_models() -> dict[str, type[ReadModel[Any]]]:  # Any: of any row.
    """Find every read model, by name."""
    package = import_module("projections")
    for module in iter_modules(package.__path__):
        import_module(f"projections.{module.name}")
    return {model.name: model for model in sorted(ReadModel.__subclasses__(), key=lambda m: m.name)}


def events_of(model: type[ReadModel[Any]]) -> tuple[type[Event], ...]:  # Any: of any row.
    """Name the events that *model* understands."""
    return event_types_of(model.apply)


@cache
def indexed_columns(row: type[Row]) -> tuple[str, ...]:
    """Name the columns that lists may be filtered and ordered by."""
    hints = get_type_hints(row, include_extras=True)
    return tuple(name for name, hint in hints.items() if _is_indexed(hint))


def _is_indexed(hint: object) -> bool:
    return any(isinstance(arg, _Indexed) or _is_indexed(arg) for arg in get_args(hint))


def project(model: type[ReadModel[R]], history: Iterable[Event]) -> dict[str, R]:
    """Fold *history* in memory, as a rebuild and a test do."""
    rows: dict[str, R] = {}
    for event in history:
        if isinstance(event, events_of(model)):
            fold(model, rows, event)
    return rows


def fold(model: type[ReadModel[R]], rows: dict[str, R], event: Event) -> str:
    """Apply one event that *model* understands to *rows*, and return the key it touched."""
    key: str = getattr(event, model.key)
    row = model.apply(rows.get(key), event)
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row
    return key

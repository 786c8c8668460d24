"""A read model is a table that events fill: one row for each key, folded and never repaired.

Most rows are of one entity, named by a field of its events. Others gather from many: a balance,
a line of a book. Those say which keys an event touches.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from msgspec import Struct, structs

from domain.access.scopes import Scope
from domain.kernel import Event, Value, event_types_of

T = TypeVar("T")
M = TypeVar("M", bound=Struct)
PACKAGE: Final = "projections"


class _Indexed:
    """Marks a column that lists may be filtered and ordered by."""


Indexed = Annotated[T, _Indexed()]


class ScopedBy(Struct, frozen=True):
    """Marks the column that a scope goes by: who made the row, or of which branch it is."""

    scope: Scope


MadeBy = Annotated[T, ScopedBy("own")]
OfBranch = Annotated[T, ScopedBy("branch")]


class SeenWith(Struct, frozen=True):
    """Marks a field that is empty for readers who lack a permission. No list goes by it."""

    permission: str


class Row(Value):
    """A row of a read model: its columns, its GraphQL fields, and what may be asked of it."""


R = TypeVar("R", bound=Row)


class derived(Generic[T]):  # noqa: N801 - used like ``property``.
    """A column that follows from the others: computed, stored, asked for like any other.

    Its type is what the method returns: ``Indexed[Decimal]`` may be filtered by.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:  # Any: of any row.
        self.compute = compute
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, row: None, owner: type) -> "derived[T]": ...
    @overload
    def __get__(self, row: object, owner: type) -> T: ...
    def __get__(self, row: object | None, owner: type) -> "derived[T] | T":
        return self if row is None else self.compute(row)


class Related(Struct, frozen=True, kw_only=True):
    """Rows of another read model that belong to a row: those where these columns agree.

    Attributes:
        model: The name of the other read model.
        by: Its columns, and ours that they equal. Its first has an index.
        many: All of them, as a list; otherwise the one that there is.
        note: What readers are told of it.

    """

    model: str
    by: Mapping[str, str]
    many: bool
    note: str


class ReadModel(Generic[R]):
    """How events become rows. The runtime reads, folds and writes in batches; this is pure.

    A model of the usual kind has a key that is a field of its events, and
    ``apply(row, event)``. One whose rows gather from many overrides ``keys`` and ``tags``, and
    has ``apply(row, event, key)``. None as a row: there is none, or no more.
    """

    name: ClassVar[str]  # The list in GraphQL and REST; the table with its version behind it.
    row: ClassVar[type[Row]]
    key: ClassVar[str]  # The column that names a row, and by default the event field that does.
    version: ClassVar[int] = 1  # Raised when apply or the row changes: a new table is built.
    permission: ClassVar[str]  # What a reader needs.
    public: ClassVar[bool] = True  # Shown by GraphQL and REST.
    system: ClassVar[bool] = False  # Folded from the log of the reserved tenant.
    personal: ClassVar[bool] = True  # False: no row holds anything of a person, ever.
    search: ClassVar[tuple[str, ...]] = ()  # Columns whose words find a row; ``a.b`` is inside.
    related: ClassVar[Mapping[str, Related]] = MappingProxyType({})  # By the name of the field.
    apply: ClassVar[Any]  # Any: each read model names the union of events it understands.

    @classmethod
    def keys(cls, event: Any) -> tuple[str, ...]:  # noqa: ANN401 - of the events it understands.
        """Name the rows that *event* touches, each once; often one, sometimes none."""
        return (getattr(event, cls.key),)

    @classmethod
    def tags(cls, key: str) -> tuple[str, ...]:
        """Name tags of which every event that touches the row has one; none: it may be any event.

        By them a single row is found in the log, and folded as of any moment.
        """
        return (f"{cls.key}:{key}",)

    @classmethod
    def fold(cls, row: Any, event: Any, key: str) -> Any:  # noqa: ANN401 - a row of the model.
        """Change the row of *key* by one event that touches it."""
        return cls.apply(row, event, key) if gathers(cls) else cls.apply(row, event)


def gathers(model: type[ReadModel[Any]]) -> bool:  # Any: of any row.
    """Tell whether the rows of *model* gather from the events of many entities."""
    return model.keys.__func__ is not ReadModel.keys.__func__  # type: ignore[attr-defined] # Class methods have one.


def one_of(model: str, note: str, **by: str) -> Related:
    """Declare that a row belongs to one of another read model, whose columns equal ours."""
    return Related(model=model, by=by, many=False, note=note)


def many_of(model: str, note: str, **by: str) -> Related:
    """Declare that many rows of another read model belong to one of ours, as above."""
    return Related(model=model, by=by, many=True, note=note)


def relations(**related: Related) -> Mapping[str, Related]:
    """Name the relations of a model."""
    return MappingProxyType(related)


@cache
def read_models() -> dict[str, type[ReadModel[Any]]]:  # Any: of any row.
    """Find every read model of this package, by name."""
    package = import_module(PACKAGE)
    for module in iter_modules(package.__path__):
        import_module(f"{PACKAGE}.{module.name}")
    found = [m for m in ReadModel.__subclasses__() if m.__module__.startswith(f"{PACKAGE}.")]
    return {model.name: model for model in sorted(found, key=lambda model: model.name)}


@cache
def readable() -> frozenset[str]:
    """Name the permissions by which public read models are read, and fields of theirs seen."""
    public = [model for model in read_models().values() if model.public]
    return frozenset(model.permission for model in public).union(
        each.permission for model in public for each in guarded_fields(model.row)
    )


def events_of(model: type[ReadModel[Any]]) -> tuple[type[Event], ...]:  # Any: of any row.
    """Name the events that *model* understands."""
    return event_types_of(model.apply)


@cache
def columns_with_hints(row: type[Row]) -> dict[str, Any]:  # Any: annotations.
    """Name every column and its annotation, in order: the fields, then what is derived of them."""
    hints = get_type_hints(row, include_extras=True)
    columns = {field.name: hints[field.name] for field in structs.fields(row)}
    return columns | {
        name: get_type_hints(each.compute, include_extras=True)["return"]
        for name, each in derived_columns(row).items()
    }


@cache
def derived_columns(row: type[Row]) -> dict[str, derived[Any]]:  # Any: of any type.
    """Name the columns that follow from the others."""
    return {
        name: each
        for kind in reversed(row.__mro__)
        for name in vars(kind)
        if isinstance(each := getattr(row, name), derived)
    }


@cache
def indexed_columns(row: type[Row]) -> tuple[str, ...]:
    """Name the columns that lists may be filtered and ordered by."""
    return tuple(name for name, hint in columns_with_hints(row).items() if _is_indexed(hint))


def _is_indexed(hint: object) -> bool:
    return any(isinstance(arg, _Indexed) or _is_indexed(arg) for arg in get_args(hint))


@cache
def scope_columns(row: type[Row]) -> Mapping[Scope, str]:
    """Name the columns that scopes go by."""
    hints = columns_with_hints(row).items()
    return {mark.scope: name for name, hint in hints for mark in marks_of(hint, ScopedBy)}


class Guarded(Struct, frozen=True, kw_only=True):
    """A field that is seen with a permission alone.

    Attributes:
        path: The fields that lead to it from the row.
        owner: The struct that has it.

    """

    path: tuple[str, ...]
    owner: type[Struct]
    permission: str


@cache
def guarded_fields(struct: type[Struct]) -> tuple[Guarded, ...]:
    """Find the fields of a row that are seen with a permission alone, those inside included."""
    is_row = issubclass(struct, Row)
    hints = columns_with_hints(struct) if is_row else get_type_hints(struct, include_extras=True)
    return tuple(_guarded(struct, hints))


def _guarded(struct: type[Struct], hints: Mapping[str, Any]) -> Iterator[Guarded]:  # Any: hints.
    for name, hint in hints.items():
        for mark in marks_of(hint, SeenWith):
            yield Guarded(path=(name,), owner=struct, permission=mark.permission)
        for inner in _structs_in(hint):
            for each in guarded_fields(inner):
                yield structs.replace(each, path=(name, *each.path))


def marks_of(hint: object, kind: type[M]) -> Iterator[M]:
    """Find the marks of a kind that stand on an annotation, and not on what is inside a list."""
    if get_origin(hint) in {Annotated, Union, UnionType}:
        for arg in get_args(hint):
            if isinstance(arg, kind):
                yield arg
            yield from marks_of(arg, kind)


def _structs_in(hint: object) -> Iterator[type[Struct]]:
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for arg in get_args(hint):
        yield from _structs_in(arg)


def project(model: type[ReadModel[R]], history: Iterable[Event]) -> dict[str, R]:
    """Fold *history* in memory, as a rebuild and a test do."""
    rows: dict[str, R] = {}
    for event in history:
        if isinstance(event, events_of(model)):
            fold(model, rows, event)
    return rows


def fold(model: type[ReadModel[R]], rows: dict[str, R], event: Event) -> tuple[str, ...]:
    """Apply one event that *model* understands to *rows*, and return the keys it touched."""
    keys = model.keys(event)
    for key in keys:
        row = model.fold(rows.get(key), event, key)
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row
    return keys

"""Sight: which rows of a read model a caller sees, and what of them.

A permission to read may hold for some rows alone, and a field may need one of its own. Whoever
lacks that finds the field empty, wherever rows are shown, and is told its name.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from application.errors import Forbidden
from application.kernel import Context, too_narrow
from application.refusals import lacking
from domain.access.scopes import Scope
from projections.kernel import Guarded, ReadModel, Row, guarded_fields, scope_columns

Model: TypeAlias = type[ReadModel[Any]]  # Any: of any row.
R = TypeVar("R", bound=Row)


class Limit(Struct, frozen=True):
    """Rows are seen where this column holds this, or one of these."""

    column: str
    value: str | tuple[str, ...]

    def holds(self, row: Row) -> bool:
        found = getattr(row, self.column)
        return found == self.value if isinstance(self.value, str) else found in self.value


def limits(model: Model, context: Context) -> Sequence[Limit] | None:
    """Say which rows of *model* are seen: those within any of some limits; None: all.

    Raises:
        Forbidden: None of them, as the caller lacks the permission or no column tells which.

    """
    scopes = context.scopes(model.permission)
    if scopes is None:
        return None
    columns = scope_columns(model.row)
    found = [_limit(each, columns[each], context) for each in sorted(scopes & columns.keys())]
    if not found:
        raise unseen(context, model.permission, model.name)
    return found


def require_some(model: Model, context: Context) -> None:
    """Let through who may read rows of *model*, if only some.

    Raises:
        Forbidden: The caller may read none.

    """
    limits(model, context)


def may_read(model: Model, context: Context) -> bool:
    """Tell whether the caller may read rows of *model*, if only some."""
    scopes = context.scopes(model.permission)
    return scopes is None or not scopes.isdisjoint(scope_columns(model.row))


def sees(model: Model, context: Context, row: Row) -> bool:
    """Tell whether the caller sees a row that was folded.

    Raises:
        Forbidden: It sees none, as above.

    """
    found = limits(model, context)
    return found is None or any(each.holds(row) for each in found)


def hidden(model: Model, context: Context) -> Sequence[Guarded]:
    """Name the fields of *model* that are empty for the caller; mostly there is none."""
    guarded = guarded_fields(model.row)
    return [each for each in guarded if not context.may(each.permission)] if guarded else ()


def veiled(row: R, fields: Iterable[Guarded]) -> R:
    """Leave out of a row what is hidden."""
    for each in fields:
        row = _without(row, each.path)
    return row


def unseen(context: Context, permission: str, what: str = "this") -> Forbidden:
    """Say what a reader lacks who sees nothing, or who is to see all and holds some alone."""
    if scopes := context.scopes(permission):
        return too_narrow(context, permission, scopes, f"Reading {what} needs")
    return lacking(
        context.tenant,
        context.actor,
        permission,
        message=f"Reading this needs the permission {permission}.",
        hint="Ask an owner of the tenant for it.",
    )


def _limit(scope: Scope, column: str, context: Context) -> Limit:
    match scope:
        case "own":
            return Limit(column, context.actor)
        case "branch":
            return Limit(column, tuple(sorted(context.branches)))


def _without(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever a row may hold.
    if value is None or not path:
        return None
    if isinstance(value, tuple):
        return tuple(_without(each, path) for each in value)
    name, *rest = path
    return replace(value, **{name: _without(getattr(value, name), tuple(rest))})

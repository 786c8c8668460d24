"""Scopes: a permission may hold for some rows alone: those that one made, or of one's branches.

The scope stands behind the permission, as in ``invoicing.invoice.read@own``. A permission without
one holds for all rows, so that it holds for those that any scope names.
"""

from collections.abc import Set as AbstractSet
from typing import Final, Literal, TypeAlias, get_args

Scope: TypeAlias = Literal["own", "branch"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
AT: Final = "@"
GRANT: Final = rf"^[a-z_]+\.[a-z_]+\.[a-z_]+({AT}({'|'.join(SCOPES)}))?$(?!\n)"
"""How a permission is written that is given to somebody."""


def scoped(permission: str, scope: Scope) -> str:
    """Write a permission that holds for the rows of a scope alone."""
    return f"{permission}{AT}{scope}"


def is_held(grant: str, held: AbstractSet[str]) -> bool:
    """Tell whether who holds *held* holds all that *grant* opens."""
    return grant in held or grant.partition(AT)[0] in held


def goes_by_branch(held: frozenset[str]) -> bool:
    """Tell whether something of what is held holds in branches alone."""
    return any(grant.endswith(f"{AT}branch") for grant in held)

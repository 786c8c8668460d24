"""Refusals: who was refused what, told to whoever listens in this process.

Each place that asks for a permission refuses here, so that no surface can forget to tell.
Listeners take it in at once and do their work later; a refusal waits for nobody.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from application.errors import Forbidden
from domain.ids import TenantId

Listener: TypeAlias = Callable[[TenantId, str, str], None]
_listeners: Final[list[Listener]] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell *listener* of each refusal: for whom who acted, and the permission that was missing."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def lacking(tenant: TenantId, actor: str, permission: str, *, message: str, hint: str) -> Forbidden:
    """Make the error for somebody who lacks a permission, and tell of it."""
    for listener in _listeners:
        listener(tenant, actor, permission)
    return Forbidden("access.forbidden", message, hint=hint)

"""Reactions: an event leads to a command, so that a process of the business goes on by itself.

A reaction says which command, and nothing else. Each event from the day that the reaction is
there leads to its command exactly once, or to a dead letter that says why a rule refused it.
"""

from functools import cache
from typing import Any, ClassVar, Final

import structlog
from msgspec import Struct

from application.asks import REACTION
from application.bus import Bus
from application.discovery import modules_of
from application.errors import (
    ApplicationError,
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    Unavailable,
)
from application.kernel import EVERYTHING, Context, exposed_commands
from domain.ids import TenantId
from domain.kernel import Event, Refused, event_types_of

KEY_REUSED: Final = "idempotency.key_reused"
MESSAGE_LENGTH_MAX: Final = 500
log = structlog.get_logger()


class Reaction:
    """What an event leads to. ``on(event)`` returns a command or None, and is pure.

    The annotation of its argument names the events. What the command needs comes out of the
    event, its new ids too, so that the same event always leads to the same command. The command
    goes to the log that the event is in.
    """

    name: ClassVar[str]  # For ever: the cursors and the keys of the commands go by it.
    system: ClassVar[bool] = False  # It reacts to the log of the reserved tenant.
    on: ClassVar[Any]  # Any: each reaction names the union of events it understands.


class Cause(Struct, frozen=True, kw_only=True):
    """An event that is reacted to, opened, and where it stands."""

    tenant: TenantId
    position: int
    correlation_id: str
    event: Event


class DeadLetter(Struct, frozen=True, kw_only=True):
    """Why the command that an event led to was not run."""

    position: int
    code: str
    message: str


@cache
def reactions() -> dict[str, type[Reaction]]:
    """Find every reaction of the modules of ``application``, by name."""
    modules_of("application")
    found = [r for r in Reaction.__subclasses__() if r.__module__.startswith("application.")]
    return {reaction.name: reaction for reaction in sorted(found, key=lambda each: each.name)}


def events_of(reaction: type[Reaction]) -> tuple[type[Event], ...]:
    """Name the events that *reaction* is for."""
    return event_types_of(reaction.on)


def actor_of(reaction: type[Reaction]) -> str:
    """Name a reaction as the actor of its commands, and as a reader of logs."""
    return f"{REACTION}{reaction.name}"


async def react(bus: Bus, reaction: type[Reaction], cause: Cause) -> DeadLetter | None:
    """Run the command that an event leads to, if it leads to one and it was not run before.

    Raises:
        Unavailable: A server is away, or others were always first. It is to be asked again.

    """
    command = reaction.on(cause.event)
    if command is None:
        return None
    if exposed_commands()[type(command)].system != reaction.system:
        raise TypeError(f"{type(command).__name__} is no command of the log of {reaction.name}.")
    try:
        await bus.execute(command, _context(reaction, cause), key=_key(reaction, cause))
    except Conflict as error:
        raise Unavailable(error.code, error.message, hint=error.hint) from error
    except (Refused, Malformed, Forbidden, NotFound) as error:
        return None if error.code == KEY_REUSED else _dead(reaction, cause, error)
    return None


def _key(reaction: type[Reaction], cause: Cause) -> str:
    """Name the command by its event. It comes back with another one only from other code."""
    return f"{actor_of(reaction)}:{cause.position}"


def _context(reaction: type[Reaction], cause: Cause) -> Context:
    return Context(
        tenant=cause.tenant,
        actor=actor_of(reaction),
        permissions=frozenset({EVERYTHING}),
        correlation_id=cause.correlation_id,
        causation_id=str(cause.position),
    )


def _dead(reaction: type[Reaction], cause: Cause, error: Refused | ApplicationError) -> DeadLetter:
    log.warning(
        "reaction.refused",
        reaction=reaction.name,
        tenant=cause.tenant,
        position=cause.position,
        code=error.code,
    )
    message = error.message[:MESSAGE_LENGTH_MAX]
    return DeadLetter(position=cause.position, code=error.code, message=message)

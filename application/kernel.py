"""Who asks, what they may ask for, and what they are told."""

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final, Protocol, TypeAlias, TypeVar, get_type_hints
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct

from application.discovery import modules_of
from application.errors import Forbidden, Malformed
from application.ports import Blobs, Clock, EventStore, Safe
from application.refusals import lacking
from application.secret_text import new_secret
from application.vault import Vault
from domain.access import KEY_DAYS, KeyDays
from domain.access.scopes import SCOPES, Scope, scoped
from domain.ids import SYSTEM_TENANT, BranchId, TenantId
from domain.kernel import (
    Boundary,
    Command,
    Event,
    State,
    filled_fields,
    found_fields,
    secret_fields,
)

EVERYTHING: Final = "*"
"""The permission that holds all others."""

CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
ID_BITS_RANDOM: Final = 74
T = TypeVar("T", bound=Struct)
S = TypeVar("S", bound=State)


class Fold(Protocol):
    """Reads one state of a tenant, as it is now."""

    def __call__(self, tenant: TenantId, boundary: Boundary[S], /) -> Awaitable[S]: ...


class Context(Struct, frozen=True, kw_only=True):
    """On whose behalf a command runs. It comes from a verified credential, never from input."""

    tenant: TenantId
    actor: str  # user:…, key:…, job:…, reaction:… or system
    permissions: frozenset[str]
    correlation_id: str
    causation_id: str | None = None  # The position or command that led here.
    branches: frozenset[BranchId] = frozenset()  # Where a permission holds that is @branch.

    def may(self, permission: str) -> bool:
        """Tell whether a permission is held, and for all rows."""
        return EVERYTHING in self.permissions or permission in self.permissions

    def scopes(self, permission: str) -> frozenset[Scope] | None:
        """Tell for which rows a permission is held; None: for all."""
        if self.may(permission):
            return None
        return frozenset(each for each in SCOPES if scoped(permission, each) in self.permissions)


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a command: the events it made, by type and position, and the new ids."""

    position: int
    events: tuple[tuple[str, int], ...]
    ids: dict[str, str]


class Looking(Struct, frozen=True, kw_only=True):
    """What a module may look at to find what its rule must know.

    Attributes:
        safe: Where what is secret in a command is kept; None: nowhere here.
        tenant: Whose log the command goes to.
        readable: The permissions by which read models are read.
        fold: Reads a state of a tenant, as it is now. It may be another when the rule decides.
        key_days: For how long API keys are made here.

    """

    vault: Vault
    tenant: TenantId
    caller: Context
    readable: frozenset[str] = frozenset()
    safe: Safe | None = None
    fold: Fold
    key_days: KeyDays = KEY_DAYS


Prepare: TypeAlias = Callable[[Blobs, Context, Any], Awaitable[Mapping[str, object]]]  # Any: input.
Find: TypeAlias = Callable[[Looking, Any], Awaitable[Command]]  # Any: the command.
After: TypeAlias = Callable[[Any, EventStore, Any, Context], Awaitable[None]]  # Any: bus, command.
Show: TypeAlias = Callable[[Vault, TenantId, Command, Outcome], Awaitable[str | None]]


class Exposed(Struct, frozen=True, kw_only=True):
    """A command as the world may call it. ``application/<module>.py`` lists its own.

    Attributes:
        permission: ``module.entity.action``, asked of every caller.
        route: Method and path under /api/v1, such as ``POST /invoices``; None: internal.
        system: It belongs to no tenant, and goes to the log of the reserved one.
        input: What callers send, where it is not the command's own fields.
        prepare: Turns that input into the command's fields, keeping what is too large for it.
        find: Looks up the command's ``Found`` fields, each time that it is executed, and keeps
            apart what is ``Secret`` in it.
        secret: Fetches the secret that the answer shows, and that is shown nowhere else.
        entity: The state of its boundary by which a narrower scope of the permission is judged: it
            has ``made_by`` and ``branch``. None: what is held for some rows alone is not enough.
        always: It runs though the company is suspended or the module is switched off: it notes
            or ends what was begun before.
        after: Runs once the command has, whatever came of it, and raises nothing.
        begun_by: Events with which the books begin. The rule is told in its ``Found`` field
            ``begun`` whether there was one, as of the command's own place in the log.

    """

    command: type[Command]
    permission: str
    route: str | None = None
    system: bool = False
    input: type[Struct] | None = None
    prepare: Prepare | None = None
    find: Find | None = None
    secret: Show | None = None
    entity: type[State] | None = None
    always: bool = False
    after: After | None = None
    begun_by: tuple[type[Event], ...] = ()

    @property
    def shape(self) -> type[Struct]:
        """What callers send."""
        return self.input or self.command

    async def build(
        self, given: Mapping[str, object], context: Context, blobs: Blobs, clock: Clock
    ) -> Command:
        """Make the command of what a caller gave.

        Raises:
            Forbidden: The caller lacks the permission; nothing was kept.
            Malformed: A field is missing, unknown or not of its type.

        """
        if self.prepare is None or self.input is None:
            return build(self.command, given, clock)
        self.check(context)
        sent = convert(given, self.input)
        return build(self.command, await self.prepare(blobs, context, sent), clock)

    def check(self, context: Context) -> None:
        """Let nobody through who lacks the permission.

        Raises:
            Forbidden: The caller lacks it.

        """
        scopes = context.scopes(self.permission)
        if scopes is None or (scopes and self.entity is not None):
            return
        if scopes:
            raise too_narrow(context, self.permission, scopes, f"{self.command.__name__} needs")
        raise lacking(
            context.tenant,
            context.actor,
            self.permission,
            message=f"{self.command.__name__} needs the permission {self.permission}.",
            hint="Ask an owner of the tenant for it. Keys made by an older version lack what"
            " came later: an operator does it by the command line.",
        )


def too_narrow(context: Context, permission: str, scopes: Iterable[Scope], needs: str) -> Forbidden:
    """Say that a permission is held for some rows alone, and that nothing tells which they are."""
    held = " and ".join(scoped(permission, each) for each in sorted(scopes))
    return lacking(
        context.tenant,
        context.actor,
        permission,
        message=f"{needs} the permission {permission} for all rows, and {held} is held.",
        hint="It is not noted here who made a row or of which branch it is. Ask an owner of"
        " the tenant for the permission without a scope.",
    )


@cache
def exposed_commands() -> dict[type[Command], Exposed]:
    """Find the commands that the modules of ``application`` list as ``COMMANDS``."""
    return {
        exposed.command: exposed
        for module in modules_of("application")
        for exposed in getattr(module, "COMMANDS", ())
    }


def authorise(command: Command, context: Context) -> TenantId:
    """Return the tenant whose log *command* goes to.

    Raises:
        Forbidden: The caller lacks the permission.

    """
    exposed = exposed_commands()[type(command)]
    exposed.check(context)
    return SYSTEM_TENANT if exposed.system else context.tenant


def new_id(now: datetime) -> str:
    """Make an id that sorts by time: a UUID of version 7 (RFC 9562, section 5.7)."""
    random = secrets.randbits(ID_BITS_RANDOM)
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    high = milliseconds << 16 | 0x7000 | random >> 62
    low = 0b10 << 62 | random & (1 << 62) - 1
    return str(UUID(int=high << 64 | low))


def build(command: type[Command], given: Mapping[str, object], clock: Clock) -> Command:
    """Make a command of what a caller gave, filling in the ids and times that were left out.

    Raises:
        Malformed: A field is missing, unknown or not of its type; the message names it.

    """
    data = {name: value for name, value in given.items() if value is not UNSET}
    if told := data.keys() & found_fields(command):
        raise Malformed(
            "input.invalid",
            f"{command.__name__}: {min(told)} is found out here.",
            hint="Leave it out.",
        )
    for name in filled_fields(command):
        if data.get(name) is None:
            data[name] = _filling(command, name, clock.now())
    for name in {*found_fields(command)}.intersection(secret_fields(command)):
        data[name] = new_secret()  # No caller says it, and nobody else keeps it.
    return convert(data, command)


def convert(given: Mapping[str, object], shape: type[T]) -> T:
    """Read *given* as *shape*.

    Raises:
        Malformed: A field is missing, unknown or not of its type; the message names it.

    """
    # What is secret is checked where it is kept, and shown in no message.
    hidden = secret_fields(shape) if issubclass(shape, Command) else ()
    plain = {name: value for name, value in given.items() if name not in hidden}
    _check_texts(shape, msgspec.to_builtins(plain))
    try:
        return msgspec.convert(given, shape, strict=False)
    except (msgspec.ValidationError, ValueError, ArithmeticError) as error:
        raise Malformed(
            "input.invalid",
            f"{shape.__name__}: {error}.".replace("..", "."),
            hint="Compare the input with the documented shape.",
        ) from error


def _check_texts(shape: type[Struct], value: object) -> None:
    """Let no character into the log that no text has; it would be there for ever."""
    match value:
        case str() if CONTROL.search(value):
            raise Malformed(
                "input.control_character",
                f"{shape.__name__}: {value[:40]!r} holds a control character.",
                hint="Send text; tabs and line breaks are the only control characters it may have.",
            )
        case dict():
            for name, member in value.items():
                _check_texts(shape, name)
                _check_texts(shape, member)
        case list() | tuple():
            for member in value:
                _check_texts(shape, member)


def made_ids(command: Command) -> dict[str, str]:
    """Name the ids that *command* makes, by field."""
    return {
        name: value
        for name in filled_fields(type(command))
        if isinstance(value := getattr(command, name), str)
    }


@cache
def _filled_types(command: type[Command]) -> dict[str, Any]:  # Any: annotations.
    return {name: _base(hint) for name, hint in get_type_hints(command).items()}


def _base(hint: Any) -> Any:  # noqa: ANN401 - an annotation may be anything.
    return getattr(hint, "__supertype__", hint)


def _filling(command: type[Command], name: str, now: datetime) -> str | date | datetime:
    kind = _filled_types(command)[name]
    if kind is datetime:
        return now
    if kind is date:
        return now.date()
    return new_id(now)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

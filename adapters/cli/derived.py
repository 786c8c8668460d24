"""Every public command of the application as a command of the CLI, derived from its fields.

A field of a simple type is an option; the rest comes as JSON in ``--input``.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from inspect import Parameter as Argument
from inspect import Signature, getdoc
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

from cyclopts import Parameter
from msgspec import Meta

from adapters.cli.options import TenantOption, read_object
from adapters.cli.output import Result, Table
from adapters.cli.session import find_tenant, operator, with_runtime
from adapters.postgres.models.tables import plain_type
from adapters.runtime import Runtime
from application.kernel import Exposed, Outcome, build, exposed_commands
from domain.ids import SYSTEM_TENANT
from domain.kernel import Command, found_fields, secret_fields

SIMPLE: Final = (str, Decimal, date, datetime, int, bool)
INPUT: Final = Annotated[
    str | None,
    Parameter(
        name="--input",
        allow_leading_hyphen=True,
        help="The fields as a JSON object, @FILE, or - for stdin. Options go before it.",
    ),
]
KEY: Final = Annotated[
    str | None,
    Parameter(name="--idempotency-key", help="Asked again with it, the first answer comes back."),
]


def __getattr__(name: str) -> Callable[..., Result]:
    """Find the function of a command by the name of its class, made when it is asked for."""
    for exposed in exposed_commands().values():
        if exposed.command.__name__ == name:
            return derived(exposed)
    raise AttributeError(name)


def derived(exposed: Exposed) -> Callable[..., Result]:
    """Make the function of one command, with a signature that says what it takes."""
    command = exposed.command

    def call(
        *,
        tenant_slug: str | None = None,
        input_: str | None = None,
        idempotency_key: str | None = None,
        **options: object,
    ) -> Result:
        given = read_object(input_) if input_ is not None else {}
        given |= {name: value for name, value in options.items() if value is not None}

        async def work(runtime: Runtime) -> tuple[Outcome, str | None]:
            tenant = await find_tenant(runtime, tenant_slug) if tenant_slug else SYSTEM_TENANT
            asked = build(command, given, runtime.clock)
            outcome = await runtime.bus.execute(asked, operator(tenant), key=idempotency_key)
            if exposed.secret is None:
                return outcome, None
            return outcome, await exposed.secret(runtime.vault, tenant, asked, outcome)

        return outcome_shown(*with_runtime(work))

    arguments = [] if exposed.system else [_argument("tenant_slug", TenantOption, Argument.empty)]
    arguments += [_argument("input_", INPUT), _argument("idempotency_key", KEY)]
    arguments += [_argument(name, hint) for name, hint in _options(command).items()]
    call.__signature__ = Signature(arguments)  # type: ignore[attr-defined] # Functions take it.
    call.__annotations__ = {each.name: each.annotation for each in arguments}
    call.__doc__ = getdoc(command)
    return call


def run_for(slug: str, command: type[Command], **given: object) -> Result:
    """Run a command for a company, and show what it made."""

    async def work(runtime: Runtime) -> Outcome:
        owner = await find_tenant(runtime, slug)
        return await runtime.bus.execute(build(command, given, runtime.clock), operator(owner))

    return outcome_shown(with_runtime(work))


def outcome_shown(outcome: Outcome, secret: str | None = None) -> Result:
    """Show what a command made."""
    events = [{"type": name, "position": position} for name, position in outcome.events]
    rows = [(name, position) for name, position in outcome.events]
    people = [Table(("EVENT", "POSITION"), rows)] if rows else []
    said = [f"{name}: {value}" for name, value in outcome.ids.items()]
    if not rows:
        said.append("Nothing to do: it is so already.")
    shown = {} if secret is None else {"secret": secret}
    if secret is not None:
        said += [f"secret: {secret}", "It is not shown again: keep it where secrets are kept."]
    return Result(
        document={"position": outcome.position, "events": events, **outcome.ids, **shown},
        people=(*people, *said),
    )


def _argument(name: str, hint: Any, default: object = None) -> Argument:  # noqa: ANN401 - a hint.
    return Argument(name, Argument.KEYWORD_ONLY, default=default, annotation=hint)


def _options(command: type[Command]) -> dict[str, Any]:
    """Annotate the fields that an option can hold."""
    hints = get_type_hints(command, include_extras=True)
    # What is secret would stand in the list of processes, and in the history of the shell.
    ours = {*found_fields(command), *secret_fields(command)}
    fields = ((name, hints[name]) for name in command.__struct_fields__ if name not in ours)
    return {
        name: Annotated[plain | None, Parameter(help=_meaning(hint), negative="")]
        for name, hint in fields
        if (plain := plain_type(hint)) in SIMPLE or get_origin(plain) is Literal
    }


def _meaning(hint: object) -> str:
    """Find what an annotation says of its field."""
    if isinstance(hint, Meta):
        return hint.description or ""
    return next(filter(None, map(_meaning, get_args(hint))), "")

"""Mutations: each command that has a route, by its own name, with what it made as the answer."""

from functools import cache
from typing import Final, get_type_hints

import strawberry
from strawberry.types.field import StrawberryField

from adapters.accounts.letters import check_letters
from adapters.graphql.asking import Asking, Info
from adapters.graphql.scalars import Position
from adapters.graphql.shapes import (
    Hint,
    field_of,
    given,
    input_type,
    is_id,
    made_class,
    summary,
)
from application.kernel import Exposed, exposed_commands
from domain.kernel import Command, filled_fields

IDEMPOTENCY: Final = "Sent again under the same `idempotencyKey`, it gets the first result again."


@strawberry.type(description="An event that a command made, and where it stands in the log.")
class Happened:
    type: str
    position: Position


def commanding_fields() -> dict[str, StrawberryField]:
    """Make the fields of Mutation, by name."""
    exposed = [each for each in exposed_commands().values() if each.route]
    return {command_name(each): _field(each) for each in exposed}


def command_name(exposed: Exposed) -> str:
    """Name the field of Mutation that runs a command."""
    name = exposed.command.__name__
    return name[0].lower() + name[1:]


def _field(exposed: Exposed) -> StrawberryField:
    command = exposed.command

    async def resolve(info: Info, input: object, idempotency_key: str | None = None) -> object:  # noqa: A002 - the contract's word.
        asking = info.context
        asking.raise_known(info)
        runtime, context = asking.runtime, asking.context
        built = await exposed.build(given(input), context, runtime.blobs, runtime.clock)
        return await done(exposed, built, asking, idempotency_key)

    resolve.__annotations__ |= {
        "input": input_type(exposed.shape, command.__name__),
        "return": result_type(exposed),
    }
    return field_of(resolve, " ".join(filter(None, [summary(command), IDEMPOTENCY])))


async def done(exposed: Exposed, built: Command, asking: Asking, key: str | None) -> object:
    """Execute a command, and answer with what happened."""
    runtime, context, ids = asking.runtime, asking.context, _id_fields(exposed.command)
    await check_letters(runtime, built, context)
    outcome = await runtime.bus.execute(built, context, key=key)
    events = [Happened(type=name, position=Position(at)) for name, at in outcome.events]
    # An id that was filled in counts only where the outcome says that it was used.
    known = {name: getattr(built, name) for name in ids - set(filled_fields(exposed.command))}
    known |= {name: outcome.ids[name] for name in ids & outcome.ids.keys()}
    if exposed.secret:
        known["secret"] = await exposed.secret(runtime.vault, context.tenant, built, outcome)
    answer: object = result_type(exposed)(
        position=Position(outcome.position), events=events, **known
    )
    return answer


@cache
def result_type(exposed: Exposed) -> type:
    """Make the type of what a command answers."""
    command = exposed.command
    ids = _id_fields(command)
    annotations: dict[str, Hint] = {"position": Position, "events": list[Happened]}
    annotations |= {name: strawberry.ID | None for name in command.__struct_fields__ if name in ids}
    annotations |= {"secret": str | None} if exposed.secret else {}
    made: type = strawberry.type(
        made_class(f"{command.__name__}Result", annotations, dict.fromkeys(ids)),
        description="What happened, and the ids it made or touched. No events: it was so already.",
    )
    return made


@cache
def _id_fields(command: type[Command]) -> set[str]:
    hints = get_type_hints(command, include_extras=True)
    return {name for name in command.__struct_fields__ if is_id(hints[name])}

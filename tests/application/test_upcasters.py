"""What was stored once is read for ever: a retired event as the one that took its place."""

from typing import get_args, get_type_hints

import pytest

from adapters.postgres.models.versions import table_name
from adapters.postgres.projecting.projector import Projector
from adapters.runtime import Runtime
from application import codec, states
from application.kernel import EVERYTHING, Context
from application.ports import Append
from application.vault import NoKeys, Vault
from domain.access import (
    Email,
    EmailClaim,
    EmailDigest,
    RegisterUser,
    UserEnrolled,
    UserId,
    UserRegistered,
)
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Boundary, Command, Event, Key, Refused, Retired, State, target_of, today
from projections.access import Users

ARGON2ID = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"
ANA = Email("ana@example.org")
OPERATOR = Context(
    tenant=SYSTEM_TENANT,
    actor="system",
    permissions=frozenset({EVERYTHING}),
    correlation_id="c",
)
REGISTERED = UserRegistered(
    user=UserId("u1"),
    email=ANA,
    password_hash=ARGON2ID,
    tenant=TenantId("t1"),
    permissions=("a.b.c",),
)


class Weighed(Event):
    thing: Key[str]
    grams: int


class WeighedInPounds(Retired):
    thing: Key[str]
    ounces: int

    def upcast(self) -> Weighed:
        return Weighed(thing=self.thing, grams=self.ounces * 28)


class WeighedInStones(Retired):
    item: Key[str]
    stones: int

    def upcast(self) -> WeighedInPounds:
        return WeighedInPounds(thing=self.item, ounces=self.stones * 224)


class Weight(State):
    grams: int = 0

    def evolve(self, event: Weighed) -> "Weight":
        return Weight(grams=self.grams + event.grams)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log know the events of this file."""
    kinds: tuple[type[Event], ...] = (Weighed, WeighedInPounds, WeighedInStones)
    monkeypatch.setattr(codec, "event_types", lambda: {kind.__name__: kind for kind in kinds})


@pytest.fixture
async def projector(runtime: Runtime) -> Projector:
    return Projector(runtime.pool, runtime.vault)


def commands(of: type[Command] = Command) -> list[type[Command]]:
    return [each for kind in of.__subclasses__() for each in (kind, *commands(kind))]


def test_a_retired_event_reads_as_what_took_its_place_however_often_it_did() -> None:
    assert today(WeighedInStones(item="bolt", stones=2)) == Weighed(thing="bolt", grams=12544)
    assert target_of(WeighedInStones) is Weighed
    assert today(Weighed(thing="bolt", grams=1)) == Weighed(thing="bolt", grams=1)


@pytest.mark.usefixtures("known")
def test_a_stored_shape_of_old_is_decoded_as_the_event_of_today() -> None:
    assert codec.decode_data("WeighedInStones", '{"item":"bolt","stones":1}', 1) == Weighed(
        thing="bolt", grams=6272
    )
    written = codec.decode_written("WeighedInStones", '{"item":"bolt","stones":1}', 1)
    assert written == WeighedInStones(item="bolt", stones=1)


@pytest.mark.usefixtures("known")
def test_who_understands_an_event_also_reads_what_it_was_before() -> None:
    names = ("Weighed", "WeighedInPounds", "WeighedInStones")
    assert states.type_names(Weight) == names


def test_a_history_that_holds_retired_events_is_folded_by_the_tags_they_had() -> None:
    history = [WeighedInStones(item="bolt", stones=1), Weighed(thing="bolt", grams=1)]
    assert Boundary(state=Weight, tag="item:bolt").fold(history) == Weight(grams=6272)
    assert Boundary(state=Weight, tag="thing:bolt").fold(history) == Weight(grams=1)


def test_no_command_yields_a_retired_event() -> None:
    codec.event_types()
    deciding = [command for command in commands() if "decide" in vars(command)]
    assert RegisterUser in deciding
    for command in deciding:
        (yielded,) = get_args(get_type_hints(command.decide)["return"])
        kinds = get_args(yielded) or (yielded,)
        assert not [kind for kind in kinds if issubclass(kind, Retired)], command


def test_no_rule_and_no_read_model_is_written_for_a_retired_event() -> None:
    codec.event_types()
    for state in State.__subclasses__():
        hint = get_type_hints(state.evolve)["event"]
        assert not [kind for kind in get_args(hint) or (hint,) if issubclass(kind, Retired)], state


async def test_a_vault_says_events_in_the_words_of_today() -> None:
    (opened,) = await Vault(NoKeys()).open(TenantId("t1"), [WeighedInStones(item="a", stones=1)])
    assert opened == Weighed(thing="a", grams=6272)


async def test_an_address_registered_long_ago_is_found_and_stays_taken(
    runtime: Runtime, projector: Projector
) -> None:
    """From the log as it was written, through fold and projection, on a real PostgreSQL."""
    new = codec.encode(REGISTERED, actor="system", correlation_id="c", causation_id="")
    assert (new.type, "email:ana@example.org" in new.tags) == ("UserRegistered", True)
    await runtime.store.append(SYSTEM_TENANT, Append(events=(new,)))

    claim = await runtime.bus.fold(SYSTEM_TENANT, EmailClaim.at(email=ANA))
    assert claim.taken
    again = RegisterUser(
        user=UserId("u2"),
        email=ANA,
        email_digest=EmailDigest(await runtime.vault.digest(ANA)),
        password_hash=ARGON2ID,
        tenant=TenantId("t1"),
        permissions=(),
    )
    with pytest.raises(Refused) as refused:
        await runtime.bus.execute(again, OPERATOR)
    assert refused.value.code == "access.email_taken"

    await projector.catch_up()
    async with runtime.pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.tenant_id', %s, true)", (SYSTEM_TENANT,))
        found = await connection.execute(f'SELECT "user", email FROM {table_name(Users)}')
        assert await found.fetchall() == [("u1", ANA)]


async def test_an_address_is_taken_once_whether_by_its_digest_or_in_clear(
    runtime: Runtime,
) -> None:
    command = RegisterUser(
        user=UserId("u3"),
        email=Email("eva@example.org"),
        email_digest=EmailDigest(await runtime.vault.digest("eva@example.org")),
        password_hash=ARGON2ID,
        tenant=TenantId("t1"),
        permissions=(),
    )
    done = await runtime.bus.execute(command, OPERATOR)
    assert [name for name, _ in done.events] == [UserEnrolled.__name__]
    with pytest.raises(Refused):
        await runtime.bus.execute(command, OPERATOR)

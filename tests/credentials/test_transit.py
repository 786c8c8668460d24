"""A transit engine wraps the keys: tried against a stand-in, which is no engine."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from adapters.credentials.keys import wrap_keys_again
from adapters.credentials.opening import open_wrapping
from adapters.credentials.using import User
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.errors import Malformed, Unavailable
from domain.credentials import CredentialName
from tests.credentials.conftest import Look, Office
from tests.credentials.http import Asked, Said, serving
from tests.credentials.transit import TOKEN, StandInTransit, transit_stand_in

MARK = "c4nary-5ecret"


@pytest.fixture
async def engine(look: Look) -> AsyncIterator[StandInTransit]:
    look("DELETE FROM credential_key")  # What a former engine wrapped.
    async with transit_stand_in() as engine:
        yield engine


def with_transit(settings: Settings, engine: StandInTransit, **others: object) -> Settings:
    named = {"transit_url": engine.url, "transit_key": "asiento", "transit_token": TOKEN}
    return replace(settings, **named | others)


async def opened(runtime: Runtime, office: Office) -> str:
    user = User(runtime.bus, runtime.safe, runtime.clock)
    return (await user.open(office.context, CredentialName("word"), purpose="a test")).text


async def test_the_engine_wraps_and_is_asked_once_for_many_uses(
    settings: Settings, engine: StandInTransit, look: Look
) -> None:
    async with open_runtime(with_transit(settings, engine)) as runtime:
        office = Office(runtime)
        await office.store("word", MARK)
        before = len(engine.asked)
        assert {await opened(runtime, office) for _ in range(5)} == {MARK}
        assert len(engine.asked) == before
    ((master, wrapped),) = look(
        "SELECT master, wrapped FROM credential_key WHERE tenant_id = %s", office.tenant
    )
    assert master == "transit:asiento:v1"
    assert wrapped.startswith(b"vault:v1:")


async def test_a_new_version_of_its_key_wraps_again_what_the_former_did(
    settings: Settings, engine: StandInTransit, look: Look
) -> None:
    chosen = with_transit(settings, engine)
    async with open_runtime(chosen) as runtime:
        office = Office(runtime)
        await office.store("word", MARK)
        engine.rotate()
        async with open_wrapping(chosen, runtime.pool, runtime.keyring) as wrapping:
            assert await wrap_keys_again(runtime.pool, wrapping, lambda _: None) >= 1
            assert await wrap_keys_again(runtime.pool, wrapping, lambda _: None) == 0
    of_tenant = "SELECT master FROM credential_key WHERE tenant_id = %s"
    assert look(of_tenant, office.tenant) == [("transit:asiento:v2",)]
    async with open_runtime(chosen) as again:
        assert await opened(again, office) == MARK


async def test_keys_move_from_the_keyring_to_the_engine_and_back(
    settings: Settings, engine: StandInTransit, look: Look
) -> None:
    async with open_runtime(settings) as runtime:
        office = Office(runtime)
        await office.store("word", MARK)
    to_engine = with_transit(settings, engine)
    back = replace(to_engine, transit_key=None)
    for chosen, begins in ((to_engine, "transit:"), (back, "")):
        async with open_runtime(chosen) as runtime:
            assert await opened(runtime, office) == MARK
            async with open_wrapping(chosen, runtime.pool, runtime.keyring) as wrapping:
                await wrap_keys_again(runtime.pool, wrapping, lambda _: None)
            current = begins or runtime.keyring.current
        of_tenant = "SELECT master FROM credential_key WHERE tenant_id = %s"
        ((master,),) = look(of_tenant, office.tenant)
        assert master.startswith(current)
    async with open_runtime(settings) as runtime:
        assert await opened(runtime, office) == MARK


async def test_without_the_engine_nothing_opens_and_nothing_is_lost(
    settings: Settings, engine: StandInTransit
) -> None:
    chosen = with_transit(settings, engine)
    async with open_runtime(chosen) as runtime:
        office = Office(runtime)
        await office.store("word", MARK)
    engine.sealed = True
    for others, code in (
        (chosen, "credentials.transit_away"),
        (replace(chosen, transit_url="http://127.0.0.1:1"), "credentials.transit_away"),
        (replace(chosen, transit_url=None), "credentials.no_transit"),
    ):
        async with open_runtime(others) as runtime:
            with pytest.raises(Unavailable) as away:
                await opened(runtime, office)
            assert away.value.code == code
    engine.sealed = False
    for wrong in ({"transit_token": "x"}, {"transit_mount": "other"}):
        async with open_runtime(with_transit(settings, engine, **wrong)) as runtime:
            with pytest.raises(Unavailable) as away:
                await opened(runtime, office)
            assert away.value.code == "credentials.transit_away"
            assert TOKEN not in str(away.value)
    async with open_runtime(chosen) as runtime:
        assert await opened(runtime, office) == MARK


async def test_what_is_no_engine_is_told_as_such(
    settings: Settings, engine: StandInTransit
) -> None:
    async with open_runtime(with_transit(settings, engine, transit_mount="else/where")) as runtime:
        with pytest.raises(Unavailable) as away:
            await Office(runtime).store("word", MARK)
    assert "HTTP 404" in away.value.message


async def test_half_a_transit_is_no_setting(settings: Settings, engine: StandInTransit) -> None:
    with pytest.raises(Malformed) as malformed:
        async with open_runtime(replace(settings, transit_url=engine.url)):
            pass
    assert malformed.value.code == "settings.half_a_transit"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"data": {"ciphertext": "x"}}', b'{"data": {"ciphertext": "vault:vx:y"}}'],
)
async def test_what_answers_like_no_engine_is_told_as_such(settings: Settings, body: bytes) -> None:
    async def odd(_: Asked) -> Said:
        return Said(200, body)

    async with serving(odd) as port:
        url = f"http://127.0.0.1:{port}"
        named = replace(settings, transit_url=url, transit_key="asiento", transit_token=TOKEN)
        async with open_runtime(named) as runtime:
            with pytest.raises(Unavailable) as away:
                await Office(runtime).store("word", MARK)
    assert away.value.code == "credentials.odd_transit"

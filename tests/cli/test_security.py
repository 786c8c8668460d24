"""`asiento security list` shows what happened at the door, whatever stands in it."""

import asyncio

from adapters.access.sessions import Client
from adapters.runtime import open_runtime
from adapters.security.notes import notes_of
from adapters.settings import Settings
from domain.access import UserId
from domain.ids import TenantId
from tests.cli.conftest import Asiento

EVIL = Client(address="1.2.3.4\n5.6.7.8", agent="\x1b]0;title\x07\x9b31m{}\r\n\x00red")


def test_entries_are_listed_and_steer_nothing(asiento: Asiento, settings: Settings) -> None:
    made = asiento("tenant", "create", "door", "--name", "Door", "--country", "ES", "--json").json
    tenant, user = TenantId(made["tenant"]), "01890000-0000-7000-8000-0000000000a1"

    async def log_in() -> None:
        async with open_runtime(settings) as runtime:
            await notes_of(runtime).logged_in(tenant, UserId(user), EVIL)

    asyncio.run(log_in())
    shown = asiento("security", "list", "--tenant", "door")
    assert shown.code == 0
    lines = shown.out.splitlines()
    kinds = [line.split()[2] for line in lines if line.startswith("20")]
    assert kinds == ["LoggedIn", "ApiKeyCreated"]
    assert all(line.isprintable() for line in lines)
    (entry,) = asiento("security", "list", "--tenant", "door", "--user", user, "--json").json
    assert (entry["address"], entry["agent"]) == ("1.2.3.45.6.7.8", "]0;title31m{}red")
    narrowed = ("--kind", "ApiKeyCreated", "--since", "2026-01-01", "--limit", "1")
    (key,) = asiento("security", "list", "--tenant", "door", *narrowed, "--json").json
    assert key["kind"] == "ApiKeyCreated"
    assert asiento("security", "list", "--tenant", "door", "--kind", "Nothing").code == 2

"""Clients that others wrote, in Node: graphql-ws, urql and Relay's compiler."""

import asyncio
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.graphql.sdl import sdl
from tests.graphql.client import Client

HERE: Final = Path(__file__).parent
MODULES: Final = HERE / "node_modules"
SECONDS_MAX: Final = 60
EVENTS: Final = 5

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="These clients need Node."),
    pytest.mark.skipif(not MODULES.exists(), reason="make clients installs these clients."),
]


async def run(
    *command: str | Path, folder: Path = HERE, given: Mapping[str, str] | None = None
) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **(given or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(SECONDS_MAX):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def node(script: str, client: Client, **environment: str) -> Any:  # noqa: ANN401 - JSON.
    """Run a script that asks as *client*, and read what it says at the end."""
    given = {"URL": client.url, "KEY": client.tenant.key, **environment}
    return json.loads(await run("node", HERE / script, given=given))


async def test_graphql_ws_is_cut_off_again_and_again_and_misses_nothing(client: Client) -> None:
    made = [await client.draft() for _ in range(EVENTS)]
    told = await node("graphql_ws.mjs", client, EVENTS=str(EVENTS))
    assert [each["position"] for each in told["seen"]] == [each["position"] for each in made]
    assert told["sockets"] > EVENTS
    assert told["tenant"] == {"slug": client.tenant.slug}


async def test_urql_commands_queries_and_uploads(client: Client) -> None:
    told = await node("urql.mjs", client)
    (invoice,) = told["invoices"]["nodes"]
    assert (invoice["__typename"], invoice["total"]) == ("Invoice", "5.45")
    assert told["code"] == "invoicing.not_a_draft"
    assert told["uploadImportFile"]["events"][0] == {"type": "FileReceived"}


async def test_relay_compiles_pages_refetches_commands_and_subscriptions(tmp_path: Path) -> None:
    shutil.copytree(HERE / "relay", tmp_path / "source")
    (tmp_path / "schema.graphql").write_text(sdl())
    config = {"src": "./source", "schema": "./schema.graphql", "language": "javascript"}
    (tmp_path / "relay.config.json").write_text(json.dumps(config))
    await run(MODULES / ".bin" / "relay-compiler", "relay.config.json", folder=tmp_path)
    made = {path.name for path in (tmp_path / "source" / "__generated__").iterdir()}
    assert {f"documents{name}Query.graphql.js" for name in ("Page", "Back", "Invoice")} <= made

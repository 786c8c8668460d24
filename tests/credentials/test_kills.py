"""`kill -9` between the row and the event, and in the middle of a grant: nothing is in the way."""

import asyncio
import os
import subprocess
import sys
from signal import SIGKILL

from adapters.credentials.safe import drop_idle
from adapters.runtime import Runtime
from adapters.settings import Settings
from domain.ids import TenantId
from tests.cli.conftest import Environment, command_line
from tests.credentials.conftest import Look, Office
from tests.credentials.token_server import TokenServer
from tests.rest.api import make_tenant, projecting

SECONDS_MAX = 30.0
# A process that dies when its row is kept, and before anything is in the log.
DIES = """
import asyncio, os, signal, sys
from adapters.runtime import open_runtime
from adapters.settings import load_settings
from application.kernel import EVERYTHING, Context, build
from domain.credentials import StoreCredential
from domain.ids import TenantId

async def main():
    async with open_runtime(load_settings()) as runtime:
        keep = runtime.safe.keep
        async def last(*given, **named):
            await keep(*given, **named)
            os.kill(os.getpid(), signal.SIGKILL)
        runtime.safe.keep = last
        given = {"credential": "word", "kind": "generic", "secret": "first"}
        command = build(StoreCredential, given, runtime.clock)
        context = Context(tenant=TenantId(sys.argv[1]), actor="user:ana",
                          permissions=frozenset({EVERYTHING}), correlation_id="request-1")
        await runtime.bus.execute(command, context, key="once")

asyncio.run(main())
"""


async def test_a_process_killed_between_row_and_event_leaves_a_row_that_goes(
    runtime: Runtime, office: Office, look: Look, environment: Environment
) -> None:
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DIES, office.tenant],
        env=environment,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert died.returncode == -SIGKILL, died.stderr.decode()
    rows = "SELECT settled FROM credential_secret WHERE tenant_id = %s"
    assert look(rows, office.tenant) == [(False,)]
    assert await office.events() == []
    await office.store("word", "second", key="once")
    await office.follow()
    look("UPDATE credential_secret SET created_at = now() - interval '2 hours'")
    await drop_idle(runtime.pool)
    assert look(rows, office.tenant) == [(True,)]
    assert (await office.state("word")).version == 1


async def test_a_process_killed_while_it_asks_holds_nobody_up(
    runtime: Runtime, settings: Settings, server: TokenServer, environment: Environment
) -> None:
    async with projecting(settings) as projected:
        tenant = await make_tenant(projected)
    office = Office(runtime, TenantId(tenant.id))
    await office.client("api", server)
    server.delay_seconds = 5.0
    asking = subprocess.Popen(  # noqa: ASYNC220 - it is to be killed.
        command_line("token", "get", "api", "--tenant", tenant.slug),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    async with asyncio.timeout(SECONDS_MAX):
        while not server.asked:  # noqa: ASYNC110 - there is no event for it.
            await asyncio.sleep(0.05)
    os.killpg(asking.pid, SIGKILL)
    asking.wait()
    server.delay_seconds = 0.0
    async with asyncio.timeout(SECONDS_MAX):
        assert server.accepts(await office.token("api"))

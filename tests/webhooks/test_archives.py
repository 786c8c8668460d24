"""A tenant that comes back from its archive sends nothing twice, until somebody asks for it."""

import subprocess
from pathlib import Path

from adapters.settings import Settings
from domain.ids import TenantId
from domain.webhooks import ReplayWebhook
from tests.cli.conftest import command_line
from tests.rest.api import make_tenant, projecting
from tests.webhooks.conftest import Office, exported
from tests.webhooks.receiver import Receiver


def run(settings: Settings, *words: str) -> None:
    done = subprocess.run(
        command_line(*words), env=exported(settings), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()


async def test_a_restored_tenant_sends_nothing_until_it_is_replayed(
    office: Office, receiver: Receiver, settings: Settings, tmp_path: Path
) -> None:
    async with projecting(settings) as runtime:
        tenant = await make_tenant(runtime)
    office.act_for(TenantId(tenant.id))
    endpoint, secret = await office.register(receiver)
    positions = [await office.record("1"), await office.record("2")]
    await office.idle()
    archive = str(tmp_path / "books.gz")
    for words in (
        ("tenant", "close", tenant.slug, "--to", archive),
        ("tenant", "remove", tenant.slug, "--archive", archive, "--yes"),
        ("tenant", "restore", archive, "--reopen"),
    ):
        run(settings, *words)
    await office.push()
    assert receiver.positions == positions
    assert await office.all() == []
    await office.execute(ReplayWebhook(endpoint=endpoint, after=positions[0]))
    later = await office.record("3")
    await office.idle()
    assert receiver.positions == [*positions, positions[1], later]
    assert receiver.heard[2].id == receiver.heard[1].id
    assert receiver.heard[3].verified(secret)

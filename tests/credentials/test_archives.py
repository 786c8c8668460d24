"""A tenant that comes back from its archive has its credentials by name, and no secret of them."""

from pathlib import Path

import pytest

from adapters.credentials.using import User
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from application.errors import NotFound
from domain.credentials import CredentialName
from domain.ids import TenantId
from tests.cli import warm
from tests.credentials.conftest import Look, Office, exported
from tests.rest.api import make_tenant, projecting


def run(settings: Settings, *words: str) -> None:
    done = warm.run(words, env=exported(settings), given="", timeout=60)
    assert done.returncode == 0, done.stderr


async def opened(runtime: Runtime, office: Office) -> str:
    user = User(runtime.bus, runtime.safe, runtime.clock)
    return (await user.open(office.context, CredentialName("word"), purpose="a test")).text


async def test_a_restored_tenant_asks_for_its_secrets_again(
    settings: Settings, look: Look, tmp_path: Path
) -> None:
    async with projecting(settings) as runtime:
        tenant = await make_tenant(runtime)
        office = Office(runtime, TenantId(tenant.id))
        await office.store("word", "first")
        await office.follow()
    archive = str(tmp_path / "books.gz")
    run(settings, "tenant", "close", tenant.slug, "--to", archive)
    run(settings, "tenant", "remove", tenant.slug, "--archive", archive, "--yes")
    for table in ("credential_secret", "credential_key"):
        assert look(f"SELECT 1 FROM {table} WHERE tenant_id = %s", tenant.id) == []
    run(settings, "tenant", "restore", archive, "--reopen")
    async with open_runtime(settings) as runtime:
        office = Office(runtime, TenantId(tenant.id))
        assert (await office.state("word")).status == "active"
        with pytest.raises(NotFound) as lost:
            await opened(runtime, office)
        assert lost.value.code == "credentials.lost"
        await office.rotate("word", "again")
        await office.follow()
        assert await opened(runtime, office) == "again"

"""A disk that is full: the caller is told, nothing is half written, and it goes on with room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from adapters.audit.log import verify
from adapters.embedded.servers import Urls
from adapters.embedded.users import hand_over, server_user
from adapters.postgres.connections import make_pool
from adapters.postgres.store.event_store import PostgresEventStore
from adapters.settings import load_settings
from application.errors import Unavailable
from application.ports import Append, NewEvent
from domain.ids import TenantId

SMALL, LARGE = "size=2m", "size=64m"
EVENT_BYTES = 60_000
EVENTS_MAX = 100


def large() -> Append:
    event = NewEvent(
        type="Noted",
        tags=("thing:1",),
        data=os.urandom(EVENT_BYTES // 2).hex(),
        actor="system",
        correlation_id="",
        causation_id="",
    )
    return Append(events=(event,))


def mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True, stderr=subprocess.PIPE)  # noqa: S607 - root's.


@pytest.fixture
def tiny_disk(database: Urls) -> Iterator[Path]:
    """Keep the events on a file system of 2 MB, which takes the right to mount one."""
    if load_settings().database_url:
        pytest.skip("the server of DATABASE_URL may be on another machine")
    name = sql.Identifier(f"tiny_{uuid4().hex}")
    event = sql.SQL("ALTER TABLE event SET TABLESPACE {}")
    with TemporaryDirectory(prefix="asiento-") as folder:
        disk = Path(folder)
        try:
            mount("-t", "tmpfs", "-o", SMALL, "tmpfs", folder)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only root may mount a small disk, and not everywhere")
        try:
            disk.chmod(0o711)
            (disk / "events").mkdir(mode=0o700)
            hand_over(disk / "events", server_user(disk / "none"))
            with psycopg.connect(database.admin_database_url, autocommit=True) as admin:
                admin.execute(
                    sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(name, str(disk / "events"))
                )
                admin.execute(event.format(name))
                yield disk
                admin.execute(event.format(sql.Identifier("pg_default")))
                admin.execute(sql.SQL("DROP TABLESPACE {}").format(name))
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S607 - root's.


async def announce(_heads: dict[TenantId, int]) -> None:
    """Nobody listens."""


async def fill(store: PostgresEventStore, tenant: TenantId) -> None:
    for _ in range(EVENTS_MAX):
        await store.append(tenant, large())


async def test_a_full_disk_refuses_an_append_whole_and_takes_it_when_there_is_room(
    tiny_disk: Path, database: Urls
) -> None:
    tenant = TenantId(str(uuid4()))
    pool = make_pool(database.database_url, size_max=2)
    async with pool, PostgresEventStore(pool, database.database_url, announce) as store:
        with pytest.raises(Unavailable) as full:
            await fill(store, tenant)
        assert full.value.code == "store.no_room"
        before = await store.head(tenant)
        assert before > 0
        assert verify(database.database_url, tenant).ok
        mount("-o", f"remount,{LARGE}", str(tiny_disk))
        assert await store.append(tenant, large()) == before
    assert verify(database.database_url, tenant).ok

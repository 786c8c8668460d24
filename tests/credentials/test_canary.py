"""A marked secret goes everywhere that secrets go, and is then looked for everywhere.

In every table, event, job, log line and error, in Redis, in exports and archives: in clear, in
hex, in Base64, and as a hash that could be tried offline.
"""

import gzip
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from domain.ids import TenantId
from tests.cli import warm
from tests.credentials.conftest import Look, Office, exported
from tests.credentials.token_server import TokenServer
from tests.rest.api import Tenant, api_process, caller, free_port, make_tenant, projecting

MARK = "c4nary-5ecret-of-the-wh0le-system"
STORE = """
mutation ($input: StoreCredentialInput!) { storeCredential(input: $input) { position } }
"""
TABLES = """
SELECT c.relname FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
"""


def forms() -> list[str]:
    """Write the marker as it could lie about."""
    raw = MARK.encode()
    # Base64 of what holds it depends on where it begins: three ways, without their ends.
    coded = [b64encode(b"x" * shift + raw).decode()[4:-4] for shift in range(3)]
    hashes = [sha256(raw).hexdigest(), b64encode(sha256(raw).digest()).decode()]
    return [MARK, raw.hex(), *coded, *hashes]


def found_in(text: str) -> list[str]:
    return [form for form in forms() if form in text]


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Settings]:
    chosen = replace(settings, port=free_port(), log_level="debug")
    with api_process(chosen, chosen.data / "api.log"):
        yield chosen


@pytest.fixture
async def tenant(settings: Settings) -> AsyncIterator[Tenant]:
    async with projecting(settings) as runtime:
        yield await make_tenant(runtime)


@pytest.fixture
async def client(api: Settings, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(api, tenant.key) as client:
        yield client


def run(settings: Settings, *words: str, given: str = "") -> str:
    done = warm.run(words, env=exported(settings), given=given, timeout=60)
    return f"{done.stdout}\n{done.stderr}"


def secret_of(server: TokenServer, **given: object) -> str:
    about = {"token_url": server.token_url, "client_id": "client-1", "client_secret": MARK}
    return msgspec.json.encode(about | given).decode()


async def brought(client: httpx.AsyncClient, server: TokenServer) -> list[str]:
    """Bring the secret by every surface, well and badly; return all that was answered."""
    kind = "oauth2_client_credentials"
    answers: list[httpx.Response] = []

    async def post(path: str, **given: object) -> None:
        key = {"Idempotency-Key": f"once-{len(answers)}"}
        answers.append(await client.post(path, json=given, headers=key))

    rest = {"credential": "rest", "kind": kind, "secret": secret_of(server)}
    await post("/api/v1/credentials", **rest)
    await post("/api/v1/credentials", **rest | {"secret": MARK})
    await post("/api/v1/credentials", **rest | {"secret": f"{MARK}\x00"})
    await post("/api/v1/credentials", **rest | {"secret": {"a": MARK}})
    await post("/api/v1/credentials", **rest | {"kind": "smtp", "credential": "mail"})
    await post("/api/v1/credentials", **rest | {"credential": "a b"})
    await post("/api/v1/credentials", credential="word", kind="generic", secret=MARK)
    await post("/api/v1/credentials", credential="word", kind="generic", secret=f"{MARK}2")
    rotated = {"kind": kind, "secret": secret_of(server, scope="x")}
    await post("/api/v1/credentials/rest/rotate", **rotated)
    given = {"credential": "graph", "kind": kind, "secret": secret_of(server)}
    faulty = ({"kind": "oracle"}, {"credential": "A"}, {"secret": {"a": MARK}}, {"typo": 1})
    for each in ({}, *faulty):
        body = {"query": STORE, "variables": {"input": given | each}}
        answers.append(await client.post("/graphql", json=body))
    assert [answer.status_code for answer in answers[:2]] == [201, 400]
    assert ["errors" in answer.json() for answer in answers[-5:]] == [False, *[True] * 4]
    return [answer.text for answer in answers]


async def used(runtime: Runtime, tenant: Tenant, server: TokenServer) -> list[str]:
    """Use it well and badly; return what was told."""
    office, told = Office(runtime, TenantId(tenant.id)), []
    server.clients = {"client-1": MARK}
    assert server.accepts(await office.token("rest"))
    server.clients = {}
    for name in ("graph", "word", "nothing"):
        with pytest.raises(Exception, match=r"\w") as failed:
            await office.token(name)
        told.append(f"{failed.value!r} {failed.value} {failed.getrepr(showlocals=False)}")
    return told


async def test_a_marked_secret_is_found_nowhere(  # noqa: PLR0917 - fixtures.
    settings: Settings,
    client: httpx.AsyncClient,
    tenant: Tenant,
    server: TokenServer,
    look: Look,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    texts = await brought(client, server)
    async with open_runtime(settings) as runtime:
        texts += await used(runtime, tenant, server)
        texts += await in_redis(runtime.redis)
    texts += of_commands(settings, tenant.slug, tmp_path)
    texts += [plain(file) for file in (tmp_path / "export", tmp_path / "archive")]
    texts += in_tables(look)
    texts += [(settings.data / "api.log").read_text(), "".join(capfd.readouterr())]
    assert [found for text in texts for found in found_in(text)] == []
    assert sum("CredentialRotated" in text for text in texts) > 5, "It was looked for elsewhere."


def of_commands(settings: Settings, slug: str, folder: Path) -> list[str]:
    """Bring, use and take away by the command line; return all that it said."""
    of_tenant = ("--tenant", slug)
    store = ("credentials", "store", "cli", *of_tenant, "--kind", "generic", "--secret", "-")
    rotate = ("credentials", "rotate", "cli", *of_tenant, "--secret", "-")
    return [
        run(settings, *store, given=MARK),
        run(settings, *rotate, given=f"{MARK}3"),
        run(settings, "token", "get", "graph", *of_tenant),
        run(settings, "credentials", "list", *of_tenant),
        run(settings, "events", *of_tenant),
        run(settings, "audit", "export", *of_tenant, "--to", str(folder / "export")),
        run(settings, "tenant", "close", slug, "--to", str(folder / "archive")),
    ]


def in_tables(look: Look) -> list[str]:
    """Read every table, bytes in hex."""
    return [
        "\n".join(row[0] for row in look(f'SELECT t::text FROM "{table}" AS t'))
        for (table,) in look(TABLES)
    ]


def plain(file: Path) -> str:
    data = file.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("latin-1")


async def in_redis(redis: Redis) -> list[str]:
    """Read whatever Redis holds, by its type."""
    texts: list[str] = []
    async for key in redis.scan_iter():
        named = await redis.type(key)
        kind = named.decode() if isinstance(named, bytes) else named
        read: dict[str, Any] = {
            "string": lambda key=key: redis.get(key),
            "hash": lambda key=key: redis.hgetall(key),
            "list": lambda key=key: redis.lrange(key, 0, -1),
            "set": lambda key=key: redis.smembers(key),
            "zset": lambda key=key: redis.zrange(key, 0, -1),
            "stream": lambda key=key: redis.xrange(key),
        }
        held = await read[kind]()
        texts.append(f"{key!r} {held!r} {held.hex() if isinstance(held, bytes) else ''}")
    return texts


def test_the_marker_is_found_where_it_is() -> None:
    for text in (MARK, MARK.encode().hex(), b64encode(b"ab" + MARK.encode() + b"c").decode()):
        assert found_in(f"x{text}y")

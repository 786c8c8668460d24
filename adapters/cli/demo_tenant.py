"""The tenant `demo`, so that whoever starts Asiento for the first time can use it at once."""

from typing import Final, LiteralString

import msgspec
import psycopg
from msgspec import Struct
from msgspec.structs import replace

from adapters.embedded.files import write_private
from adapters.postgres.connections import ACT_AS_APPLICATION, SET_TENANT
from adapters.settings import Settings
from application.access import read_api_key
from domain.ids import SYSTEM_TENANT

SLUG: Final = "demo"
FILE: Final = "demo.json"
WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect, not to listen.

KNOWN: LiteralString = """
SELECT tag FROM event_tag WHERE tenant_id = %s AND tag = ANY (%s) AND type = ANY (%s)
"""


class Demo(Struct, frozen=True, kw_only=True):
    """What somebody needs to log in; the file is readable by its owner alone."""

    url: str
    tenant: str
    email: str
    password: str
    api_key: str


def ensure_demo_tenant(settings: Settings) -> None:
    """Make the tenant, a user and a key, unless demo.json holds those of this database.

    Raises:
        Unavailable: A server can't be reached.

    """
    url, kept = _url(settings), read_demo(settings)
    if kept is not None and _is_known(settings, kept):
        if kept.url != url:
            _write(settings, replace(kept, url=url))
        return
    # Slow to import, and seldom needed: most starts find the file.
    from adapters.cli.demo_making import make_demo  # noqa: PLC0415

    (settings.data / FILE).unlink(missing_ok=True)
    _write(settings, make_demo(settings, url))


def read_demo(settings: Settings) -> Demo | None:
    """Return what demo.json holds, true or outdated."""
    try:
        return msgspec.json.decode((settings.data / FILE).read_bytes(), type=Demo)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write(settings: Settings, demo: Demo) -> None:
    write_private(settings.data / FILE, msgspec.json.format(msgspec.json.encode(demo)) + b"\n")


def _is_known(settings: Settings, demo: Demo) -> bool:
    """Tell whether this database holds the tenant, the user and the key, in one quick look."""
    key = read_api_key(demo.api_key)
    if key is None:
        return False
    tags = [f"slug:{demo.tenant}", f"email:{demo.email}", f"key:{key['key']}"]
    types = ["TenantCreated", "UserRegistered", "ApiKeyCreated"]
    with psycopg.connect(settings.database_url or "") as connection:
        connection.execute(ACT_AS_APPLICATION)
        connection.execute(SET_TENANT, (SYSTEM_TENANT,))
        found = connection.execute(KNOWN, (SYSTEM_TENANT, tags, types)).fetchall()
    return {tag for (tag,) in found} == set(tags)


def _url(settings: Settings) -> str:
    host = WILDCARDS.get(settings.asiento_host, settings.asiento_host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"

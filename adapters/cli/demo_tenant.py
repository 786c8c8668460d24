"""The tenant `demo`, so that whoever starts Asiento for the first time can use it at once."""

from typing import Final, LiteralString

import psycopg
from msgspec.structs import replace

from adapters.cli.demo_file import FILE, Demo, read_demo, write_demo
from adapters.postgres.connections import ACT_AS_APPLICATION, SET_TENANT
from adapters.settings import Settings
from application.access import read_api_key
from domain.ids import SYSTEM_TENANT

WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect, not to listen.

KNOWN: LiteralString = """
SELECT tag FROM event_tag WHERE tenant_id = %s AND tag = ANY (%s) AND type = ANY (%s)
"""


def ensure_demo_tenant(settings: Settings) -> None:
    """Make the tenant, a user and a key, unless demo.json holds those of this database.

    Raises:
        Unavailable: A server can't be reached.

    """
    url, kept = _url(settings), read_demo(settings)
    if kept is not None and _is_known(settings, kept):
        if kept.url != url:
            write_demo(settings, replace(kept, url=url))
        return
    # Slow to import, and seldom needed: most starts find the file.
    from adapters.cli.demo_making import make_demo  # noqa: PLC0415

    (settings.data / FILE).unlink(missing_ok=True)
    write_demo(settings, make_demo(settings, url))


def _is_known(settings: Settings, demo: Demo) -> bool:
    """Tell whether this database holds the tenant and the key, in one quick look."""
    key = read_api_key(demo.api_key)
    if key is None:
        return False
    # The user was made before the key.
    tags = [f"slug:{demo.tenant}", f"key:{key['key']}"]
    types = ["TenantCreated", "ApiKeyCreated"]
    with psycopg.connect(settings.database_url or "") as connection:
        connection.execute(ACT_AS_APPLICATION)
        connection.execute(SET_TENANT, (SYSTEM_TENANT,))
        found = connection.execute(KNOWN, (SYSTEM_TENANT, tags, types)).fetchall()
    return {tag for (tag,) in found} == set(tags)


def _url(settings: Settings) -> str:
    host = WILDCARDS.get(settings.asiento_host, settings.asiento_host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"

"""PostGraphile 5 on the peers' tables, where there is the Node that it needs, and npm."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server
from benchmarks.serving.servers import Listening, started
from benchmarks.support import npm
from benchmarks.support.report import CHECKOUT

FOLDER: Final = CHECKOUT / "benchmarks" / "postgraphile"
NODE_MIN: Final = 22
ABSENT: Final = f"PostGraphile 5 was not run: it needs Node {NODE_MIN} or newer, and npm"

PAGE: Final = """
query Page($first: Int!) { allInvoices(first: $first, orderBy: PRIMARY_KEY_ASC) { nodes {
  number total customer: customerByCustomerId { name }
  lines: invoiceLinesByInvoiceId { nodes { description quantity unitPrice amount } }
} } }
"""


@cache
def installed() -> Path | None:
    """Return its script; None where it can't run here."""
    return npm.installed(FOLDER) if npm.node_version() >= NODE_MIN else None


@contextmanager
def listening(server: Server, urls: Urls) -> Iterator[Listening]:
    script, node = installed(), shutil.which("node")
    assert script is not None, "It was looked for before."
    assert node is not None, "It was looked for before."
    wanted = msgspec.json.decode((FOLDER / "package.json").read_bytes())["dependencies"]
    known = {
        **os.environ,
        "DATABASE_URL": urls.admin_database_url,
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
    }
    name = f"PostGraphile {wanted['postgraphile']}"
    with started(server, name, (node, str(script)), known) as found:
        yield found


def rows(answer: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON.
    nodes = answer["data"]["allInvoices"]["nodes"]
    return [{**node, "lines": node["lines"]["nodes"]} for node in nodes]

"""Versions of the code: copies of our packages, changed, that run as processes of their own."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from adapters.embedded.servers import Urls
from adapters.settings import Settings
from projections.invoices import Invoices
from tests.house.source import ROOT
from tests.rest.api import environment, free_port

PACKAGES: Final = ("domain", "application", "projections", "adapters", "migrations")
INVOICES: Final = "projections/invoices.py"
THIS: Final = Invoices.version
NEXT: Final = THIS + 1
LINES: Final = [{"description": "Bolt", "quantity": "3", "unit_price": "1.50"}]
ANEW: Final = """
from msgspec.structs import replace
as_before = Invoices.apply
def anew(row: InvoiceRow | None, event: InvoiceEvent) -> InvoiceRow | None:
    row = as_before(row, event)
    return replace(row, {change})
Invoices.apply = staticmethod(anew)
Invoices.version = {version}
"""
SECONDS_MAX: Final = 60.0
POLL_SECONDS: Final = 0.1


class Code(Struct, frozen=True):
    """A version of the code in a folder of its own, and the database it works on."""

    folder: Path
    settings: Settings

    def add(self, path: str, text: str) -> None:
        """Write *text* behind what stands in a file."""
        with (self.folder / path).open("a") as file:
            file.write(text)

    def run(self, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - whatever it says.
        """Run a command of this code, and return its document."""
        done = subprocess.run(
            [sys.executable, "-m", "adapters.cli.main", *arguments, "--json"],
            cwd=self.folder,
            env=environment(self.settings),
            capture_output=True,
            check=False,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == code, done.stderr.decode()
        return msgspec.json.decode(done.stdout)

    @contextmanager
    def process(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process of this code, such as its projector."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "adapters.cli.main", name],
                cwd=self.folder,
                env=environment(self.settings),
                stderr=log,
                stdout=log,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)

    @contextmanager
    def api(self, key: str) -> Iterator[httpx.Client]:
        """Run the API of this code, and call it with *key*."""
        port = free_port()
        own = Code(self.folder, replace(self.settings, port=port))
        headers = {"Authorization": f"Bearer {key}"}
        url = f"http://{own.settings.asiento_host}:{port}"
        with (
            own.process("api") as process,
            httpx.Client(
                base_url=url, headers=headers, trust_env=False, timeout=2 * SECONDS_MAX
            ) as client,
        ):
            until(lambda: process.poll() is not None or _answers(client))
            assert process.poll() is None, self.said("api")
            yield client

    def said(self, name: str) -> str:
        """Return what a process wrote into its log."""
        return (self.folder / f"{name}.log").read_text()


def code_of_today(folder: Path, settings: Settings) -> Code:
    """Copy our packages as they are."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    return Code(folder, settings)


def settings_of(urls: Urls, data: Path) -> Settings:
    return Settings(
        database_url=urls.database_url,
        database_admin_url=urls.admin_database_url,
        redis_url=urls.redis_url,
        asiento_data=data,
        # Processes take their time to start where others start too.
        at_least_seconds_max=SECONDS_MAX,
    )


def fold_anew(code: Code, change: str) -> None:
    """Let the next version of invoices fold each row as before, and then *change* it."""
    code.add(INVOICES, ANEW.format(change=change, version=NEXT))


def with_line_count(code: Code, count: str = "len(row.lines)") -> None:
    """Give invoices one column more, and so another version."""
    code.add(INVOICES, "class InvoiceRow(InvoiceRow):\n    line_count: int = 0\n")
    code.add(INVOICES, "Invoices.row = InvoiceRow\n")
    fold_anew(code, f"line_count={count}")


def draft(api: httpx.Client) -> int:
    """Draft an invoice, and return its position."""
    answer = api.post("/api/v1/invoices", json={"lines": LINES})
    assert answer.status_code == 201, answer.text
    position: int = answer.json()["position"]
    return position


def invoices(api: httpx.Client, **query: str | int) -> list[dict[str, Any]]:
    """List invoices as an API shows them."""
    answer = api.get("/api/v1/invoices", params={"first": 100, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def refusal(api: httpx.Client) -> str | None:
    """Return the code of why an API does not list invoices, if it does not."""
    code: str | None = api.get("/api/v1/invoices").json().get("code")
    return code


def versions(code: Code) -> dict[int, str]:
    """Return the status of each version of invoices, as *code* sees it."""
    listed = code.run("projections", "versions")
    return {each["version"]: each["status"] for each in listed if each["name"] == "invoices"}


def until(true: Any, seconds_max: float = SECONDS_MAX) -> None:  # noqa: ANN401 - anything callable.
    """Wait until something is true."""
    deadline = time.monotonic() + seconds_max
    while not true():
        assert time.monotonic() < deadline, f"It was not so within {seconds_max:.0f} s."
        time.sleep(POLL_SECONDS)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False

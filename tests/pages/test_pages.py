"""GraphiQL, Swagger UI and ReDoc come whole from this checkout, and run under a strict policy."""

import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import httpx
import pytest

from adapters.pages.assets import FILES, Asset, manifest
from adapters.pages.graphiql import wants_page
from adapters.rest.app import make_app
from adapters.settings import Settings
from tests.house.source import ROOT, source

PAGES: Final = ("/graphql", "/docs", "/redoc")
BYTES_MAX: Final = 4_000_000
BROWSER: Final = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
ASSETS: Final = manifest().files.values()
SOURCE: Final = ROOT / "adapters/pages/sources"


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """Asks an application that never started: pages need nothing of it."""
    transport = httpx.ASGITransport(app=cast("Any", make_app(Settings())))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=BROWSER
    ) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_but_our_own_assets(
    browser: httpx.AsyncClient, path: str
) -> None:
    page = await browser.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert any(each.endswith(".js") for each in loaded)
    assert {each for each in loaded if not each.startswith("/assets/")} == {"/openapi.json"}
    for each in loaded:
        assert (await browser.get(each)).status_code == 200


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_run_no_script_but_ours(browser: httpx.AsyncClient, path: str) -> None:
    page = await browser.get(path)
    rules = dict(each.split(" ", 1) for each in page.headers["content-security-policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert re.findall(r"<script(?![^>]* src=)|\bon\w+=|javascript:", page.text) == []


def test_programs_are_sent_no_page() -> None:
    assert wants_page(BROWSER["Accept"])
    assert not any(map(wants_page, ("application/json", "*/*", "text/event-stream", "")))


@pytest.mark.parametrize("each", ASSETS, ids=lambda each: each.served)
async def test_an_asset_is_served_packed_or_plain_and_kept(
    browser: httpx.AsyncClient, each: Asset
) -> None:
    for coding, packed in (("gzip, br", True), ("br, gzip;q=0", False), ("identity", False)):
        answer = await browser.get(f"/assets/{each.served}", headers={"Accept-Encoding": coding})
        assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
        assert hashlib.sha256(answer.content).hexdigest() == each.sha256
        assert answer.headers["content-type"] == f"{each.type}; charset=utf-8"
        assert "immutable" in answer.headers["cache-control"]
        again = {"Accept-Encoding": coding, "If-None-Match": answer.headers["etag"]}
        assert (await browser.get(f"/assets/{each.served}", headers=again)).status_code == 304


@pytest.mark.parametrize("name", ["nothing.js", "manifest.json", "..%2Fassets.py", "%2e%2e"])
async def test_nothing_else_is_served(browser: httpx.AsyncClient, name: str) -> None:
    assert (await browser.get(f"/assets/{name}")).status_code == 404


def test_the_files_are_those_of_the_manifest() -> None:
    listed = {f"{each.served}.gz": each for each in ASSETS}
    assert {path.name for path in FILES.glob("*.gz")} == listed.keys()
    for name, each in listed.items():
        content = gzip.decompress((FILES / name).read_bytes())
        assert (len(content), hashlib.sha256(content).hexdigest()) == (each.bytes, each.sha256)
        assert each.sha256[:12] in each.served


def test_the_assets_stay_small() -> None:
    assert sum(path.stat().st_size for path in FILES.iterdir()) < BYTES_MAX


def test_the_manifest_is_of_the_versions_that_the_lock_holds() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    assert not any("resolved" in each for each in lock.values())
    for package in manifest().packages:
        assert lock[f"node_modules/{package.name}"]["version"] == package.version


def test_every_package_of_the_pages_has_its_reason() -> None:
    row = r"^\| `([^`]+)` \(npm\) \|(?: [^|]{3,} \|){3}$"
    named = re.findall(row, source("docs/dependencies.md").text, re.MULTILINE)
    wanted = json.loads((SOURCE / "package.json").read_text())["dependencies"]
    assert set(named) == wanted.keys()


def test_every_licence_comes_along() -> None:
    packed = FILES / f"{manifest().files['licences.txt'].served}.gz"
    text = gzip.decompress(packed.read_bytes()).decode()
    for package in manifest().packages:
        assert f"{package.name} {package.version} ({package.licence})" in text

"""Scripts and styles of our pages: vendored, compressed, and named by their content.

A name stands for one content for ever, so browsers may keep it; new content has a new name.
`make assets` writes the files and their manifest.
"""

import asyncio
import gzip
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

from adapters.coding import takes_gzip

FILES: Final = Path(__file__).parent / "files"
KEPT: Final = "public, max-age=31536000, immutable"


class Package(Struct, frozen=True):
    """What went into the files."""

    name: str
    version: str
    licence: str


class Asset(Struct, frozen=True):
    """A file: the name it is served under, and the length and hash of its content."""

    served: str
    type: str
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True):
    """All files by their plain names."""

    packages: tuple[Package, ...]
    files: Mapping[str, Asset]


@cache
def manifest() -> Manifest:
    return msgspec.json.decode((FILES / "manifest.json").read_bytes(), type=Manifest)


def address(name: str) -> str:
    """Return where the file of a plain name is served."""
    return f"/assets/{manifest().files[name].served}"


@get("/assets/{name:str}", include_in_schema=False)
async def asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """Serve a file compressed where that is understood, and plain elsewhere."""
    found = _served().get(name)
    if found is None:
        raise NotFoundException
    packed = takes_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{found.sha256[:32]}{"-gzip" if packed else ""}"'
    headers = {"ETag": tag, "Cache-Control": KEPT, "Vary": "Accept-Encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    content = _packed(name) if packed else await asyncio.to_thread(gzip.decompress, _packed(name))
    return Response(content, media_type=found.type, headers=headers)


@cache
def _served() -> Mapping[str, Asset]:
    return {each.served: each for each in manifest().files.values()}


@cache
def _packed(name: str) -> bytes:
    return (FILES / f"{name}.gz").read_bytes()

"""demo.json: what somebody needs to use the tenant `demo`, readable by its owner alone."""

from typing import Final

import msgspec
from msgspec import Struct

from adapters.embedded.files import write_private
from adapters.settings import Settings

SLUG: Final = "demo"
FILE: Final = "demo.json"


class Demo(Struct, frozen=True, kw_only=True):
    """What somebody needs to log in; the file is readable by its owner alone."""

    url: str
    tenant: str
    email: str
    password: str
    api_key: str


def read_demo(settings: Settings) -> Demo | None:
    """Return what demo.json holds, true or outdated."""
    try:
        return msgspec.json.decode((settings.data / FILE).read_bytes(), type=Demo)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_demo(settings: Settings, demo: Demo) -> None:
    write_private(settings.data / FILE, msgspec.json.format(msgspec.json.encode(demo)) + b"\n")

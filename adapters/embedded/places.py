"""Where an instance keeps its servers: in its own folder, unless their user can't get there."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Final

from msgspec import Struct

from adapters.embedded.users import User, server_user
from adapters.settings import Settings
from application.errors import Unavailable

# Where root's instances go whose own folder (a checkout in root's home) is closed to others.
SYSTEM_FOLDER: Final = Path("/var/lib/asiento")
ID_FILE: Final = "instance-id"
OWNER_FILE: Final = "owner"


class Places(Struct, frozen=True, kw_only=True):
    """The folders of one instance, and who its servers run as."""

    data: Path
    home: Path
    user: User | None

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's folder."""
        return self.home / "valkey"

    @property
    def credentials(self) -> Path:
        """The servers' passwords."""
        return self.data / "credentials.json"


def make_data_folder(settings: Settings) -> Path:
    """Make ASIENTO_DATA if it is missing. Its files are private, each for itself.

    Raises:
        Unavailable: It is somebody else's.

    """
    data = settings.data
    try:
        if not data.exists():
            data.mkdir(parents=True)
            # Root's servers run as another user, who has to pass.
            data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except PermissionError:
        raise not_yours(data) from None
    if not os.access(data, os.W_OK | os.X_OK):
        raise not_yours(data)
    return data


def find_places(settings: Settings) -> Places:
    """Say where the instance lives, and make those folders."""
    data = make_data_folder(settings)
    user = server_user(data / "postgres")
    id_file = data / ID_FILE
    if id_file.exists() and os.geteuid() == 0:
        home = _home_of(id_file)
        return Places(data=data, home=home, user=server_user(home / "postgres"))
    if user is None or user.can_reach(data):
        return Places(data=data, home=data, user=user)
    if (data / "postgres").exists():
        raise Unavailable(
            "instance.unreachable",
            f"The database is in {data}, where the user {user.name} can't get to.",
            hint="Open the folders above it (chmod o+x), or move ASIENTO_DATA.",
        )
    id_file.write_text(secrets.token_hex(8))
    return Places(data=data, home=_home_of(id_file), user=user)


def remove_instance(settings: Settings) -> None:
    """Remove an instance that is stopped, with all its data."""
    id_file = settings.data / ID_FILE
    if id_file.exists():
        shutil.rmtree(SYSTEM_FOLDER / id_file.read_text(), ignore_errors=True)
    shutil.rmtree(settings.data, ignore_errors=True)


def _home_of(id_file: Path) -> Path:
    """Make the folder that the file names, a new one where the file came with a copied checkout."""
    home = SYSTEM_FOLDER / id_file.read_text()
    owner = home / OWNER_FILE
    if owner.exists():
        original = Path(owner.read_text()) / ID_FILE
        if (
            original != id_file
            and original.exists()
            and original.read_text() == id_file.read_text()
        ):
            id_file.write_text(secrets.token_hex(8))
            return _home_of(id_file)
    home.mkdir(parents=True, exist_ok=True)
    for folder in (SYSTEM_FOLDER, home):
        folder.chmod(0o755)
    owner.write_text(str(id_file.parent))
    return home


def not_yours(data: Path) -> Unavailable:
    return Unavailable(
        "instance.not_yours",
        f"{data} can't be written to: it belongs to another user.",
        hint="Run as that user, or set ASIENTO_DATA to a folder of your own.",
    )

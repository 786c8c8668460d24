"""Who the servers run as: whoever we are, or, as PostgreSQL refuses root, a user without rights."""

import os
import pwd
import stat
from pathlib import Path
from typing import Final

from msgspec import Struct

from application.errors import Unavailable

CANDIDATES: Final = ("postgres", "nobody")


class User(Struct, frozen=True, kw_only=True):
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    def can_reach(self, path: Path) -> bool:
        """Tell whether the user may enter the path and every folder above it."""
        path = path.resolve()
        return path.exists() and all(self._may_enter(place) for place in (path, *path.parents))

    def _may_enter(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_user(existing: Path) -> User | None:
    """Choose the user to run servers as; None is ourselves.

    Args:
        existing: The folder of a cluster. Where it exists, its owner goes on owning it.

    Raises:
        Unavailable: We are root, and this machine has no user to run servers as.

    """
    if os.geteuid() != 0:
        return None
    if existing.exists() and (owner := existing.stat().st_uid) != 0:
        return _user(pwd.getpwuid(owner))
    for name in CANDIDATES:
        try:
            return _user(pwd.getpwnam(name))
        except KeyError:
            continue
    raise Unavailable(
        "embedded.no_user",
        f"PostgreSQL refuses to run as root, and there is no user {' or '.join(CANDIDATES)}.",
        hint="Run as an ordinary user, add the user postgres, or set DATABASE_URL.",
    )


def hand_over(path: Path, user: User | None) -> None:
    """Make the path the user's own."""
    if user is not None:
        os.chown(path, user.uid, user.gid)


def _user(entry: pwd.struct_passwd) -> User:
    return User(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)

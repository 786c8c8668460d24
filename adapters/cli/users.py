"""`asiento user`: people who log in, and the passwords that none of them may choose."""

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from msgspec import Struct

from adapters.accounts.accounts import account_of, set_password
from adapters.accounts.breached import prefixes_in, write_prefixes
from adapters.cli.output import Result, counted
from adapters.cli.session import operator, with_runtime
from adapters.runtime import Runtime
from application.errors import NotFound
from domain.access import UserId
from domain.ids import SYSTEM_TENANT

PASSWORD_BYTES: Final = 18


class NewPassword(Struct, frozen=True, kw_only=True):
    """Whose it is, and what it is. It is shown once."""

    user: str
    email: str
    password: str


def password(email: str, /) -> Result:
    """Give a person a new password, shown once, and end all their sessions."""

    async def work(runtime: Runtime) -> NewPassword:
        user = await user_of(runtime, email)
        made = secrets.token_urlsafe(PASSWORD_BYTES)
        await set_password(runtime, user, made, operator(SYSTEM_TENANT))
        return NewPassword(user=user, email=email, password=made)

    found = with_runtime(work)
    said = f"{email} is logged out everywhere.\nPassword: {found.password}\nIt is not shown again."
    return Result(document=found, people=(said,))


def breached(
    first: Path,
    /,
    *more: Path,
    to: Path,
    seen: Annotated[int, Parameter(help="Leave out what was seen less often.")] = 1,
) -> Result:
    """Write the file of passwords that nobody may choose, for BREACHED_PASSWORDS.

    Args:
        first: A text with a password a line, or the hashes or ranges of Have I Been Pwned; a
            folder stands for its files, and what ends in .gz is unpacked.
        more: Further ones.
        to: The file to write.
        seen: How often a password must have been seen, where a list says it.

    """
    try:
        files = sorted(file for each in (first, *more) for file in _files(each))
        found = (prefix for file in files for prefix in prefixes_in(file, seen))
        many = write_prefixes(found, to)
    except OSError as error:
        raise NotFound(
            "input.unreadable_file",
            f"{error.filename} can't be used: {error.strerror}.",
            hint="Name lists that are there and that you may read, and a file that you may write.",
        ) from None
    document = {"file": str(to), "passwords": many}
    said = f"{counted(many, 'password')} in {to}: set BREACHED_PASSWORDS to it."
    return Result(document=document, people=(said,))


async def user_of(runtime: Runtime, email: str) -> UserId:
    """Find whose address it is.

    Raises:
        NotFound: It is nobody's.

    """
    known = await account_of(runtime, email)
    if known is None:
        raise NotFound(
            "access.user_absent",
            f"{email} has no account.",
            hint="Mend the address; `asiento member list` shows those of a company.",
        )
    return known[0]


def _files(path: Path) -> Iterable[Path]:
    return path.iterdir() if path.is_dir() else [path]

"""`asiento tenant close | remove | restore`: a log leaves the database, and comes back as it was.

Every step may be broken off at any point, and asked for again.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from cyclopts.types import ExistingFile

from adapters.audit.archive import close_log, proved
from adapters.audit.archive import remove as remove_log
from adapters.audit.archive import restore as restore_log
from adapters.audit.form import Header
from adapters.audit.keys import wrapped_keys
from adapters.audit.log import read_head, reading
from adapters.audit.reading import Checked
from adapters.audit.recipe import FIRST_LINK
from adapters.audit.registry import Owner, all_owners, find_owner
from adapters.cli.audit import bar, write_file
from adapters.cli.output import Result
from adapters.cli.session import operator, with_runtime
from adapters.runtime import Runtime
from application.errors import Conflict, Malformed
from application.kernel import build
from domain.ids import SYSTEM_TENANT, TenantId
from domain.kernel import Command, Refused
from domain.tenants import (
    CloseTenant,
    CreateTenant,
    NoteArchive,
    NoteRemoval,
    NoteRestoration,
    ReopenTenant,
)


def close(slug: str, /, *, to: Path, force: bool = False) -> Result:
    """Close the books of a company for good, and archive its log in one file.

    Args:
        slug: Its short name.
        to: The file to write. If it holds all of the log already, it is verified and kept.
        force: Write the file anew where it is there and holds something else.

    """

    async def work(runtime: Runtime) -> Result:
        owner = await find_owner(runtime, slug)
        await _note(runtime, CloseTenant, tenant=_not_the_instance(owner))
        url = runtime.settings.database_url or ""
        await asyncio.to_thread(close_log, url, owner.tenant)
        if not await asyncio.to_thread(_holds_all, url, owner, to, force=force):
            await write_file(runtime, owner, to, wrapped_keys, force=force)
        checked = await asyncio.to_thread(_proved, to)
        end = checked.verified
        archived = {"sha256": checked.sha256, "events": end.events, "head": end.head}
        await _note(runtime, NoteArchive, tenant=owner.tenant, file=to.name, **archived)
        document = {"tenant": owner.tenant, "slug": slug, "file": str(to), **archived}
        said = (
            f"The books of {slug} are closed: {end.events:,} events in {to}, verified.",
            f"SHA-256 of the file: {checked.sha256}",
        )
        return Result(document=document, people=said)

    return with_runtime(work)


def remove(slug: str, /, *, archive: ExistingFile, yes: bool = False) -> Result:
    """Delete all that the database holds of a closed company, but for its archive.

    Args:
        slug: Its short name.
        archive: The file that `asiento tenant close` wrote. Keep it where it is safe.
        yes: Do it. Without it, nothing is deleted.

    """
    checked = _proved(archive)
    if not yes:
        raise Malformed(
            "tenants.not_confirmed",
            f"This deletes {checked.verified.events:,} events of {slug} for good.",
            hint="Keep the archive safe, then say --yes.",
        )

    async def work(runtime: Runtime) -> Result:
        owner = await find_owner(runtime, slug)
        if _not_the_instance(owner) != checked.header.tenant:
            raise Refused(
                "tenants.other_archive",
                f"{archive.name} is the archive of {checked.header.slug}, not of {slug}.",
                hint="Name the archive of this tenant.",
            )
        with bar("remove") as advance:
            gone = await asyncio.to_thread(remove_log, _admin(runtime), checked, advance)
        await asyncio.to_thread(_remove_files, runtime, owner.tenant)
        end = checked.verified
        noted = {"archive": checked.sha256, "events": end.events, "head": end.head}
        await _note(runtime, NoteRemoval, tenant=owner.tenant, **noted)
        rows = sum(gone.rows.values())
        said = f"{slug} is in {archive} only: {rows:,} rows were deleted."
        document = {"tenant": owner.tenant, "slug": slug, "rows": gone.rows, **noted}
        return Result(document=document, people=(said,))

    return with_runtime(work)


def restore(file: ExistingFile, /, *, reopen: bool = False) -> Result:
    """Bring a company back from its archive, with equal positions and hashes.

    Args:
        file: The file that `asiento tenant close` wrote.
        reopen: Let its books take events again.

    """
    checked = _proved(file)

    async def work(runtime: Runtime) -> Result:
        header, end = checked.header, checked.verified
        await _register(runtime, header)
        with bar("restore") as advance:
            done = await asyncio.to_thread(
                restore_log, _admin(runtime), file, checked, reopen=reopen, on_progress=advance
            )
        noted = {"archive": checked.sha256, "events": end.events, "head": end.head}
        if done.closed or done.put_back:
            await _note(runtime, NoteRestoration, tenant=header.tenant, **noted)
        if reopen:
            await _note(runtime, ReopenTenant, tenant=header.tenant)
        await runtime.hub.announce({TenantId(header.tenant): end.events})
        books = "closed" if done.closed else "open"
        did = "is back" if done.put_back else "was there already"
        said = (
            f"The log of {header.slug} {did}: {end.events:,} events, head {end.head}.",
            f"Its books are {books}. The projector fills its read models.",
        )
        document = {"tenant": header.tenant, "slug": header.slug, "books": books, **noted}
        return Result(document=document, people=said)

    return with_runtime(work)


async def _register(runtime: Runtime, header: Header) -> None:
    """Make a company known that this instance has never heard of."""
    known = await all_owners(runtime)
    if header.tenant not in {owner.tenant for owner in known}:
        await _note(
            runtime,
            CreateTenant,
            tenant=header.tenant,
            slug=header.slug,
            name=header.name,
            country=header.country,
        )


async def _note(runtime: Runtime, command: type[Command], **given: Any) -> None:  # noqa: ANN401 - fields of any type.
    built = build(command, given, runtime.clock)
    await runtime.bus.execute(built, operator(SYSTEM_TENANT))


def _holds_all(url: str, owner: Owner, to: Path, *, force: bool) -> bool:
    """Tell whether the file is the whole archive already, made by a run that was broken off.

    Raises:
        Conflict: It holds something else, and may not be written over.

    """
    if not to.exists() or force:
        return False
    with reading(url, owner.tenant) as connection:
        position, link = read_head(connection, owner.tenant) or (0, FIRST_LINK)
    checked = _proved(to)
    found = (checked.header.tenant, checked.verified.events, checked.verified.head)
    if found != (owner.tenant, position, link.hex()):
        raise Conflict(
            "audit.file_exists",
            f"{to.name} is there already, and holds another log than this one.",
            hint="Name another, or --force.",
        )
    return True


def _proved(path: Path) -> Checked:
    with bar("verify") as advance:
        return proved(path, advance)


def _not_the_instance(owner: Owner) -> TenantId:
    if owner.tenant == SYSTEM_TENANT:
        raise Refused(
            "tenants.system",
            "The log of the instance itself can't be closed.",
            hint="Name a tenant.",
        )
    return owner.tenant


def _admin(runtime: Runtime) -> str:
    return runtime.settings.database_admin_url or runtime.settings.database_url or ""


def _remove_files(runtime: Runtime, tenant: TenantId) -> None:
    folder = runtime.blobs.folder(tenant)
    if folder.exists():
        shutil.rmtree(folder)

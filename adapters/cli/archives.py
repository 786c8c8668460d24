"""`asiento tenant close | remove | restore`: a log leaves the database, and comes back as it was.

Every step may be broken off at any point, and asked for again.
"""

import asyncio
import shutil
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from adapters.anchors.evidence import Evidence, gather
from adapters.audit.archive import Restored, archived, batches_in, check_keys, close_log
from adapters.audit.archive import remove as remove_log
from adapters.audit.archive import restore as restore_log
from adapters.audit.form import Header
from adapters.audit.keys import wrapped_keys
from adapters.audit.log import read_head, reading
from adapters.audit.reading import Checked, MarkOf, no_mark
from adapters.audit.recipe import FIRST_LINK
from adapters.audit.registry import Owner, all_owners, find_owner
from adapters.cli.anchors import PublicKey
from adapters.cli.audit import bar, check_key, marking, write_file
from adapters.cli.audit_said import broken
from adapters.cli.imports import ERRORS
from adapters.cli.options import ReadableFile
from adapters.cli.output import Result, counted
from adapters.cli.session import operator, with_runtime
from adapters.postgres.locks import held
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
    Tenant,
    vouches,
)

BATCH_CHARACTERS: Final = 36
TURN_SECONDS: Final = 5.0
Voucher: TypeAlias = Literal["system", "anchor"]
VOUCHED: Final[dict[Voucher | None, str]] = {
    "system": "The log of `system` noted this very file.",
    "anchor": "It passes through the anchor.",
    None: "Nothing here can say that it is the log that left: only an anchor could (--anchor).",
}
"""By what a restored log is known to be the one that was archived."""


def close(slug: str, /, *, to: Path, force: bool = False) -> Result:
    """Close the books of a company for good, and archive its log in one file.

    Args:
        slug: Its short name.
        to: The file to write. If it is the archive of all of the log already, it is verified
            and kept.
        force: Write the file anew where it is there and holds something else.

    """

    async def work(runtime: Runtime) -> Result:
        owner = await find_owner(runtime, slug)
        lock, url = f"close:{_not_the_instance(owner)}", runtime.settings.database_url or ""
        async with held(url, lock, seconds_max=TURN_SECONDS) as mine:
            if not mine:
                raise Conflict(
                    "tenants.closing",
                    f"Somebody else is closing {slug} at this moment.",
                    hint="Ask again when that has ended.",
                )
            return await _close(runtime, owner, to, force=force)

    return with_runtime(work)


async def _close(runtime: Runtime, owner: Owner, to: Path, *, force: bool) -> Result:
    url = runtime.settings.database_url or ""
    await _note(runtime, CloseTenant, tenant=owner.tenant)
    await asyncio.to_thread(close_log, url, owner.tenant)
    if not await asyncio.to_thread(_holds_all, url, owner, to, force=force):
        await _write(runtime, owner, to, force=force)
    checked = await asyncio.to_thread(_archived, to)
    await asyncio.to_thread(_check_keys, url, checked)
    end = checked.verified
    archived = {"sha256": checked.sha256, "events": end.events, "head": end.head}
    await _note(runtime, NoteArchive, tenant=owner.tenant, file=to.name, **archived)
    document = {"tenant": owner.tenant, "slug": owner.slug, "file": str(to), **archived}
    said = (
        f"The books of {owner.slug} are closed: {counted(end.events, 'event')} in {to}, verified.",
        f"SHA-256 of the file: {checked.sha256}",
    )
    return Result(document=document, people=said)


def remove(slug: str, /, *, archive: ReadableFile, yes: bool = False) -> Result:
    """Delete all that the database holds of a closed company, but for its archive.

    Args:
        slug: Its short name.
        archive: The file that `asiento tenant close` wrote. Keep it where it is safe.
        yes: Do it. Without it, nothing is deleted.

    """

    async def work(runtime: Runtime) -> Result:
        owner = await find_owner(runtime, slug)
        checked = await asyncio.to_thread(_archived, archive)
        _check_owner(owner, archive, checked)
        end = checked.verified
        noted: dict[str, Any] = {"archive": checked.sha256, "events": end.events, "head": end.head}
        await _check(runtime, NoteRemoval(tenant=owner.tenant, **noted))
        if not yes:
            raise Malformed(
                "tenants.not_confirmed",
                f"This deletes {counted(end.events, 'event')} of {slug} for good.",
                hint="Keep the archive safe, then say --yes.",
            )
        with bar("remove") as advance:
            gone = await asyncio.to_thread(remove_log, runtime.settings.owner_url, checked, advance)
        await asyncio.to_thread(_remove_files, runtime, owner.tenant, archive)
        await _note(runtime, NoteRemoval, tenant=owner.tenant, **noted)
        rows = sum(gone.rows.values())
        said = f"{slug} is in {archive} only: {counted(rows, 'row')} deleted."
        document = {"tenant": owner.tenant, "slug": slug, "rows": gone.rows, **noted}
        return Result(document=document, people=(said,))

    return with_runtime(work)


def restore(
    file: ReadableFile,
    /,
    *,
    reopen: bool = False,
    anchor: ReadableFile | None = None,
    public_key: PublicKey = None,
) -> Result:
    """Bring a company back from its archive, with equal positions and hashes.

    Args:
        file: The file that `asiento tenant close` wrote.
        reopen: Let its books take events again.
        anchor: What `asiento audit anchor` made: the log must pass through the signed head.
        public_key: The key that signed it, in hex. Left out: the instance's own.

    """
    check_key(anchor, public_key)

    async def work(runtime: Runtime) -> Result:
        evidence = gather(runtime.settings, anchor, public_key) if anchor else None
        checked = await asyncio.to_thread(_archived, file, marking(evidence, must=True))
        header, end = checked.header, checked.verified
        noted: dict[str, Any] = {"archive": checked.sha256, "events": end.events, "head": end.head}
        _refuse_the_instance(TenantId(header.tenant))
        newcomer = await _newcomer(runtime, header)
        vouched: Voucher | None = "anchor" if evidence else None
        if newcomer is None:
            note = NoteRestoration(tenant=header.tenant, **noted)
            vouched = await _vouched(runtime, note, evidence)
        with bar("restore") as advance:
            bring = partial(restore_log, reopen=reopen, on_progress=advance)
            done = await asyncio.to_thread(bring, runtime.settings.owner_url, file, checked)
        await _note_return(runtime, newcomer, done, reopen, tenant=header.tenant, **noted)
        await runtime.hub.announce({TenantId(header.tenant): end.events})
        return _restored(header, done, vouched, noted)

    return with_runtime(work)


async def _note_return(
    runtime: Runtime,
    newcomer: CreateTenant | None,
    done: Restored,
    reopen: bool,  # noqa: FBT001 - as the command was given it.
    **noted: Any,  # noqa: ANN401 - fields of any type.
) -> None:
    if newcomer is not None:  # Only now: a file that can't be restored makes nobody known.
        await runtime.bus.execute(newcomer, operator(SYSTEM_TENANT))
    if done.closed or done.put_back:
        await _note(runtime, NoteRestoration, **noted)
    if reopen:
        await _note(runtime, ReopenTenant, tenant=noted["tenant"])


def _restored(
    header: Header, done: Restored, vouched: Voucher | None, noted: dict[str, Any]
) -> Result:
    books = "closed" if done.closed else "open"
    did = "is back" if done.put_back else "was there already"
    document = {
        "tenant": header.tenant,
        "slug": header.slug,
        "books": books,
        "keys": done.keys,
        "vouched_by": vouched,
        **noted,
    }
    said = (
        f"The log of {header.slug} {did}: {counted(done.events, 'event')}, head {done.head}.",
        VOUCHED[vouched],
        f"{counted(done.keys, 'key')} of personal data came back.",
        f"Its books are {books}. The projector fills its read models.",
    )
    return Result(document=document, people=said)


async def _vouched(
    runtime: Runtime, note: NoteRestoration, evidence: Evidence | None
) -> Voucher | None:
    """Say by what a file is known to be the one that left, before anything is done by it.

    Raises:
        Refused: Other files were noted.

    """
    await _check(runtime, note)
    if vouches(await _books(runtime, note.tenant)):
        return "system"
    return "anchor" if evidence else None


async def _check(runtime: Runtime, note: NoteRemoval | NoteRestoration) -> None:
    """Ask whether it could be noted, before it is done.

    Raises:
        Refused: It could not.

    """
    deque(note.decide(await _books(runtime, note.tenant)), maxlen=0)


async def _books(runtime: Runtime, tenant: TenantId) -> Tenant:
    """Fold what is known of a company."""
    return await runtime.bus.fold(SYSTEM_TENANT, Tenant.at(tenant=tenant))


async def _newcomer(runtime: Runtime, header: Header) -> CreateTenant | None:
    """Make ready to register a company that this instance has never heard of.

    Raises:
        Malformed: The header of the file names nobody who could be registered.
        Refused: Its short name belongs to another.

    """
    if header.tenant in {owner.tenant for owner in await all_owners(runtime)}:
        return None
    given = {
        "tenant": header.tenant,
        "slug": header.slug,
        "name": header.name,
        "country": header.country,
    }
    create = build(CreateTenant, given, runtime.clock)
    assert isinstance(create, CreateTenant), "Building keeps the type."
    deque(create.decide(await runtime.bus.fold(SYSTEM_TENANT, *create.boundary())), maxlen=0)
    return create


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
    checked = _archived(to)
    found = (checked.header.tenant, checked.verified.events, checked.verified.head)
    if found != (owner.tenant, position, link.hex()):
        raise Conflict(
            "audit.file_exists",
            f"{to.name} is there already, and holds another log than this one.",
            hint="Name another, or --force.",
        )
    return True


async def _write(runtime: Runtime, owner: Owner, to: Path, *, force: bool) -> None:
    written = await write_file(runtime, owner, to, wrapped_keys, archive=True, force=force)
    if not written.ok:
        raise Conflict(
            "audit.changed_log",
            f"{broken(owner.slug, written)} {to.name} holds it as it is.",
            hint="Find out who changed it. The books are closed, and no archive is noted.",
        )


def _archived(path: Path, mark_of: MarkOf = no_mark) -> Checked:
    with bar("verify") as advance:
        return archived(path, advance, mark_of)


def _check_keys(url: str, checked: Checked) -> None:
    tenant = TenantId(checked.header.tenant)
    with reading(url, tenant) as connection:
        check_keys(connection, tenant, checked)


def _check_owner(owner: Owner, path: Path, checked: Checked) -> None:
    if _not_the_instance(owner) != checked.header.tenant:
        raise Refused(
            "tenants.other_archive",
            f"{path.name} is the archive of {checked.header.slug}, not of {owner.slug}.",
            hint="Name the archive of this tenant.",
        )


def _not_the_instance(owner: Owner) -> TenantId:
    _refuse_the_instance(owner.tenant)
    return owner.tenant


def _refuse_the_instance(tenant: TenantId) -> None:
    if tenant == SYSTEM_TENANT:
        raise Refused(
            "tenants.system",
            "The log of the instance itself can't be closed, removed or put back.",
            hint="Name a tenant; the instance as a whole is restored from a backup.",
        )


def _remove_files(runtime: Runtime, tenant: TenantId, archive: Path) -> None:
    """Delete what was sent for imports, and the rows that did not go in."""
    folder = runtime.blobs.folder(tenant)
    if folder.exists():
        shutil.rmtree(folder)
    rejected = list((runtime.settings.data / ERRORS).glob("*.csv"))
    batches = batches_in(archive) if rejected else frozenset()
    for path in rejected:
        if path.stem[-BATCH_CHARACTERS:] in batches:
            path.unlink(missing_ok=True)

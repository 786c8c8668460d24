"""`asiento audit`: the proof that no event of a log was changed, here or in a file of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from adapters.anchors.checking import head_of
from adapters.anchors.evidence import Evidence, gather
from adapters.anchors.mark import Mark
from adapters.audit.chain import Progress
from adapters.audit.export import Exported, Keys, no_keys
from adapters.audit.export import export as write_export
from adapters.audit.form import Header
from adapters.audit.keys import open_keys
from adapters.audit.log import verify as verify_log
from adapters.audit.reading import MarkOf, verify_file
from adapters.audit.registry import Noted, Owner, all_owners, find_owner, known_anchors, noted_ends
from adapters.audit.verdict import Verdict, find_head, is_gone, judge, stranger, unnamed
from adapters.cli.anchors import PublicKey, said_of
from adapters.cli.audit_said import anchor_named, broken, said_of_log, table_of_logs
from adapters.cli.failures import FAILED
from adapters.cli.options import LogOption, ReadableFile
from adapters.cli.output import Result, counted, progress
from adapters.cli.session import open_and, prepare, with_runtime, with_servers
from adapters.keyring import open_keyring
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.anchors import Anchor
from application.errors import Malformed
from domain.ids import TenantId

Every = Annotated[bool, Parameter(name="--all", negative="")]


def verify(
    *,
    tenant: str | None = None,
    every: Every = False,
    file: ReadableFile | None = None,
    anchor: ReadableFile | None = None,
    public_key: PublicKey = None,
) -> Result:
    """Recompute the hash chain of a log, event by event.

    Exits with 1 and names the position where the log is not what was appended.

    Args:
        tenant: The short name of the tenant; `system` is the log of what belongs to none.
        every: Verify the logs of all tenants, and that of `system`.
        file: Verify an export, without any server.
        anchor: What `asiento audit anchor` made: the log must pass through the signed head.
        public_key: The key that signed it, in hex. Left out: the instance's own.

    """
    if [tenant is not None, every, file is not None].count(True) != 1:
        raise Malformed(
            "audit.which_log",
            "It takes one of --tenant, --all and --file.",
            hint="Name a tenant: `asiento audit verify --tenant demo`.",
        )
    check_key(anchor, public_key)
    if file is not None:
        return _verify_file(file, anchor, public_key)

    def work(settings: Settings) -> Result:
        evidence = gather(settings, anchor, public_key) if anchor else None
        if every:
            return _verify_all(settings, evidence)
        owner, noted = open_and(settings, lambda runtime: _look_up(runtime, tenant or ""))
        return said_of_log(_judged(settings, owner, noted, _signed(evidence)), evidence)

    return with_servers(work)


def export(
    *, tenant: LogOption, to: Path, force: bool = False, open_personal: bool = False
) -> Result:
    """Write the log of a tenant into one file that verifies without a database.

    What is personal stays sealed in it, unless you ask for the keys.

    Args:
        tenant: The short name of the tenant; `system` is the log of what belongs to none.
        to: The file to write.
        force: Write over a file that is there.
        open_personal: Put the keys of all data subjects into the file, readable by whoever has
            it. Forgetting a person does not reach a copy of it.

    """

    async def work(runtime: Runtime) -> Exported:
        keyring = open_keyring(runtime.settings)
        keys: Keys = partial(open_keys, keyring=keyring) if open_personal else no_keys
        owner = await find_owner(runtime, tenant)
        return await write_file(runtime, owner, to, keys, force=force)

    done = with_runtime(work)
    said: tuple[str, ...] = () if done.ok else (broken(tenant, done),)
    said = (
        *said,
        f"{counted(done.events, 'event')} of {tenant}, head {done.head}, in {done.file}.",
        f"SHA-256 of the file: {done.sha256}",
    )
    if open_personal:
        said = (
            *said,
            "It holds keys to personal data: keep it from others, and delete it in time.",
        )
    return Result(document=done, people=said, code=0 if done.ok else FAILED)


async def write_file(
    runtime: Runtime, owner: Owner, to: Path, keys: Keys, *, archive: bool = False, force: bool
) -> Exported:
    """Export a log, drawing a bar."""
    anchors = await known_anchors(runtime)

    def write() -> Exported:
        with bar("export") as advance:
            return write_export(
                runtime.settings.database_url or "",
                owner,
                to,
                clock=runtime.clock,
                anchors=anchors,
                keys=keys,
                archive=archive,
                force=force,
                on_progress=advance,
            )

    return await asyncio.to_thread(write)


@contextmanager
def bar(task: str) -> Iterator[Progress]:
    """Draw one bar, and give what moves it."""
    with progress() as bars:
        drawn = bars.add_task(task, total=None, said="")
        yield lambda done, total: bars.update(drawn, completed=done, total=total or None)


def check_key(anchor: Path | None, public_key: str | None) -> None:
    """Refuse a key that has no anchor to be checked."""
    if public_key is not None and anchor is None:
        raise Malformed(
            "audit.key_without_anchor",
            "--public-key says who signed an anchor, and no --anchor was given.",
            hint="Name the anchor too: --anchor FILE.",
        )


async def _look_up(runtime: Runtime, slug: str) -> tuple[Owner, Noted | None]:
    owner = await find_owner(runtime, slug)
    return owner, (await noted_ends(runtime, owner.tenant)).get(owner.tenant)


async def _look_up_all(runtime: Runtime) -> tuple[list[Owner], dict[TenantId, Noted]]:
    return await all_owners(runtime), await noted_ends(runtime)


def _judged(
    settings: Settings, owner: Owner, noted: Noted | None, signed: Anchor | None
) -> Verdict:
    """Verify a log; the anchor of one that is gone is compared with what was noted of it."""
    head = find_head(signed, owner.tenant)
    mark = None if head is None or (noted and noted.removed) else Mark(head)
    url = settings.database_url or ""
    with bar(owner.slug) as advance:
        found = verify_log(url, owner.tenant, advance, mark)
        if head is not None and mark is None and not is_gone(found, noted):
            found = verify_log(url, owner.tenant, advance, Mark(head))
    return judge(owner.slug, found, noted, signed)


def _verify_all(settings: Settings, evidence: Evidence | None) -> Result:
    signed = _signed(evidence)
    owners, noted = open_and(settings, _look_up_all)
    found = [_judged(settings, each, noted.get(each.tenant), signed) for each in owners]
    known = {each.tenant for each in owners}
    strangers = [each.tenant for each in signed.heads if each.tenant not in known] if signed else []
    found += [
        stranger(_judged(settings, unnamed(TenantId(each)), None, signed)) for each in strangers
    ]
    whole = all(each.ok for each in found)
    table = table_of_logs(found, anchored=signed is not None)
    return Result(
        document={"ok": whole, "anchor": anchor_named(evidence), "logs": found},
        people=(table, *((said_of(evidence.timestamp),) if evidence else ())),
        code=0 if whole else FAILED,
    )


def _verify_file(path: Path, anchor: Path | None, public_key: str | None) -> Result:
    evidence = gather(prepare(), anchor, public_key) if anchor else None
    with bar("verify") as advance:
        checked = verify_file(path, advance, marking(evidence))
    found = judge(checked.header.slug, checked.verified, None, _signed(evidence))
    return said_of_log(found, evidence)


def marking(evidence: Evidence | None, *, must: bool = False) -> MarkOf:
    """Compare the log of a file with an anchor, which *must* hold its head or may not."""

    def mark_of(header: Header) -> Mark | None:
        signed = _signed(evidence)
        if signed and must:
            return Mark(head_of(signed, header.tenant))
        head = find_head(signed, header.tenant)
        return Mark(head) if head else None

    return mark_of


def _signed(evidence: Evidence | None) -> Anchor | None:
    return evidence.anchor if evidence else None

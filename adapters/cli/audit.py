"""`asiento audit`: the proof that no event of a log was changed, here or in a file of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import ExistingFile

from adapters.anchors.checking import head_of
from adapters.anchors.evidence import Evidence, gather
from adapters.anchors.mark import Mark
from adapters.audit.chain import Progress
from adapters.audit.export import Exported, Keys, no_keys
from adapters.audit.export import export as write_export
from adapters.audit.keys import open_keys
from adapters.audit.log import Verified
from adapters.audit.log import verify as verify_log
from adapters.audit.reading import verify_file
from adapters.audit.registry import Owner, all_owners, find_owner, known_anchors
from adapters.cli.anchors import PublicKey, said_of
from adapters.cli.failures import FAILED
from adapters.cli.options import TenantOption
from adapters.cli.output import Result, Table, progress
from adapters.cli.session import open_and, prepare, with_runtime, with_servers
from adapters.keyring import open_keyring
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.anchors import Anchor
from application.errors import Malformed

Every = Annotated[bool, Parameter(name="--all", negative="")]


def verify(
    *,
    tenant: str | None = None,
    every: Every = False,
    file: ExistingFile | None = None,
    anchor: ExistingFile | None = None,
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
    if file is not None:
        return _verify_file(file, anchor, public_key)

    def work(settings: Settings) -> Result:
        evidence = gather(settings, anchor, public_key) if anchor else None
        signed = evidence.anchor if evidence else None
        if every:
            return _verify_all(settings, signed)
        owner = open_and(settings, lambda runtime: find_owner(runtime, tenant or ""))
        mark = Mark(head_of(signed, owner.tenant)) if signed else None
        return _said(owner.slug, _verified(settings, owner, mark), evidence)

    return with_servers(work)


def export(
    *, tenant: TenantOption, to: Path, force: bool = False, open_personal: bool = False
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
    said: tuple[str, ...] = (
        f"{done.events:,} events of {tenant}, head {done.head}, are in {done.file}.",
        f"SHA-256 of the file: {done.sha256}",
    )
    if open_personal:
        said = (
            *said,
            "It holds keys to personal data: keep it from others, and delete it in time.",
        )
    return Result(document=done, people=said)


async def write_file(
    runtime: Runtime, owner: Owner, to: Path, keys: Keys, *, force: bool
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


def _verified(settings: Settings, owner: Owner, mark: Mark | None) -> Verified:
    with bar(owner.slug) as advance:
        return verify_log(settings.database_url or "", owner.tenant, advance, mark)


def _verify_all(settings: Settings, signed: Anchor | None) -> Result:
    owners = open_and(settings, all_owners)
    marks = {head.tenant: Mark(head) for head in signed.heads} if signed else {}
    found = [(each, _verified(settings, each, marks.get(each.tenant))) for each in owners]
    rows = [(owner.slug, each.events, each.reason or "ok", each.head) for owner, each in found]
    verified = [each for _, each in found]
    whole = all(each.ok for each in verified)
    return Result(
        document={"ok": whole, "logs": verified},
        people=(Table(("TENANT", "EVENTS", "FOUND", "HEAD"), rows),),
        code=0 if whole else FAILED,
    )


def _verify_file(path: Path, anchor: Path | None, public_key: str | None) -> Result:
    evidence = gather(prepare(), anchor, public_key) if anchor else None
    signed = evidence.anchor if evidence else None
    with bar("verify") as advance:
        checked = verify_file(
            path,
            advance,
            lambda header: Mark(head_of(signed, header.tenant)) if signed else None,
        )
    return _said(checked.header.slug, checked.verified, evidence)


def _said(slug: str, verified: Verified, evidence: Evidence | None) -> Result:
    if not verified.ok:
        said = f"The log of {slug} was changed at event {verified.first_bad}: {verified.reason}"
        return Result(document=verified, people=(said,), code=FAILED)
    said = (
        f"The log of {slug} is what was appended: {verified.events:,} events, head {verified.head}."
    )
    if evidence is None:
        return Result(document=verified, people=(said,))
    signed = evidence.anchor
    said += f" It passes through anchor {signed.number} of {signed.made_at:%Y-%m-%d}."
    return Result(document=verified, people=(said, said_of(evidence.timestamp)))

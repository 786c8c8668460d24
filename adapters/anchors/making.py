"""Anchors made on real servers: one at a time, under a lock, and timestamped where it is wanted."""

from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from adapters.anchors.checking import read_file
from adapters.anchors.folder import AnchorFolder, anchor_folder, timestamp_path
from adapters.anchors.signing_key import signing_key
from adapters.anchors.timestamps import timestamper
from adapters.postgres.heads import PostgresHeads
from adapters.postgres.locks import held
from adapters.runtime import Runtime
from application.anchors import Made, TimestampFailed, make_anchor
from application.errors import Conflict
from application.kernel import Context
from domain.anchors import HEADS, Anchors
from domain.ids import SYSTEM_TENANT

LOCK: Final = "anchor"
LOCK_SECONDS: Final = 30.0
STAMPS_AT_ONCE: Final = 10
"""Timestamps asked for in one go, so that a long outage is not followed by a flood."""

log = structlog.get_logger()


class Stamped(Struct, frozen=True, kw_only=True):
    """What came of asking for timestamps: those that were given, and why it ended early."""

    done: tuple[Path, ...] = ()
    failure: TimestampFailed | None = None


async def make(runtime: Runtime, context: Context) -> Made:
    """Make an anchor now.

    Raises:
        Conflict: Another process was making one all the time.
        Unavailable: It can't be kept, or PostgreSQL is away.

    """
    async with held(_url(runtime), LOCK, seconds_max=LOCK_SECONDS) as mine:
        if not mine:
            raise Conflict(
                "anchors.busy", "Another process is making an anchor.", hint="Ask again."
            )
        return await _make(runtime, context)


async def make_if_due(runtime: Runtime, context: Context, every_seconds: int) -> Made | None:
    """Make an anchor where the last one is so old, unless another process is at it."""
    async with held(_url(runtime), LOCK, seconds_max=0) as mine:
        if mine and await _is_due(runtime, every_seconds):
            return await _make(runtime, context)
    return None


async def stamp_missing(runtime: Runtime) -> Stamped:
    """Ask for the timestamps that are not there yet, the oldest anchor first.

    The first failure ends it: what ails the authority ails the next request too.
    """
    authority, folder = timestamper(runtime.settings), anchor_folder(runtime.settings)
    if authority is None:
        return Stamped()
    done: list[Path] = []
    for path in _without_timestamp(folder)[:STAMPS_AT_ONCE]:
        try:
            response = await authority.stamp(read_file(path))
        except TimestampFailed as failure:
            log.warning("anchor.not_timestamped", anchor=path.name, reason=failure.message)
            return Stamped(done=tuple(done), failure=failure)
        await folder.put_timestamp(path, response)
        log.info("anchor.timestamped", anchor=path.name)
        done.append(path)
    return Stamped(done=tuple(done))


async def _make(runtime: Runtime, context: Context) -> Made:
    made = await make_anchor(
        runtime.bus,
        heads=PostgresHeads(runtime.pool),
        signer=signing_key(runtime.settings),
        keep=anchor_folder(runtime.settings),
        clock=runtime.clock,
        context=context,
    )
    log.info("anchor.made", number=made.number, heads=made.heads, digest=made.digest)
    return made


async def _is_due(runtime: Runtime, every_seconds: int) -> bool:
    last = await runtime.bus.fold(SYSTEM_TENANT, Anchors.at(chain=HEADS))
    if last.made_at is None:
        return await runtime.store.head(SYSTEM_TENANT) > 0  # Where nothing is, nothing is signed.
    # Either way: a clock that was set back should not stop anchors until it has caught up.
    return abs((runtime.clock.now() - last.made_at).total_seconds()) >= every_seconds


def _without_timestamp(folder: AnchorFolder) -> list[Path]:
    return [path for path in folder.paths() if not timestamp_path(path).exists()]


def _url(runtime: Runtime) -> str:
    return runtime.settings.database_url or ""

"""`asiento personal`: data subjects, forgetting one, and changing the master key."""

from typing import Annotated, Final

from cyclopts import Parameter
from msgspec import Struct

from adapters.cli.derived import outcome_shown
from adapters.cli.options import LogOption
from adapters.cli.output import Result, Table, counted, moment, progress
from adapters.cli.session import find_log, operator, with_runtime
from adapters.credentials.keys import wrap_keys_again
from adapters.credentials.opening import open_wrapping
from adapters.postgres.locks import held
from adapters.postgres.projecting.consumers import consumer_names
from adapters.postgres.subject_keys import Forgettable, list_subjects, wrap_again
from adapters.runtime import Runtime
from application.errors import Conflict, Malformed
from application.kernel import Outcome, build
from domain.ids import SYSTEM_TENANT
from domain.privacy import ForgetSubject

PAGE: Final = 1_000
LOCK: Final = "personal.rotate"


class Rotated(Struct, frozen=True, kw_only=True):
    """The current master key, how many keys were wrapped with it, and whether it is new."""

    master: str
    keys: int
    made: bool


def forget(
    *,
    tenant: LogOption,
    subject: Annotated[str, Parameter(help="Such as `customer_code:C7`, or `user:ID`.")],
    reason: Annotated[str, Parameter(help="It stays in the log: name nobody in it.")],
) -> Result:
    """Forget what is sealed about a person, for ever.

    Users belong to the tenant `system`.
    """
    kind, colon, value = subject.partition(":")
    if not colon:
        raise Malformed(
            "privacy.bad_subject",
            f"{subject!r} names nobody.",
            hint="Write KIND:VALUE, such as customer_code:C7.",
        )
    given = {"kind": kind, "value": value, "reason": reason}

    async def work(runtime: Runtime) -> Outcome:
        owner = await find_log(runtime, tenant)
        command = build(ForgetSubject, given, runtime.clock)
        return await runtime.bus.execute(command, operator(owner))

    return outcome_shown(with_runtime(work))


def list_all(*, tenant: LogOption) -> Result:
    """List whose personal data is sealed, and who is forgotten; a row for each key.

    The generation counts the keys of a subject: each return after being forgotten is one more.
    Pending is what a projector has yet to do: the rows of these read models may hold the name.
    """

    async def work(runtime: Runtime) -> list[Forgettable]:
        owner = await find_log(runtime, tenant)
        found: list[Forgettable] = []
        last = ("", -1)
        names = consumer_names()[owner == SYSTEM_TENANT]
        while page := await list_subjects(runtime.pool, owner, last, PAGE, consumers=names):
            found += page
            last = (page[-1].subject, page[-1].generation)
        return found

    found = with_runtime(work)
    rows = [
        (
            each.subject,
            each.generation,
            moment(each.created_at),
            moment(each.forgotten_at),
            moment(each.destroyed_at),
            ", ".join(each.pending),
        )
        for each in found
    ]
    columns = ("SUBJECT", "GENERATION", "SINCE", "FORGOTTEN", "KEY DESTROYED", "PENDING")
    return Result(document=found, people=(Table(columns, rows),))


def rotate() -> Result:
    """Wrap the keys of all data subjects and of credentials with a new master key.

    No event changes, and no secret is sealed anew.
    Where ASIENTO_MASTER_KEYS is set, put the new key first there; else one is made. Broken off,
    it goes on where it was when it is called again.
    """

    async def work(runtime: Runtime) -> Rotated:
        url = runtime.settings.database_url or ""
        async with held(url, LOCK, seconds_max=0) as mine:
            if not mine:
                raise Conflict(
                    "privacy.rotating",
                    "Another process is changing the master key.",
                    hint="Wait until it is done.",
                )
            keyring, left = runtime.keyring, await _wrap(runtime)
            if left or keyring.file is None:
                return Rotated(master=keyring.current, keys=left, made=False)
            return Rotated(master=keyring.add(), keys=await _wrap(runtime), made=True)

    done = with_runtime(work)
    are = "is" if done.keys == 1 else "are"
    said = [f"{counted(done.keys, 'key')} {are} wrapped by the master key {done.master} now."]
    if done.made:
        said.append("Keep the former one as long as you keep backups from before.")
    elif done.keys:
        said.append("What was left from before is done; no new master key was made.")
    return Result(document=done, people=(*said,))


async def _wrap(runtime: Runtime) -> int:
    """Wrap the keys of data subjects, then those that seal credentials."""
    settings, pool, keyring = runtime.settings, runtime.pool, runtime.keyring
    with progress() as bars:
        bar = bars.add_task("rotate", total=None, said="")
        keys = await wrap_again(pool, keyring, lambda done: bars.update(bar, completed=done))
        async with open_wrapping(settings, pool, keyring) as wrapping:
            more = await wrap_keys_again(
                pool, wrapping, lambda done: bars.update(bar, completed=keys + done)
            )
    # What a transit engine wraps is none of a master key's.
    return keys if settings.transit_key else keys + more

"""Standing: whether those who were let in for long are still who they were, and still may.

A key that was revoked, has expired or may something else than before holds no longer; nor does a
token that has run out, or whose owner lost a role, or whose session was ended. Keys are looked up
together, and so are sessions.
"""

import random
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from adapters.access.door import Admission, door_of
from adapters.access.keys import HeldKey, find_keys
from adapters.access.rights import Rights, Who
from adapters.runtime import Runtime
from domain.access import KeyId

PEOPLE_MAX: Final = 100


async def fallen(runtime: Runtime, admitted: Collection[Admission]) -> list[Admission]:
    """Name those that hold no longer.

    Raises:
        Unavailable: PostgreSQL is away; nobody knows.

    """
    now = runtime.clock.now()
    keys = await find_keys(runtime, {each.key for each in admitted if each.key})
    people = await _rights(runtime, {_person(each) for each in admitted if not each.key})
    sessions = {each.session for each in admitted if each.session}
    ended = sessions - await door_of(runtime).sessions.going_on(sessions)
    return [
        each for each in admitted if each.session in ended or not _holds(each, keys, people, now)
    ]


def _holds(
    each: Admission,
    keys: Mapping[KeyId, HeldKey],
    people: Mapping[Who, Rights | None],
    now: datetime,
) -> bool:
    if each.key is not None:
        key = keys.get(each.key)
        if key is None or each.secret is None or not key.is_open(each.secret, now):
            return False
        return key.permissions == each.context.permissions
    rights = Rights(each.context.permissions, each.context.branches)
    same = people.get(_person(each), rights) == rights
    return same and each.until is not None and each.until > now


def _person(each: Admission) -> Who:
    assert each.user is not None, "Who shows no key is a person."
    return each.context.tenant, each.user


async def _rights(runtime: Runtime, people: Collection[Who]) -> dict[Who, Rights | None]:
    """Tell what people may do for tenants now; of many, some are looked at each time."""
    some = random.sample(sorted(people), min(len(people), PEOPLE_MAX))
    door = door_of(runtime)
    return {each: await door.rights(*each) for each in some}

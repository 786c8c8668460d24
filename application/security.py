"""The security log as readers see it: what was noted at the door, and who was given what.

Grants are facts of their own, and not noted a second time. They are found by whom they are about.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, get_args

import msgspec
from msgspec import Meta, Struct

from application.codec import stored_names
from application.kernel import Exposed
from application.ports import StoredEvent
from domain.access import KeyEvent, KeyUsed, MemberEvent, NoteSecurity, RoleEvent, SecurityEvent
from domain.access.invitations import InvitationEvent
from domain.access.services import ServiceAccountEvent
from domain.kernel import Event

COMMANDS = (
    # Whatever a company decided about itself, what happens at its door is noted.
    Exposed(command=NoteSecurity, permission="access.security.note", always=True),
)


def _names(union: object) -> tuple[str, ...]:
    events: tuple[type[Event], ...] = get_args(union)
    return stored_names(events)


NOTED: Final = _names(SecurityEvent)
GRANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "role": _names(RoleEvent),
    "user": _names(MemberEvent),
    "invitation": _names(InvitationEvent),
    "service_account": _names(ServiceAccountEvent),
}
"""What is in the log of a company, by the name of the tag that all of them have."""

KEYS: Final = (*_names(KeyEvent), KeyUsed.__name__)
"""What is in the log of the instance, with the tag of the company."""

KINDS: Final = frozenset((*NOTED, *(name for names in GRANTS.values() for name in names), *KEYS))

DETAILS: Final = (
    *("by", "session", "new_place", "factor", "action", "seconds", "why", "permission", "kind"),
    *("times", "account", "role", "name", "roles", "permissions", "email", "invitation"),
    *("service_account", "networks", "expires_at", "former_until"),
)
"""What is told of an entry beside who it was and from where. Nothing that was secret is here."""


class SecurityEntry(Struct, frozen=True, kw_only=True):
    """Something that happened at the door, or a right that was given or taken."""

    cursor: str
    position: Annotated[int, Meta(description="In the log that it is in.")]
    kind: Annotated[str, Meta(description="Such as LoggedIn, LoginFailed or MemberRolesChanged.")]
    at: datetime
    actor: Annotated[str, Meta(description="`user:…`, `key:…`, `cli:…` or `system`.")]
    user: Annotated[str | None, Meta(description="Whom it is about.")]
    key: Annotated[str | None, Meta(description="The API key that it is about.")]
    address: Annotated[
        str | None, Meta(description="Of whoever called; where nobody is known, its network.")
    ]
    agent: Annotated[str | None, Meta(description="What the program called itself.")]
    details: Annotated[dict[str, Any], Meta(description="What else is known.")]  # Any: JSON.


def entry_of(stored: StoredEvent, cursor: str) -> SecurityEntry:
    """Say what an event tells, that was opened before."""
    data: dict[str, Any] = msgspec.json.decode(stored.data)  # Any: JSON.
    return SecurityEntry(
        cursor=cursor,
        position=stored.position,
        kind=stored.type,
        at=stored.recorded_at,
        actor=stored.actor,
        user=data.get("user"),
        key=data.get("key"),
        address=data.get("address") or data.get("network"),
        agent=data.get("agent"),
        details={name: data[name] for name in DETAILS if data.get(name) is not None},
    )

"""The security log: who came in, who stayed outside, and who was refused what.

Where a person called from, and with which program, is personal and sealed by that person's key.
Of who is nobody here no more is kept than a network, and what stands for the address that was
tried. Nothing in it is decided: what was seen is noted.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, NewType, TypeAlias

from msgspec import Meta

from domain.access.people import EmailDigest, KeyId, UserId
from domain.ids import TenantId
from domain.kernel import Boundary, Command, Event, Key, Personal, Subject

SessionId = NewType("SessionId", str)
Network = NewType("Network", str)
"""Many addresses that are one place to us, such as ``192.0.2.0/24`` or ``2001:db8::/48``."""

SECURITY: Final = "log:security"
"""The tag of all that is here, by which one look brings the latest of it."""

COMMON: Final = frozenset({SECURITY})
Times: TypeAlias = Annotated[int, Meta(ge=1, description="How often within the hour so far.")]
Ending: TypeAlias = Literal["logout", "ended", "password", "reused", "removed"]
"""By whom or what a session ended: its own end, another session, or what else happened."""


class LoggedIn(Event):
    """Somebody opened a session, by a password, a passkey or what else proves who it is."""

    common_tags = COMMON

    user: Key[Subject[UserId]]
    session: Key[SessionId] | None = None
    by: str = "password"
    new_place: bool = False  # Nobody logged in as this person from there within 90 days.
    address: Personal[str] | None = None
    agent: Personal[str] | None = None


class LoginFailed(Event):
    """Somebody tried, and did not prove to be this person. No user: there is no such account."""

    common_tags = COMMON

    user: Key[Subject[UserId]] | None = None
    account: EmailDigest | None = None
    network: Network | None = None
    times: Times = 1
    address: Personal[str] | None = None
    agent: Personal[str] | None = None


class FactorFailed(Event):
    """The password was right, and what was asked for beside it was not."""

    common_tags = COMMON

    user: Key[Subject[UserId]]
    factor: str
    times: Times = 1
    address: Personal[str] | None = None
    agent: Personal[str] | None = None


class LockedOut(Event):
    """Somebody who had failed too often tried again before the time was up."""

    common_tags = COMMON

    action: str  # Such as login.
    seconds: int
    user: Key[Subject[UserId]] | None = None
    account: EmailDigest | None = None
    network: Network | None = None
    times: Times = 1
    address: Personal[str] | None = None
    agent: Personal[str] | None = None


class SessionEnded(Event):
    """A session ended; where none is named, all of that person, or all but the one that asked."""

    common_tags = COMMON

    user: Key[Subject[UserId]]
    why: Ending
    session: Key[SessionId] | None = None
    address: Personal[str] | None = None
    agent: Personal[str] | None = None


class RefreshReused(Event):
    """A refresh token came a second time: somebody has a copy. The session ended for both."""

    common_tags = COMMON

    user: Key[Subject[UserId]]
    session: Key[SessionId]
    address: Personal[str] | None = None
    agent: Personal[str] | None = None


class AccessRefused(Event):
    """Somebody who is known asked for what they may not do (403)."""

    common_tags = COMMON

    permission: str
    user: Key[Subject[UserId]] | None = None
    key: Key[KeyId] | None = None
    network: Network | None = None
    times: Times = 1
    address: Personal[str] | None = None
    agent: Personal[str] | None = None


class KeyUsed(Event):
    """A key came for the first time of a day from this network.

    It stands where all is that keys are about: in the log of the instance, by the company's tag.
    """

    key: Key[KeyId]
    tenant: Key[TenantId]
    network: Network | None = None


class EntriesLeftOut(Event):
    """There were more of one kind within an hour than this log shall hold."""

    common_tags = COMMON

    kind: str
    times: Times


SecurityEvent: TypeAlias = (
    LoggedIn
    | LoginFailed
    | FactorFailed
    | LockedOut
    | SessionEnded
    | RefreshReused
    | AccessRefused
    | KeyUsed
    | EntriesLeftOut
)


class NoteSecurity(Command):
    """Note what was seen at the door."""

    entry: SecurityEvent

    def boundary(self) -> tuple[Boundary[Any], ...]:  # Any: it depends on nothing.
        return ()

    def decide(self) -> Iterator[SecurityEvent]:
        yield self.entry

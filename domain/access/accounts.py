"""Accounts: whose an address is, and the password by which a person is known.

Of a password a hash is kept, sealed by the person's key: whoever is forgotten is known by none.
"""

from collections.abc import Iterator
from typing import TypeAlias

from msgspec.structs import replace

from domain.access.people import UserEnrolled, UserId
from domain.ids import TenantId
from domain.kernel import (
    FORGOTTEN,
    Boundary,
    Command,
    Event,
    Key,
    Personal,
    Refused,
    State,
    Subject,
)


class PasswordChanged(Event):
    """A person is known by another password from here on."""

    user: Key[Subject[UserId]]
    password_hash: Personal[str]


class PasswordRehashed(Event):
    """The same password, hashed as hashes are made today. Nobody is logged out by it."""

    user: Key[Subject[UserId]]
    password_hash: Personal[str]


PasswordEvent: TypeAlias = PasswordChanged | PasswordRehashed
AccountEvent: TypeAlias = UserEnrolled | PasswordEvent


class Account(State):
    """A person who may log in, and the tenant for which they were enrolled.

    Attributes:
        changes: How often the password was changed.

    """

    email: Personal[str] = ""
    password_hash: Personal[str] = ""
    tenant: TenantId | None = None
    changes: int = 0

    @property
    def is_open(self) -> bool:
        """Whether somebody is there who was not forgotten."""
        return self.tenant is not None and self.email is not FORGOTTEN

    def evolve(self, event: AccountEvent) -> "Account":
        match event:
            case UserEnrolled():
                return Account(
                    email=event.email, password_hash=event.password_hash, tenant=event.tenant
                )
            case PasswordChanged(password_hash=kept):
                return replace(self, password_hash=kept, changes=self.changes + 1)
            case PasswordRehashed(password_hash=kept):
                return replace(self, password_hash=kept)


class ChangePassword(Command):
    """Have a person be known by another password.

    Attributes:
        instead_of: The hash of the one that was shown; None: none was, as somebody else vouches.

    """

    user: UserId
    password_hash: str
    instead_of: str | None = None

    def boundary(self) -> tuple[Boundary[Account]]:
        return (Account.at(user=self.user),)

    def decide(self, account: Account) -> Iterator[PasswordEvent]:
        if not account.is_open:
            raise Refused(
                "access.user_absent", f"There is no account {self.user}.", hint="List the members."
            )
        if self.instead_of not in {None, account.password_hash}:
            raise Refused(
                "access.password_changed",
                "The password was changed meanwhile.",
                hint="Log in with the new one.",
            )
        yield PasswordChanged(user=self.user, password_hash=self.password_hash)


class RehashPassword(Command):
    """Keep another hash of the same password. Where it was changed meanwhile, nothing happens."""

    user: UserId
    password_hash: str
    instead_of: str

    def boundary(self) -> tuple[Boundary[Account]]:
        return (Account.at(user=self.user),)

    def decide(self, account: Account) -> Iterator[PasswordEvent]:
        if account.is_open and account.password_hash == self.instead_of:
            yield PasswordRehashed(user=self.user, password_hash=self.password_hash)

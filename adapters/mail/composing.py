"""What an event of the log has to say by letter, if it still has: to whom, and in which language.

Read as it is when the letter goes out: what was withdrawn, used or is over meanwhile needs none.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final, TypeAlias

from adapters.accounts.links import Links, invitation_name
from adapters.mail.writing import Kind, Language, language_of, write
from adapters.runtime import Runtime
from application.mail import Letter
from domain.access import (
    Account,
    EmailClaim,
    EmailVerificationAsked,
    Invitation,
    InvitationId,
    InvitationResent,
    MemberInvited,
    PasswordForgotten,
    UserId,
    VerificationLink,
)
from domain.ids import SYSTEM_TENANT, TenantId
from domain.profiles import Profile
from domain.tenants import Tenant

OfTenant: TypeAlias = MemberInvited | InvitationResent
OfSystem: TypeAlias = EmailVerificationAsked | PasswordForgotten
LetterEvent: TypeAlias = OfTenant | OfSystem
ID_LENGTH: Final = 32


class Composer:
    """Composes the letters of an instance."""

    def __init__(self, runtime: Runtime) -> None:
        self._bus = runtime.bus
        self._clock = runtime.clock
        self._links = Links(runtime.settings)

    async def compose(self, tenant: TenantId, position: int, event: LetterEvent) -> Letter | None:
        """Write the letter of the event at a position; None: none is needed.

        Raises:
            Unavailable: PostgreSQL or the keys can't be reached.

        """
        name = _name(tenant, position)
        match event:
            case MemberInvited() | InvitationResent():
                return await self._invitation(name, tenant, event.invitation)
            case EmailVerificationAsked():
                return await self._verification(name, event)
            case PasswordForgotten():
                return await self._password(name, event)

    async def _invitation(
        self, name: str, tenant: TenantId, invitation: InvitationId
    ) -> Letter | None:
        found = await self._bus.fold(tenant, Invitation.at(invitation=invitation))
        if not found.is_good(self._clock.now()):
            return None
        assert found.expires_at is not None, "It is good until then."
        about = await self._bus.fold(SYSTEM_TENANT, Tenant.at(tenant=tenant))
        link = self._links.url("invitation", invitation_name(tenant, invitation))
        language = await self._language(tenant)
        subject, text = write(
            "invitation", language, link=link, until=found.expires_at, company=about.name
        )
        return Letter(id=name, to=found.email, subject=subject, text=text)

    async def _verification(self, name: str, event: EmailVerificationAsked) -> Letter | None:
        link = await self._bus.fold(SYSTEM_TENANT, VerificationLink.at(link=event.link))
        if link.used:
            return None
        return await self._for_person(name, "email", event.link, event.user, event.expires_at)

    async def _password(self, name: str, event: PasswordForgotten) -> Letter | None:
        """Whoever asked is told nothing of whether there is an account; its mailbox is."""
        claim = await self._bus.fold(SYSTEM_TENANT, EmailClaim.at(email_digest=event.email_digest))
        if claim.user is None:
            return None
        return await self._for_person(name, "password", event.link, claim.user, event.expires_at)

    async def _for_person(
        self, name: str, kind: Kind, link: str, user: UserId, until: datetime
    ) -> Letter | None:
        account = await self._bus.fold(SYSTEM_TENANT, Account.at(user=user))
        if not account.is_open or account.tenant is None or self._clock.now() > until:
            return None
        language = await self._language(account.tenant)
        subject, text = write(kind, language, link=self._links.url(kind, link), until=until)
        return Letter(id=name, to=account.email, subject=subject, text=text)

    async def _language(self, tenant: TenantId) -> Language:
        return language_of((await self._bus.fold(tenant, Profile.own())).locale)


def _name(tenant: TenantId, position: int) -> str:
    """Name a letter by its event, so that it has the same name whoever sends it again."""
    return sha256(f"{tenant}\x1f{position}".encode()).hexdigest()[:ID_LENGTH]

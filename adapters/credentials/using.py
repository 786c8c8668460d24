"""Opening a secret: the log says who does it and for what, and then it is opened.

What can't be noted is not opened: in closed books, or for who may not use credentials.
"""

from typing import Final

from adapters.credentials.safe import Place, PostgresSafe, Secret
from application.bus import Bus
from application.credentials import Opened
from application.errors import NotFound
from application.kernel import Context, SystemClock, build, exposed_commands
from domain.credentials import Credential, CredentialName, UseCredential, check
from domain.kernel import Refused

ROTATED: Final = "credentials.rotated"


class User:
    """Opens secrets on behalf of others."""

    def __init__(self, bus: Bus, safe: PostgresSafe, clock: SystemClock) -> None:
        self._bus = bus
        self._safe = safe
        self._clock = clock

    async def current(self, context: Context, name: CredentialName) -> Credential:
        """Return the version that is good now.

        Raises:
            Forbidden: The caller may not use credentials.
            Refused: There is none.

        """
        exposed_commands()[UseCredential].check(context)
        credential = await self._bus.fold(context.tenant, Credential.at(credential=name))
        check(credential, name)
        return credential

    async def open(self, context: Context, name: CredentialName, *, purpose: str) -> Opened:
        """Open a secret for a purpose.

        Raises:
            Forbidden: The caller may not use credentials.
            Refused: There is no such credential.
            NotFound: Its secret is not here.
            Unavailable: It can't be noted or opened now.

        """
        credential, secret = await self.open_for(context, name, purpose)
        return Opened(version=credential.version, kind=credential.kind, text=secret.text)

    async def open_for(
        self, context: Context, name: CredentialName, purpose: str
    ) -> tuple[Credential, Secret]:
        """As ``open``, for whoever renews what was opened."""
        for last in (False, False, True):
            credential = await self.current(context, name)
            given = {"credential": name, "version": credential.version, "purpose": purpose}
            try:
                await self._bus.execute(build(UseCredential, given, self._clock), context)
            except Refused as error:
                if last or error.code != ROTATED:
                    raise
                continue
            place = Place(context.tenant, name, credential.secret_id)
            try:
                return credential, await self._safe.open(place)
            except NotFound:
                now = await self.current(context, name)
                if last or now.version == credential.version:
                    raise
        raise AssertionError("The last try returns or raises.")

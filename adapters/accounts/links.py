"""Links of letters: an id, and a proof that we made it, derived from the secret of the instance.

So the proof is in no event, no job and no log: whoever sends the letter derives it from the id,
and so does whoever is shown the link. A proof is for one purpose, and opens nothing else. What is
over, used or withdrawn is a fact of the log.
"""

import hmac
from base64 import urlsafe_b64encode
from typing import Final, Literal, TypeAlias

from adapters.access.secret import keys_for
from adapters.settings import Settings
from application.errors import Malformed
from domain.access import InvitationId
from domain.ids import TenantId

Purpose: TypeAlias = Literal["invitation", "email", "password"]
KEYS: Final = "one-time link 1"
LENGTH_MAX: Final = 300


class Links:
    """Makes and reads the tokens of links."""

    def __init__(self, settings: Settings) -> None:
        self._keys = keys_for(settings, KEYS)
        self._start = settings.public_url or f"http://{settings.asiento_host}:{settings.port}"

    def url(self, purpose: Purpose, name: str) -> str:
        """Write a link. What opens it stands where no browser sends it to a server by itself."""
        return f"{self._start.rstrip('/')}/{purpose}#token={self.token(purpose, name)}"

    def token(self, purpose: Purpose, name: str) -> str:
        """Make what shows that we made the link of that name."""
        return f"{name}.{_proof(self._keys[0], purpose, name)}"

    def read(self, purpose: Purpose, token: str) -> str:
        """Name the link of a token.

        Raises:
            Malformed: We did not make it, or not for this.

        """
        name, _, shown = token.rpartition(".")
        proofs = [_proof(key, purpose, name) for key in self._keys]
        given = shown.encode(errors="replace")
        same = [hmac.compare_digest(each.encode(), given) for each in proofs]
        if len(token) > LENGTH_MAX or not any(same):
            raise Malformed(
                "access.link_invalid",
                "This link is none of ours, or not for this.",
                hint="Copy the whole link of the letter, or ask for a new one.",
            )
        return name


def invitation_name(tenant: TenantId, invitation: InvitationId) -> str:
    """Name the link of an invitation, which says whose it is."""
    return f"{tenant}.{invitation}"


def read_invitation(name: str) -> tuple[TenantId, InvitationId]:
    """Take apart the name of a link of ours."""
    tenant, _, invitation = name.partition(".")
    return TenantId(tenant), InvitationId(invitation)


def _proof(key: bytes, purpose: Purpose, name: str) -> str:
    about = f"{purpose}\x1f{name}".encode(errors="replace")
    return urlsafe_b64encode(hmac.digest(key, about, "sha256")).rstrip(b"=").decode()

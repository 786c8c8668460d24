"""Privacy as the world may call it: what is sealed about a person is forgotten for ever."""

from msgspec.structs import replace

from application.kernel import Exposed
from application.vault import Vault
from domain.ids import TenantId
from domain.privacy import ForgetSubject


async def _with_generation(vault: Vault, tenant: TenantId, command: ForgetSubject) -> ForgetSubject:
    """Find out whether anything was ever sealed about the subject, and with which key last."""
    return replace(command, last_generation=await vault.last_generation(tenant, command.subject))


COMMANDS = (
    Exposed(
        command=ForgetSubject,
        permission="privacy.subject.forget",
        route="POST /privacy/forgotten",
        find=_with_generation,
    ),
)

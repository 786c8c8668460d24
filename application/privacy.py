"""Privacy as the world may call it: what is sealed about a person is forgotten for ever."""

from msgspec.structs import replace

from application.kernel import Exposed, Looking
from domain.privacy import ForgetSubject


async def _with_generation(looking: Looking, command: ForgetSubject) -> ForgetSubject:
    """Find out whether anything was ever sealed about the subject, and with which key last."""
    last = await looking.vault.last_generation(looking.tenant, command.subject)
    return replace(command, last_generation=last)


COMMANDS = (
    Exposed(
        command=ForgetSubject,
        permission="privacy.subject.forget",
        route="POST /privacy/forgotten",
        find=_with_generation,
    ),
)

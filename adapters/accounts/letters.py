"""Letters that one person has sent to another: so many an hour to an address, and from a network.

Whoever may invite could otherwise fill the mailbox of a stranger.
"""

from adapters.runtime import Runtime
from adapters.security.limits import attempt
from adapters.security.places import caller
from application.kernel import Context, exposed_commands
from domain.access import Invitation, InviteMember, ResendInvitation
from domain.kernel import Command


async def check_letters(runtime: Runtime, command: Command, context: Context) -> None:
    """Count the letter that a command has sent; most have none.

    Raises:
        Forbidden: The caller may not have one sent; it is not counted.
        TooMany: There were too many to this address, or from where the caller is.
        Unavailable: Redis is away.

    """
    if not isinstance(command, InviteMember | ResendInvitation):
        return
    exposed_commands()[type(command)].check(context)
    email: str
    if isinstance(command, InviteMember):
        email = command.email
    else:
        boundary = Invitation.at(invitation=command.invitation)
        email = (await runtime.bus.fold(context.tenant, boundary)).email
    if email:
        await attempt(runtime, "invitation", email, caller())

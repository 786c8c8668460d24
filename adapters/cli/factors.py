"""`asiento user reset-factors`: for who has lost the phone, the passkeys and the recovery codes."""

from typing import Annotated

from cyclopts import Parameter

from adapters.cli.derived import outcome_shown
from adapters.cli.output import Result
from adapters.cli.session import operator, with_runtime
from adapters.cli.users import user_of
from adapters.runtime import Runtime
from application.kernel import Outcome, build
from domain.access import ResetFactors
from domain.ids import SYSTEM_TENANT


def reset(
    email: str,
    /,
    *,
    reason: Annotated[str, Parameter(help="It stays in the log: name nobody in it.")],
) -> Result:
    """Take all second factors from a person, who gets in by the password alone after that.

    Make sure first that it is the person who asks.
    """

    async def work(runtime: Runtime) -> Outcome:
        given = {"user": await user_of(runtime, email), "reason": reason}
        command = build(ResetFactors, given, runtime.clock)
        return await runtime.bus.execute(command, operator(SYSTEM_TENANT))

    return outcome_shown(with_runtime(work))

"""What operators may: which companies there are, and to look at one that lets support look."""

from adapters.runtime import Runtime
from application.access import ACROSS
from application.operators import MAY
from application.roles import AUDITOR, standard_roles
from domain.access import UserId
from domain.ids import SYSTEM_TENANT, TenantId
from domain.operators import OperatorId, Operators, Support
from projections.kernel import readable


async def rights_of_operator(
    runtime: Runtime, tenant: TenantId, user: UserId
) -> frozenset[str] | None:
    """Tell what a person may by being an operator; None: nothing, as it is none."""
    operators = await runtime.bus.fold(SYSTEM_TENANT, Operators.all())
    if OperatorId(user) not in operators.people:
        return None
    if tenant == SYSTEM_TENANT:
        return MAY
    support = await runtime.bus.fold(tenant, Support.own())
    if support.until <= runtime.clock.now():
        return None
    return frozenset({*standard_roles(readable())[AUDITOR], ACROSS})

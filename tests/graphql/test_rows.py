"""The queries under every surface: what they refuse, and whose rows of the system they show."""

import pytest

from adapters.postgres.models.moments import row_as_of
from adapters.postgres.models.queries import count_rows, get_row, list_rows
from adapters.runtime import Runtime
from application.errors import Malformed
from application.kernel import Context
from domain.ids import SYSTEM_TENANT
from projections.access import ApiKeyRow, ApiKeys
from projections.invoices import Invoices
from projections.tenants import Tenants
from tests.rest.api import OPERATOR, Tenant, make_tenant


def everything(tenant: Tenant) -> Context:
    return Context(
        tenant=tenant.id, actor="user:x", permissions=frozenset("*"), correlation_id="test"
    )


async def test_what_has_no_index_is_named_in_the_error(runtime: Runtime) -> None:
    with pytest.raises(Malformed) as error:
        await count_rows(runtime.pool, Invoices, OPERATOR, filter={"net": {"gt": 1}})
    assert error.value.code == "query.not_filterable"
    assert error.value.hint.startswith("Filter by invoice, status, kind, number")
    with pytest.raises(Malformed) as error:
        await list_rows(runtime.pool, Invoices, OPERATOR, order_by="-net")
    assert error.value.code == "query.not_orderable"


@pytest.mark.parametrize("comparison", ["like", "contains"])
async def test_a_comparison_fits_its_column(runtime: Runtime, comparison: str) -> None:
    with pytest.raises(Malformed) as error:
        await count_rows(runtime.pool, Invoices, OPERATOR, filter={"due": {comparison: "1"}})
    assert error.value.code == "query.bad_comparison"


async def test_rows_of_the_system_are_shown_to_their_owner_only(runtime: Runtime) -> None:
    one, two = await make_tenant(runtime), await make_tenant(runtime)
    page = await list_rows(runtime.pool, ApiKeys, everything(one))
    assert [row.key for row in page.rows if isinstance(row, ApiKeyRow)] == [one.key_id]
    assert await get_row(runtime.pool, ApiKeys, everything(one), two.key_id) is None
    assert await get_row(runtime.pool, Tenants, everything(one), two.id) is None


async def test_the_past_of_the_system_is_shown_to_its_owner_only(runtime: Runtime) -> None:
    one, two = await make_tenant(runtime), await make_tenant(runtime)
    head = await runtime.store.head(SYSTEM_TENANT)
    for tenant, seen in ((one, True), (two, False)):
        row = await row_as_of(runtime, Tenants, everything(tenant), one.id, head)
        assert (row is not None) is seen


async def test_an_operator_sees_every_tenant(runtime: Runtime) -> None:
    one = await make_tenant(runtime)
    assert await get_row(runtime.pool, Tenants, OPERATOR, one.id) is not None
    assert await count_rows(runtime.pool, Tenants, OPERATOR) > 1

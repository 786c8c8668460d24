"""`projections` tells the owner of a log how far it is folded, and nobody else."""

from adapters.runtime import Runtime
from tests.graphql.client import Client
from tests.rest.api import make_tenant

PROJECTIONS = """
{ projections { name version tenant position head lag status failedPosition error } }
"""


async def test_an_owner_sees_how_far_the_log_is_folded(client: Client) -> None:
    made = await client.draft()
    told = (await client.data(PROJECTIONS))["projections"]
    (invoices,) = [each for each in told if each["name"] == "invoices"]
    assert (invoices["tenant"], invoices["head"]) == (client.tenant.id, made["position"])
    assert invoices["status"] in {"behind", "current"}
    assert (invoices["failedPosition"], invoices["error"]) == (None, None)
    assert {each["tenant"] for each in told} == {client.tenant.id}
    assert {"jobs", "invoices", "import_batches"} <= {each["name"] for each in told}
    assert "users" not in {each["name"] for each in told}


async def test_who_may_not_read_the_log_is_told_nothing(runtime: Runtime, url: str) -> None:
    async with Client(url, await make_tenant(runtime, ("invoicing.invoice.read",))) as reader:
        error = await reader.error(PROJECTIONS)
    assert error["code"] == "access.forbidden"

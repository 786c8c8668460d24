"""Whoever reads some rows alone is shown these and no others, whatever is asked and wherever."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from adapters.access.door import Admission, door_of
from adapters.access.lookups import KEPT_SECONDS
from adapters.access.rights import Rights
from adapters.access.standing import fallen
from adapters.graphql.subscriptions.changes import Changes, Some
from adapters.history import read_history
from adapters.postgres.models.moments import row_as_of
from adapters.postgres.models.sight import limits
from application.errors import Forbidden, NotFound
from application.kernel import Context
from domain.access import AdmitMember, AssignBranches, DefineRole, Email, RoleId, UserId
from domain.ids import BranchId
from projections.invoices import Invoices
from tests.access.shop import (
    ACTORS,
    LIST,
    READ,
    SEE_TAX_ID,
    Made,
    Shop,
    rows_of,
)

NODES = "query ($id: ID!) { node(id: $id) { id } invoice(id: $id) { id } }"
AS_OF = "query ($id: ID!, $at: AsOf!) { invoice(id: $id, asOf: $at) { id } }"
FILTERED = """
{
  invoices(first: 100, filter: {kind: {eq: "invoice"}}) { totalCount nodes { id } }
  found: invoices(first: 100, filter: {search: {words: "ana"}}) { totalCount nodes { id } }
}
"""
BALANCES = """
{ customerBalances(first: 100) { nodes { invoices(first: 100) { totalCount nodes { id } } } } }
"""
GRANTS = [(), (READ,), (f"{READ}@own",), (f"{READ}@branch",), (f"{READ}@own", f"{READ}@branch")]
grants = st.sampled_from(GRANTS)
branches = st.sets(st.sampled_from([BranchId("sol"), BranchId("norte"), BranchId("gone")]))
actors = st.sampled_from([*ACTORS, "user:nobody"])


def expected(shop: Shop, caller: Context) -> set[str]:
    """Say which invoices a caller is to see, by what the scopes mean."""

    def is_seen(each: Made) -> bool:
        own = f"{READ}@own" in caller.permissions and each.actor == caller.actor
        of_branch = f"{READ}@branch" in caller.permissions and each.branch in caller.branches
        mine = own and not each.actor.startswith("job:")
        return READ in caller.permissions or mine or of_branch

    return {each.id for each in shop.made if is_seen(each)}


async def listed(shop: Shop, caller: Context, first: int) -> tuple[list[str], int]:
    """Go through the list of GraphQL a page at a time."""
    found: list[str] = []
    after = None
    while True:
        page = (await shop.ask(caller, LIST, first=first, after=after)).plain["invoices"]
        found += [node["id"] for node in page["nodes"]]
        assert [edge["node"]["id"] for edge in page["edges"]] == [n["id"] for n in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found, page["totalCount"]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@for_all(grants=grants, actor=actors, branches=branches, first=st.sampled_from([7, 100]))
async def test_every_list_shows_exactly_what_the_scopes_say(
    shop: Shop, grants: tuple[str, ...], actor: str, branches: set[BranchId], first: int
) -> None:
    caller = shop.caller(*grants, actor=actor, branches=branches)
    if not grants:
        assert (await shop.get(caller, "/invoices")).status_code == 403
        return
    wanted = expected(shop, caller)
    found, count = await listed(shop, caller, first)
    assert (set(found), len(found), count) == (wanted, len(wanted), len(wanted))
    for each in (await shop.ask(caller, FILTERED)).plain.values():
        assert ({node["id"] for node in each["nodes"]}, each["totalCount"]) == (wanted, len(wanted))
    whole = (await shop.get(caller, "/invoices?first=100")).json()
    assert {each["invoice"] for each in whole["items"]} == wanted
    table = rows_of((await shop.get(caller, "/invoices", "text/csv")).text)
    assert {each["invoice"] for each in table} == wanted
    lines = (await shop.get(caller, "/invoices", "application/x-ndjson")).text.splitlines()
    assert {json.loads(line)["invoice"] for line in lines} == wanted


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@for_all(grants=grants.filter(bool), actor=actors, branches=branches, at=st.integers(0, 23))
async def test_one_row_is_there_where_the_lists_have_it(
    shop: Shop, grants: tuple[str, ...], actor: str, branches: set[BranchId], at: int
) -> None:
    caller = shop.caller(*grants, actor=actor, branches=branches)
    row = shop.made[at].id
    there = row in expected(shop, caller)
    head = await shop.runtime.store.head(shop.tenant)
    found = {"id": row} if there else None
    assert (await shop.ask(caller, NODES, id=row)).plain == {"node": found, "invoice": found}
    assert (await shop.ask(caller, AS_OF, id=row, at=str(head))).plain == {"invoice": found}
    absent = await shop.get(caller, "/invoices/absent")
    for query in ("", f"?as_of={head}"):
        one = await shop.get(caller, f"/invoices/{row}{query}")
        assert one.status_code == (200 if there else 404)
        if not there and not query:
            assert one.json() == {**absent.json(), "detail": one.json()["detail"]}
            assert one.json()["detail"] == absent.json()["detail"].replace("absent", row)
    told = await history(shop, caller, row)
    assert bool(told) == there


async def history(shop: Shop, caller: Context, row: str) -> int:
    try:
        return len((await read_history(shop.runtime, caller, "Invoice", row)).entries)
    except NotFound:
        return 0


async def test_lists_are_compiled_for_who_sees_some_rows_alone(shop: Shop) -> None:
    """One plan serves two people, and mixes up neither the people nor their branches."""
    for actor, branch in (("user:ana", "sol"), ("user:luis", "norte"), ("user:ana", "norte")):
        caller = shop.caller(
            f"{READ}@own", f"{READ}@branch", SEE_TAX_ID, actor=actor, branches=[BranchId(branch)]
        )
        told = await shop.compiled(caller, LIST, first=100)
        assert {node["id"] for node in told["invoices"]["nodes"]} == expected(shop, caller)


async def test_a_list_that_goes_by_no_scope_says_so(shop: Shop) -> None:
    caller = shop.caller(f"{READ}@own")
    told = await shop.ask(caller, BALANCES)
    (error,) = told.errors.values()
    assert "invoicing.invoice.read@own is held" in error
    answer = await shop.get(caller, "/vat-book")
    assert answer.status_code == 403
    assert "who made a row" in answer.json()["hint"]


async def test_what_is_nested_is_narrowed_too(shop: Shop) -> None:
    """A row of another model leads to the rows that its reader sees."""
    caller = shop.caller(f"{READ}@own", "imports.batch.read", actor="user:luis")
    query = "{ invoices(first: 100) { nodes { id account { id } } } }"
    told = await shop.ask(caller, query)
    assert all("invoicing.invoice.read@own is held" in error for error in told.errors.values())


async def test_a_row_is_told_as_changed_to_those_who_see_it(shop: Shop) -> None:
    heard = {}
    for actor in ("user:ana", "user:luis"):
        caller = shop.caller(f"{READ}@own", actor=actor)
        some = Some(ids=None, filter=None, within=limits(Invoices, caller))
        feed = Changes(shop.asking(caller), Invoices, some, 0)
        heard[feed.key] = actor
        told: set[str] = set()
        async with aclosing(feed.follow(0)) as coming:
            async for each in coming:
                if each.value is None:
                    break
                assert not each.value.gone
                told |= {*each.value.ids}
        assert told == expected(shop, caller)
    assert len(heard) == 2


async def test_who_lacks_it_altogether_is_refused(shop: Shop) -> None:
    caller = shop.caller("jobs.job.read@own")
    with pytest.raises(Forbidden, match=READ):
        limits(Invoices, caller)
    with pytest.raises(Forbidden, match=READ):
        await row_as_of(shop.runtime, Invoices, caller, shop.made[0].id, 1)


async def test_the_door_knows_the_branches_of_a_person(shop: Shop) -> None:
    """They hold where something goes by them, and whoever listens is out when they change."""
    runtime, sol, norte = shop.runtime, BranchId("sol"), BranchId("norte")
    user, role = UserId(str(uuid4())), RoleId(str(uuid4()))
    await shop.do(DefineRole(role=role, name="Seller", permissions=(f"{READ}@branch",)))
    await shop.do(AdmitMember(user=user, email=Email("eva@example.org"), roles=(role,)))
    await shop.do(AssignBranches(user=user, branches=(sol,)))
    door = door_of(runtime)
    rights = await door.rights(shop.tenant, user)
    assert rights == Rights(frozenset({f"{READ}@branch"}), frozenset({sol}))
    caller = shop.caller(*rights.permissions, actor=f"user:{user}", branches=rights.branches)
    admission = Admission(context=caller, user=user, until=datetime.max.replace(tzinfo=UTC))
    assert await fallen(runtime, [admission]) == []
    await shop.do(AssignBranches(user=user, branches=(norte,)))
    await asyncio.sleep(KEPT_SECONDS)
    assert await fallen(runtime, [admission]) == [admission]

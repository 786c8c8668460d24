"""A key spends what it has, and waits for more; others are not held up."""

import asyncio
import time

from redis.asyncio import Redis

from adapters.redis.budget import Budget, Left
from adapters.runtime import Runtime
from application.kernel import Context, new_id
from domain.ids import TenantId
from tests.graphql.client import Client
from tests.graphql.served import served

COSTLY = "{ invoices(first: 100) { nodes { id } } }"  # 102.


def someone(runtime: Runtime) -> Context:
    tenant = TenantId(new_id(runtime.clock.now()))
    return Context(tenant=tenant, actor="key:x", permissions=frozenset(), correlation_id="test")


async def spent(budget: Budget, who: Context, cost: int, times: int, **of: int) -> int:
    """Count how often *who* could spend *cost*."""
    took = [await budget.spend(who, cost, **of) for _ in range(times)]
    return sum(isinstance(each, Left) and not each.wait_seconds for each in took)


async def test_a_bucket_gives_what_it_holds_and_then_what_runs_in(runtime: Runtime) -> None:
    budget, who = Budget(runtime.redis, "test"), someone(runtime)
    began = time.monotonic()
    assert await spent(budget, who, 10, 120, rate=100, full=1_000) >= 100
    passed = time.monotonic() - began
    refused = await budget.spend(who, 900, rate=100, full=1_000)
    assert refused is not None
    assert 1 <= refused.wait_seconds <= 10
    await asyncio.sleep(1.0)
    more = await spent(budget, who, 10, 120, rate=100, full=1_000)
    assert 9 <= more <= 11 + passed * 10


async def test_several_processes_share_a_bucket(runtime: Runtime) -> None:
    who = someone(runtime)
    processes = [Budget(runtime.redis, "test") for _ in range(4)]
    began = time.monotonic()
    took = await asyncio.gather(
        *(spent(each, who, 10, 100, rate=100, full=1_000) for each in processes)
    )
    passed = time.monotonic() - began
    assert sum(took) <= 100 + passed * 10 + 1
    assert sum(took) >= 85  # What one took ahead and did not need is another's loss.


async def test_those_who_ask_at_once_are_served_from_one_look(runtime: Runtime) -> None:
    budget, who = Budget(runtime.redis, "test"), someone(runtime)
    took = await asyncio.gather(
        *(budget.spend(who, 10, rate=10_000, full=100_000) for _ in range(200))
    )
    assert all(each is not None and not each.wait_seconds for each in took)
    rest = [each.remaining for each in took if each]
    assert max(rest) == 100_000 - 10
    assert min(rest) == 100_000 - 2_000


async def test_another_key_has_a_bucket_of_its_own(runtime: Runtime) -> None:
    budget, one, other = Budget(runtime.redis, "test"), someone(runtime), someone(runtime)
    await spent(budget, one, 100, 20, rate=1, full=1_000)
    assert await spent(budget, other, 100, 10, rate=1, full=1_000) == 10


async def test_without_redis_everyone_goes_on_and_is_not_held_up() -> None:
    gone: Redis = Redis.from_url("redis://127.0.0.1:1/0")
    budget = Budget(gone, "test")
    who = Context(
        tenant=TenantId("t"), actor="key:x", permissions=frozenset(), correlation_id="test"
    )
    began = time.monotonic()
    assert [await budget.spend(who, 10, rate=1, full=10) for _ in range(100)] == [None] * 100
    assert time.monotonic() - began < 1
    await gone.aclose()


async def test_who_has_nothing_left_is_told_when_to_come_back(
    runtime: Runtime, client: Client, other: Client
) -> None:
    of = {"graphql_budget_per_second": 10, "graphql_cost_max": 250}
    async with served(runtime, client.tenant, **of) as eager:
        answers = [await eager.http.post(eager.url, json={"query": COSTLY}) for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 429, 429]
        told = answers[2].json()
        assert told["errors"][0]["extensions"]["code"] == "graphql.budget_spent"
        assert told["extensions"]["cost"] == {"requested": 102, "limit": 250, "remaining": 46}
        assert int(answers[2].headers["retry-after"]) in {5, 6}
        assert (await eager.http.post(eager.url, json={"query": "{ __typename }"})).is_success
    async with served(runtime, other.tenant, **of) as patient:
        assert (await patient.ask(COSTLY))["extensions"]["cost"]["remaining"] == 148


async def test_a_subscription_is_paid_for_when_it_begins(runtime: Runtime, client: Client) -> None:
    of = {"graphql_budget_per_second": 1, "graphql_cost_max": 10}
    body = {"query": 'subscription { jobProgress(job: "x") { cursor status done total } }'}
    accept = {"Accept": "text/event-stream"}
    async with served(runtime, client.tenant, **of) as poor:
        told = [(await poor.http.post(poor.url, json=body, headers=accept)).text for _ in range(3)]
    assert ["graphql.budget_spent" in each for each in told] == [False, False, True]


async def test_a_budget_may_be_without_bounds(runtime: Runtime, client: Client) -> None:
    async with served(runtime, client.tenant, graphql_budget_per_second=0) as rich:
        told = await rich.ask(COSTLY)
    assert told["extensions"]["cost"] == {"requested": 102, "limit": 200_000}

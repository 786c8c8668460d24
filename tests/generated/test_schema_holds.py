"""What a stranger's tool makes of our GraphQL schema is answered, or refused by a code of ours."""

import asyncio
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from schemathesis.graphql import nodes

from adapters.access.owners import owner_permissions
from adapters.runtime import Runtime
from adapters.settings import Settings
from application.access import READ_SCHEMA
from tests.rest.api import make_tenant, url_of

EXAMPLES = int(os.environ.get("GRAPHQL_EXAMPLES", "120"))
FAILED = "graphql.failed"
LIMITS = {"owner": owner_permissions(), "reader": ("invoicing.invoice.read", READ_SCHEMA)}
DATES = ["2026-01-31", "2026-02-30", ""]
MOMENTS = ["2026-01-31T12:00:00Z", "2026-01-31", "yesterday"]
SCALARS = {
    "Decimal": strategies.decimals(-(10**6), 10**6, places=2).map(str).map(nodes.String),
    "Long": strategies.integers(-(2**60), 2**60).map(nodes.Int),
    "Position": strategies.integers(-1, 10**6).map(str).map(nodes.String),
    "AsOf": strategies.sampled_from(["0", "1", *MOMENTS]).map(nodes.String),
    "Date": strategies.sampled_from(DATES).map(nodes.String),
    "DateTime": strategies.sampled_from(MOMENTS).map(nodes.String),
    "JSON": strategies.text(max_size=5).map(nodes.String),
    "Upload": strategies.just(nodes.Null),
}


@pytest.mark.parametrize("who", LIMITS)
async def test_graphql_fails_with_a_code(api: Settings, runtime: Runtime, who: str) -> None:
    tenant = await make_tenant(runtime, LIMITS[who])
    codes = await asyncio.to_thread(_ask_much, f"{url_of(api)}/graphql", tenant.key)
    failed = [line for line in (api.data / "api.log").read_text().splitlines() if FAILED in line]
    assert "internal" not in codes, failed


def _ask_much(url: str, key: str) -> set[str]:
    """Send what the tool makes up, and return the codes of all errors."""
    headers = {"Authorization": f"Bearer {key}"}
    for name, strategy in SCALARS.items():
        schemathesis.graphql.scalar(name, strategy)
    schema = schemathesis.graphql.from_url(url, headers=headers)
    found: list[Any] = [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr] # Ours is valid.
    asked = [each for each in found if each.label.startswith(("Query.", "Mutation."))]
    codes: set[str] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies.sampled_from(asked).flatmap(lambda each: each.as_strategy()))
    def answers(case: Any) -> None:  # noqa: ANN401 - the tool's own type.
        answer = case.call(headers=headers)
        assert answer.status_code == 200, (case.body, answer.text)
        codes.update(error["extensions"]["code"] for error in answer.json().get("errors", ()))

    answers()
    return codes

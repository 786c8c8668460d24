"""A query that is compiled is answered as one that is executed, to the last digit."""

import asyncio
import base64
import json
import os
from collections import Counter
from typing import Final

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all

from adapters.graphql.compiled.answers import Compiler, answer_compiled
from adapters.graphql.documents import NotValid, core_schema, read_document
from adapters.postgres.connections import Interrupted, bound_statements
from tests.graphql.answers import ask, compare, error_of, execute, sent
from tests.graphql.documents import Made, documents
from tests.graphql.stocked import Office, known_of

EXAMPLES: Final = int(os.environ.get("GRAPHQL_EXAMPLES", "60"))
SECONDS_MAX: Final = 60
MANY: Final = " ".join(f"a{n}: importBatch {{ id }}" for n in range(95))
BY_DUE: Final = """
query ($after: String) {
  invoices(first: 1, after: $after, orderBy: DUE_ASC) { pageInfo { endCursor } }
}
"""
SOME: Final = (
    *("invoicing.invoice.read", "invoicing.customer.see_tax_id", "jobs.job.read"),
    *("imports.batch.read", "access.branch.read", "access.member.read", "access.role.read"),
)
FLAGGED: Final = "query ($flag: Boolean!) { jobs { totalCount @include(if: $flag) } }"


@pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module",  # Pools do, meanwhile.
    "ignore:coroutine .* was never awaited:RuntimeWarning",  # Of fields beside one that fails.
)
async def test_what_is_compiled_is_answered_as_if_it_were_executed(office: Office) -> None:
    """Callers with much and with little, and one who may not read all, share a compiler."""
    compiler, counts = Compiler(core_schema()), Counter[str]()
    known, loop = await known_of(office.asking()), asyncio.get_running_loop()

    async def answer(made: Made) -> None:
        try:
            read_document(made.query)
        except NotValid:
            counts["refused"] += 1
            return
        for variables in made.variables:
            asked, request = sent(made.query, variables, made.operation_name)
            for asking in (
                office.asking(),
                office.asking_for_little(),
                office.asking(*SOME),
            ):
                counts[await compare(compiler, asking, asked, request)] += 1

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @for_all(made=documents(core_schema(), known))
    def answers_agree(made: Made) -> None:
        asyncio.run_coroutine_threadsafe(answer(made), loop).result(SECONDS_MAX)

    await asyncio.to_thread(answers_agree)
    assert counts["refused"] < EXAMPLES / 4, counts
    assert counts["compiled"] > counts["executed"] * 3, counts
    assert counts["compiled"] > counts["failed"], counts


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (f"{{ invoices(first: 1) {{ nodes {{ {MANY} }} }} }}", {}),
        ("{ __typename jobs { totalCount } }", {}),
        ("{ jobs { totalCount @skip(if: true) } }", {}),
        ("{ jobs @skip(if: true) { totalCount } }", {}),
        (FLAGGED, {"flag": []}),
        (FLAGGED, {"flag": 1}),
        (FLAGGED, {"flag": None}),
        (FLAGGED, {}),
        ("query ($flag: Boolean! = true) { jobs { totalCount @include(if: $flag) } }", {}),
        ('{ invoices(first: 1, filter: {search: {words: "ana"}}) { nodes { id } } }', {}),
        ('{ customerBalance(id: "C1:EUR", asOf: "3") { due } }', {}),
        ("{ projections { name } jobs { totalCount } }", {}),
    ],
)
async def test_what_can_not_be_compiled_is_executed(
    office: Office, query: str, variables: dict[str, object]
) -> None:
    asked, request = sent(query, variables)
    compiler = Compiler(core_schema())
    for _ in range(2):
        assert await compare(compiler, office.asking(), asked, request) != "compiled"


async def test_a_flag_is_no_number(office: Office) -> None:
    compiler = Compiler(core_schema())
    ways = [
        await compare(compiler, office.asking(), *sent(FLAGGED, {"flag": flag}))
        for flag in (1, True, 0, False, True)
    ]
    assert ways == ["failed", "compiled", "failed", "executed", "compiled"]


async def test_a_large_request_is_answered_and_not_kept(office: Office) -> None:
    compiler = Compiler(core_schema())
    words = ["x" * 1_000] * 99
    query = "query ($in: [String!]) { invoices(filter: {number: {in: $in}}) { totalCount } }"
    asked, request = sent(query, {"in": words})
    assert await compare(compiler, office.asking(), asked, request) == "compiled"
    assert request not in compiler._understood


async def test_a_value_that_a_column_can_not_have_is_told_as_ever(office: Office) -> None:
    page = await ask(office.asking(), BY_DUE)
    cursor = page["invoices"]["pageInfo"]["endCursor"]
    name, _, key = json.loads(base64.urlsafe_b64decode(f"{cursor}=="))
    forged = base64.urlsafe_b64encode(json.dumps([name, "1E+200000", key]).encode()).decode()
    error = await error_of(office.asking(), BY_DUE, after=forged)
    assert error["code"] == "query.bad_value"
    assert await ask(office.asking(), BY_DUE, after=cursor)


async def test_what_the_database_breaks_off_is_not_asked_again(office: Office) -> None:
    query = "{ a: invoices(first: 1) { nodes { id } } jobs { totalCount } }"
    await ask(office.asking(), query)
    asking = office.asking()
    asked, request = sent(query, {})
    with psycopg.connect(office.runtime.settings.owner_url) as admin:
        admin.execute("LOCK TABLE jobs_v1 IN ACCESS EXCLUSIVE MODE")
        bound_statements(0.2)
        assert await answer_compiled(asking, asked, request) is None
        bound_statements(None)
    assert {type(error) for error in asking.known.values()} == {Interrupted}
    answer = await execute(asking, asked)
    assert answer.data is None
    assert "graphql.timeout" in "".join(answer.errors.values())
    assert await ask(office.asking(), query)

"""What the chain does not cover is compared to the last row: the index of tags, odd positions."""

import pytest

from adapters.audit.log import read_index, reading
from adapters.audit.registry import SYSTEM, UnknownTenant, find_owner
from adapters.cli.session import operator
from adapters.runtime import Runtime
from application.kernel import build
from domain.ids import SYSTEM_TENANT
from domain.tenants import CreateTenant
from tests.audit.conftest import EVENTS, Books
from tests.cli.conftest import Asiento

OF_7 = "WHERE tenant_id = %(tenant)s AND tag = 'thing:7'"
UNKEYED = (
    "ALTER TABLE event_tag DROP CONSTRAINT event_tag_pkey",
    f"INSERT INTO event_tag SELECT * FROM event_tag {OF_7}",
    "DELETE FROM event_tag WHERE tenant_id = %(tenant)s AND tag = 'thing:5'",
)
TURNED = """
UPDATE event_tag AS t SET position = o.position FROM event_tag AS o
WHERE t.tenant_id = %(tenant)s AND t.tag = 'slug:alfa'
  AND o.tenant_id = %(tenant)s AND o.tag = 'slug:beta'
"""


@pytest.mark.parametrize("position", [EVENTS + 1, 999, 0, -7])
def test_a_row_of_the_index_that_has_no_event_is_named(books: Books, position: int) -> None:
    forged = f"VALUES (%(tenant)s, 'customer_code:C3', 'SubjectForgotten', {position})"
    books.tamper(f"INSERT INTO event_tag {forged}")
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, position, "index")


def test_rows_of_events_that_were_appended_since_are_no_strangers(books: Books) -> None:
    with reading(books.settings.database_url or "", books.tenant) as connection:
        index = read_index(connection, books.tenant, head=8)
        assert index.compare(connection, tags=8 * 2) is None


def test_an_index_without_its_key_is_searched_for_doubles(books: Books) -> None:
    books.tamper(*UNKEYED)
    try:
        found = books.verify()
        books.tamper(
            "DELETE FROM event_tag WHERE tenant_id = %(tenant)s",
            "INSERT INTO event_tag SELECT tenant_id, unnest(tags), type, position FROM event"
            " WHERE tenant_id = %(tenant)s",
        )
        mended = books.verify()
    finally:
        books.tamper("ALTER TABLE event_tag ADD PRIMARY KEY (tenant_id, tag, type, position)")
    assert (found.ok, found.first_bad, found.problem) == (False, 7, "index")
    assert mended.ok


@pytest.mark.parametrize("position", [0, -1])
def test_an_event_before_the_first_position_is_named(books: Books, position: int) -> None:
    books.tamper(
        f"INSERT INTO event SELECT tenant_id, {position}, type, tags, data, recorded_at, actor,"
        " correlation_id, causation_id, hash FROM event"
        " WHERE tenant_id = %(tenant)s AND position = 5"
    )
    found = books.verify()
    assert (found.ok, found.first_bad, found.problem) == (False, position, "unfit")


def test_an_event_without_a_position_is_named(books: Books) -> None:
    books.tamper(
        "ALTER TABLE event DROP CONSTRAINT event_pkey",
        "ALTER TABLE event ALTER COLUMN position DROP NOT NULL",
        "INSERT INTO event SELECT tenant_id, NULL, type, tags, data, recorded_at, actor,"
        " correlation_id, causation_id, hash FROM event"
        " WHERE tenant_id = %(tenant)s AND position = 5",
    )
    try:
        found = books.verify()
    finally:
        books.tamper(
            "DELETE FROM event WHERE tenant_id = %(tenant)s AND position IS NULL",
            "ALTER TABLE event ADD PRIMARY KEY (tenant_id, position)",
        )
    assert (found.ok, found.problem) == (False, "unfit")


async def test_a_short_name_that_was_turned_to_another_tenant_is_not_followed(
    runtime: Runtime, asiento: Asiento
) -> None:
    for slug in ("alfa", "beta"):
        given: dict[str, object] = {"slug": slug, "name": slug, "country": "ES"}
        command = build(CreateTenant, given, runtime.clock)
        await runtime.bus.execute(command, operator(SYSTEM_TENANT))
    assert (await find_owner(runtime, "alfa")).slug == "alfa"
    Books(settings=runtime.settings, owner=SYSTEM).tamper(TURNED)
    with pytest.raises(UnknownTenant):
        await find_owner(runtime, "alfa")
    assert (await find_owner(runtime, "beta")).slug == "beta"
    said = asiento("audit", "verify", "--tenant", "alfa")
    assert (said.code, "beta" in said.out + said.err) == (1, False)

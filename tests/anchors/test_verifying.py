"""An anchor finds what recomputing a log can't: a change that was made whole again."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from adapters.anchors.checking import head_of, read_anchor
from adapters.anchors.making import make
from adapters.anchors.mark import Mark
from adapters.anchors.signing_key import signing_key
from adapters.audit.log import Verified, verify
from adapters.audit.recipe import FIRST_LINK, Links
from adapters.audit.rows import read_rows
from adapters.runtime import Runtime, open_runtime
from adapters.settings import Settings
from domain.ids import TenantId
from tests.anchors.office import OPERATOR, draft, open_books


@pytest.fixture
async def runtime(settings: Settings, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with open_runtime(replace(settings, asiento_data=tmp_path)) as opened:
        yield opened


class Books:
    """A log of four events, anchored, and the administrator who may do anything to it."""

    def __init__(self, runtime: Runtime, tenant: TenantId, mark: Mark) -> None:
        self.runtime = runtime
        self.tenant = tenant
        self.mark = mark

    def verified(self) -> Verified:
        """Verify the log by itself."""
        return verify(self.runtime.settings.database_url or "", self.tenant)

    def anchored(self) -> Verified:
        """Verify it by its anchor too."""
        return verify(self.runtime.settings.database_url or "", self.tenant, mark=self.mark)

    def change(self, *statements: str, whole: bool = True) -> None:
        """Change rows as their owner may, and make the hashes and the head whole again."""
        url = self.runtime.settings.database_admin_url or ""
        with psycopg.connect(url) as admin:
            for statement in statements:
                admin.execute(statement.encode(), {"tenant": self.tenant})
            if whole:
                self._rewrite(admin)

    def _rewrite(self, admin: "psycopg.Connection[tuple[object, ...]]") -> None:
        links, link, done = Links(self.tenant), FIRST_LINK, 0
        for record in list(read_rows(admin, self.tenant)):
            link, done = links.link(link, record), record.position
            admin.execute(
                "UPDATE event SET hash = %s WHERE tenant_id = %s AND position = %s",
                (link, self.tenant, done),
            )
        admin.execute(
            "UPDATE log_head SET position = %s, hash = %s WHERE tenant_id = %s",
            (done, link, self.tenant),
        )


@pytest.fixture
async def books(runtime: Runtime, request: pytest.FixtureRequest) -> Books:
    """Open books of one's own, and anchor them."""
    slug = f"t-{abs(hash(request.node.name)) % 10**9}"
    tenant = await open_books(runtime, slug, invoices=4)
    made = await make(runtime, OPERATOR)
    anchor = read_anchor(made.path, signing_key(runtime.settings).public_key)
    return Books(runtime, tenant, Mark(head_of(anchor, tenant)))


CUT = (
    "DELETE FROM event_tag WHERE tenant_id = %(tenant)s AND position > 2",
    "DELETE FROM event WHERE tenant_id = %(tenant)s AND position > 2",
)


async def test_a_log_that_only_grew_passes_through_its_anchor(books: Books) -> None:
    assert books.anchored().ok
    await draft(books.runtime, books.tenant, 3)
    found = books.anchored()
    assert (found.ok, found.events) == (True, 7)


async def test_a_log_rewritten_with_its_hashes_is_found(books: Books) -> None:
    books.change(
        "UPDATE event SET data = replace(data, '1.50', '1.51')"
        " WHERE tenant_id = %(tenant)s AND position = 2"
    )
    assert books.verified().ok
    found = books.anchored()
    assert (found.ok, found.problem) == (False, "anchor")
    assert "rewritten up to 4" in (found.reason or "")


async def test_a_log_cut_off_with_its_head_is_found(books: Books) -> None:
    books.change(*CUT)
    assert books.verified().ok
    found = books.anchored()
    assert (found.ok, found.problem, found.first_bad) == (False, "anchor", 3)
    assert "ends at 2, before the anchor's 4" in (found.reason or "")


async def test_a_database_taken_back_and_used_again_is_found(books: Books) -> None:
    books.change(*CUT)
    async with open_runtime(books.runtime.settings) as again:
        await draft(again, books.tenant, 5)
    assert books.verified().ok
    found = books.anchored()
    assert (found.ok, found.events) == (False, 7)
    assert "rewritten up to 4" in (found.reason or "")


async def test_a_log_that_is_gone_is_found(books: Books) -> None:
    books.change(
        "DELETE FROM event_tag WHERE tenant_id = %(tenant)s",
        "DELETE FROM event WHERE tenant_id = %(tenant)s",
        "DELETE FROM log_head WHERE tenant_id = %(tenant)s",
        whole=False,
    )
    assert books.verified().ok
    found = books.anchored()
    assert (found.ok, found.first_bad) == (False, 1)
    assert "ends at 0" in (found.reason or "")


async def test_what_recomputing_finds_is_told_first(books: Books) -> None:
    books.change(
        "UPDATE event SET data = replace(data, '1.50', '1.51')"
        " WHERE tenant_id = %(tenant)s AND position = 2",
        whole=False,
    )
    found = books.anchored()
    assert (found.ok, found.problem, found.first_bad) == (False, "changed", 2)

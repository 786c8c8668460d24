"""A deploy as callers see it: old and new code beside each other, as processes of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded.servers import Urls
from adapters.settings import Settings
from tests.conftest import new_database
from tests.projecting.code import (
    NEXT,
    THIS,
    Code,
    draft,
    fold_anew,
    invoices,
    refusal,
    settings_of,
    until,
    versions,
    with_line_count,
)
from tests.rest.api import Tenant, make_tenant, projecting


@pytest.fixture
def settings(urls: Urls, tmp_path: Path) -> Iterator[Settings]:
    """Lend each test a database of its own: what it leaves behind is other code's."""
    with new_database(urls) as own:
        yield settings_of(own, tmp_path / "data")


@pytest.fixture
async def tenant(settings: Settings) -> Tenant:
    async with projecting(settings) as runtime:
        return await make_tenant(runtime)


def test_a_new_version_is_built_while_the_old_one_serves_and_is_there_to_go_back_to(
    old: Code, new: Code, tenant: Tenant
) -> None:
    with_line_count(new)
    with old.api(tenant.key) as yesterday:
        with old.process("projector"):
            drafts = [draft(yesterday) for _ in range(3)]
            assert len(invoices(yesterday, at_least=drafts[-1])) == 3

            assert new.run("migrate", "--check", code=1)["pending"] == ["invoices"]
            assert new.run("migrate")["applied"] == ["invoices"]
            assert versions(new) == {THIS: "in_use", NEXT: "building"}
            with new.api(tenant.key) as today:
                assert refusal(today) == "projection.building"
                assert "invoices" in today.get("/ready").text
                assert today.get("/ready").status_code == 503
                drafts += [draft(yesterday), draft(today)]
                assert len(invoices(yesterday, at_least=drafts[-1])) == 5
                assert yesterday.get("/ready").status_code == 200

                with new.process("projector"):
                    until(lambda: today.get("/ready").status_code == 200)
                    after = invoices(today, at_least=drafts[-1])
                    assert [each.pop("line_count") for each in after] == [1] * 5
                    assert invoices(yesterday, at_least=drafts[-1]) == after
                    assert versions(old) == {THIS: "serving", NEXT: "in_use"}
                drafts.append(draft(today))

        with old.process("projector"):
            assert old.run("migrate", "--check")["pending"] == []
            assert len(invoices(yesterday, at_least=drafts[-1])) == 6


def test_a_former_version_of_the_same_columns_serves_until_the_new_one_is_built(
    old: Code, new: Code, tenant: Tenant
) -> None:
    fold_anew(new, "paid=Decimal(1)")
    new.run("migrate")
    with old.process("projector"), new.api(tenant.key) as today:
        position = draft(today)
        assert [each["paid"] for each in invoices(today, at_least=position)] == ["0"]
        assert today.get("/ready").status_code == 200
        with new.process("projector"):
            until(lambda: [each["paid"] for each in invoices(today)] == ["1"])
        assert [each["paid"] for each in invoices(today)] == ["1"]

"""A log split by tenant is the same log."""

from uuid import uuid4

import pytest

from adapters.embedded.servers import Urls
from adapters.postgres.migrate import migrate
from adapters.runtime import Runtime
from domain.ids import TenantId
from domain.kernel import Refused
from tests.contracts.test_database import TENANT_TABLES, an_append, empty_database, query


def split(own: Urls, partitions: int) -> list[str]:
    done = migrate(own.admin_database_url, own.database_url, partitions=partitions)
    return done.applied


def test_every_partition_forces_row_level_security(urls: Urls) -> None:
    with empty_database(urls) as own:
        assert split(own, 4)[-1] == "4 partitions"
        found = query(own.admin_database_url, TENANT_TABLES)
    assert {f"{table}_{n}" for table in ("event", "event_tag") for n in range(4)} <= {
        row[0] for row in found
    }
    assert [row for row in found if row[1:] != (True, True, True)] == []


def test_splitting_again_into_as_many_changes_nothing(urls: Urls) -> None:
    with empty_database(urls) as own:
        split(own, 2)
        assert split(own, 2) == []
        with pytest.raises(Refused) as refused:
            split(own, 3)
    assert refused.value.code == "database.partitioned"


@pytest.mark.parametrize("partitions", [-1, 0, 1, 1_025])
def test_a_number_that_makes_no_sense_is_refused(urls: Urls, partitions: int) -> None:
    with empty_database(urls) as own, pytest.raises(Refused) as refused:
        split(own, partitions)
    assert refused.value.code == "database.bad_partitions"


async def test_a_log_with_events_stays_as_it_is(runtime: Runtime, database: Urls) -> None:
    tenant = TenantId(str(uuid4()))
    await runtime.store.append(tenant, an_append())
    with pytest.raises(Refused) as refused:
        split(database, 4)
    assert refused.value.code == "database.not_empty"
    assert await runtime.store.head(tenant) == 1

"""What a hostile archive must not get: the log of the instance, or a name in the registry."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.audit import files
from tests.audit.conftest import Books
from tests.audit.files import one
from tests.audit.test_closing import archive_of
from tests.cli.conftest import Asiento

FOR_ANOTHER = 1


def renamed(books: Books, to: Path, *, tenant: str, slug: str) -> Path:
    """Make an archive that says it is of another tenant, and is a chain of that one."""
    archive_of(books, to)

    def rename(lines: files.Lines) -> None:
        lines[0].update(tenant=tenant, slug=slug)

    files.rewrite(to, rename)
    return to


def test_the_log_of_the_instance_is_not_put_back(
    company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    tenant = "00000000-0000-0000-0000-000000000000"
    archive = renamed(company, tmp_path / "system.gz", tenant=tenant, slug="system")
    done = asiento("tenant", "restore", str(archive), "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "tenants.system")


@pytest.mark.parametrize("unfit", [{"recorded_at": 10**30}, {"actor": "user:\x00"}])
def test_a_file_that_no_log_can_hold_makes_nobody_known(
    company: Books, asiento: Asiento, tmp_path: Path, unfit: dict[str, object]
) -> None:
    slug = f"new-{uuid4().hex[:8]}"
    archive = archive_of(company, tmp_path / "new.gz")

    def change(lines: files.Lines) -> None:
        lines[0].update(tenant=str(uuid4()), slug=slug)
        one(FOR_ANOTHER, **unfit)(lines)

    files.rewrite(archive, change)
    done = asiento("tenant", "restore", str(archive), "--json")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert slug not in asiento("tenant", "list", "--json").out

"""What may stand for a log that is gone: the file that was noted, with every key, and no other."""

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from msgspec import structs

from adapters.audit.archive import archived, close_log, remove
from adapters.audit.export import export
from adapters.audit.keys import wrapped_keys
from adapters.cli.imports import ERRORS
from adapters.postgres.errors_file import write_errors_file
from adapters.runtime import Runtime
from application.kernel import SystemClock
from application.ports import Append
from domain.ids import BatchId
from domain.kernel import Refused
from tests.audit import files
from tests.audit.conftest import DRAFTS, Books, draft, happened
from tests.audit.files import one
from tests.cli.conftest import Asiento

OWNER_ONLY = 0o600


def keys_of(books: Books) -> list[tuple[object, ...]]:
    asked = "SELECT subject, generation, wrapped FROM subject_key WHERE tenant_id = %s ORDER BY 1"
    with psycopg.connect(books.settings.database_admin_url or "") as connection:
        return connection.execute(asked, (books.tenant,)).fetchall()


def write_archive(books: Books, to: Path) -> Path:
    url = books.settings.database_url or ""
    export(url, books.owner, to, clock=SystemClock(), keys=wrapped_keys, archive=True)
    return to


def code_of(asiento: Asiento, *arguments: str) -> tuple[int, str]:
    answer = asiento(*arguments, "--json")
    return answer.code, answer.json.get("error", {}).get("code", "")


def test_an_export_for_readers_is_no_archive(
    company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    slug, plain, archive = company.owner.slug, tmp_path / "plain.gz", str(tmp_path / "archive.gz")
    company.export(plain)
    refused = (1, "tenants.no_archive")
    assert code_of(asiento, "tenant", "close", slug, "--to", str(plain)) == refused
    assert asiento("tenant", "close", slug, "--to", archive).code == 0
    removal = ("tenant", "remove", slug, "--yes", "--archive")
    assert code_of(asiento, *removal, str(plain)) == refused
    assert len(keys_of(company)) >= DRAFTS
    assert asiento(*removal, archive).code == 0
    assert code_of(asiento, "tenant", "restore", str(plain)) == refused


def test_an_archive_that_lacks_a_key_removes_nothing(company: Books, tmp_path: Path) -> None:
    archive = write_archive(company, tmp_path / "archive.gz")
    lines = [
        line for line in files.lines_of(archive) if line.get("subject") != keys_of(company)[0][0]
    ]
    files.seal(lines)
    files.write(archive, lines)
    close_log(company.settings.database_url or "", company.tenant)
    before = keys_of(company)
    with pytest.raises(Refused) as refused:
        remove(company.settings.database_admin_url or "", archived(archive))
    assert refused.value.code == "tenants.keys_missing"
    assert keys_of(company) == before


def test_keys_that_were_wrapped_anew_need_an_archive_anew(
    company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    slug, archive = company.owner.slug, str(tmp_path / "archive.gz")
    close = ("tenant", "close", slug, "--to", archive)
    assert asiento(*close).code == 0
    assert asiento("personal", "rotate").code == 0
    removal = ("tenant", "remove", slug, "--yes", "--archive", archive)
    assert code_of(asiento, *removal) == (1, "tenants.keys_missing")
    assert code_of(asiento, *close) == (1, "tenants.keys_missing")
    assert asiento(*close, "--force").code == 0
    assert asiento(*removal).code == 0


def test_keys_that_are_missing_come_back_to_a_log_that_is_there(
    company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    archive, before = str(tmp_path / "archive.gz"), keys_of(company)
    assert asiento("tenant", "close", company.owner.slug, "--to", archive).code == 0
    company.tamper("DELETE FROM subject_key WHERE tenant_id = %(tenant)s AND subject LIKE '%%C1'")
    restored = asiento("tenant", "restore", archive, "--json")
    assert (restored.code, restored.json["keys"]) == (0, 1), restored.err
    assert keys_of(company) == before


async def test_only_the_file_that_was_noted_brings_a_company_back(
    runtime: Runtime, company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    slug, archive = company.owner.slug, tmp_path / "archive.gz"
    older = write_archive(company, tmp_path / "older.gz")
    forged = write_archive(company, tmp_path / "forged.gz")
    await draft(runtime, company, 99)
    assert asiento("tenant", "close", slug, "--to", str(archive)).code == 0
    lines = files.lines_of(archive)
    one(0, name="Another")(lines)
    files.seal(lines)
    files.write(forged, lines)
    removal = ("tenant", "remove", slug, "--yes", "--archive")
    assert asiento(*removal, str(archive)).code == 0
    for other in (older, forged):
        refused = (1, "tenants.other_archive")
        assert code_of(asiento, "tenant", "restore", str(other)) == refused
        assert code_of(asiento, *removal, str(other)) == refused
    assert asiento(*removal, str(archive)).code == 0
    restored = asiento("tenant", "restore", str(archive), "--json")
    assert (restored.code, restored.json["vouched_by"]) == (0, "system")
    assert company.verify().events == DRAFTS + 1


def test_a_removal_asks_for_the_tenant_before_anything_else(
    company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    archive = str(write_archive(company, tmp_path / "archive.gz"))
    assert code_of(asiento, "tenant", "remove", "nobody", "--archive", archive) == (
        1,
        "tenants.absent",
    )
    open_books = ("tenant", "remove", company.owner.slug, "--archive", archive)
    assert code_of(asiento, *open_books) == (1, "tenants.not_closed")


async def test_a_removal_leaves_no_rejected_row_behind(
    runtime: Runtime, company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    slug, archive, batch = company.owner.slug, str(tmp_path / "archive.gz"), BatchId(str(uuid4()))
    imported = structs.replace(happened(1), tags=(f"batch:{batch}",))
    await runtime.store.append(company.tenant, Append(events=(imported,)))
    folder = company.settings.data / ERRORS
    rejected, strange = folder / f"sales-{batch}.csv", folder / f"sales-{uuid4()}.csv"
    for path in (rejected, strange):
        await write_errors_file(runtime.pool, company.tenant, batch, path)
    assert rejected.stat().st_mode & 0o777 == OWNER_ONLY
    assert asiento("tenant", "close", slug, "--to", archive).code == 0
    assert asiento("tenant", "remove", slug, "--archive", archive, "--yes").code == 0
    assert (rejected.exists(), strange.exists()) == (False, True)


def test_a_file_of_a_log_is_for_its_owner_alone(company: Books, tmp_path: Path) -> None:
    part = tmp_path / "file.part"
    part.touch(mode=0o644)
    assert company.export(tmp_path / "file").stat().st_mode & 0o777 == OWNER_ONLY


def test_an_export_of_a_changed_log_is_kept_and_said_to_be_broken(
    company: Books, asiento: Asiento, tmp_path: Path
) -> None:
    company.tamper(
        "UPDATE event SET actor = 'nobody' WHERE tenant_id = %(tenant)s AND position = 3"
    )
    path, slug = tmp_path / "file", company.owner.slug
    written = asiento("audit", "export", "--tenant", slug, "--to", str(path), "--json")
    assert (written.code, written.json["ok"], written.json["first_bad"]) == (1, False, 3)
    assert len(files.lines_of(path)) == DRAFTS + 2
    assert asiento("audit", "verify", "--file", str(path)).code == 1
    close = ("tenant", "close", slug, "--to", str(tmp_path / "archive.gz"))
    assert code_of(asiento, *close) == (1, "audit.changed_log")

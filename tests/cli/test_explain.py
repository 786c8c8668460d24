"""`asiento audit explain`: from an invoice in the books back to the lines of its file."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Asiento, Environment, command_line

STOP_SECONDS_MAX = 15
FILE = """Number,Date,Customer code,Customer,Description,Quantity,Price
E-1,01/05/2026,C7,Ana Torres,Bolt,3,1.50
E-2,01/05/2026,C8,Berta,Bolt,1,2.00
E-1,01/05/2026,C7,Ana Torres,Nut,2,0.25
"""


@pytest.fixture(scope="module", autouse=True)
def processes(environment: Environment) -> Iterator[None]:
    """A projector and a worker, as an instance has them."""
    started = [
        subprocess.Popen(command_line(name), env=environment, stderr=subprocess.DEVNULL)
        for name in ("projector", "worker")
    ]
    yield
    for process in started:
        process.terminate()
    assert [process.wait(STOP_SECONDS_MAX) for process in started] == [0, 0]


@pytest.fixture(scope="module")
def invoice(asiento: Asiento, tenant: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of an invoice that was imported."""
    file: Path = tmp_path_factory.mktemp("files") / "may.csv"
    file.write_text(FILE)
    done = asiento("import", str(file), "--tenant", tenant, "--type", "invoices", "--json")
    assert done.json["invoices"] == 2, done.out
    recorded = asiento("events", "--tenant", tenant, "--tag", "number:E-1")
    return recorded.out.split('"invoice":"')[1].split('"')[0]


def test_an_imported_invoice_is_traced_to_its_lines(
    asiento: Asiento, tenant: str, invoice: str
) -> None:
    answer = asiento("audit", "explain", "invoice", invoice, "--tenant", tenant, "--json")
    assert answer.code == 0, answer.err
    (entry,) = answer.json["entries"]
    assert (answer.json["model"], answer.json["has_next"]) == ("invoices", False)
    assert entry["type"] == "InvoiceRecorded"
    assert entry["actor_name"] == "imports.promote"
    assert entry["source"]["file_name"] == "may.csv"
    assert entry["source"]["lines"] == [2, 4]
    assert {"field": "number", "before": None, "after": "E-1"} in entry["changes"]
    said = asiento("audit", "explain", "invoice", invoice, "--tenant", tenant)
    assert "may.csv, line 2, 4" in said.out
    assert "InvoiceRecorded" in said.out


def test_any_read_model_is_explained(asiento: Asiento, tenant: str, invoice: str) -> None:
    answer = asiento("audit", "explain", "Invoice", invoice, "--tenant", tenant, "--json")
    batch = answer.json["entries"][0]["source"]["batch"]
    told = asiento("audit", "explain", "import-batch", batch, "--tenant", tenant, "--json")
    types = [entry["type"] for entry in told.json["entries"]]
    assert (types[0], types[-1]) == ("BatchOpened", "BatchPromoted")
    assert told.json["entries"][0]["command"] == "OpenImportBatch"
    page = asiento("audit", "explain", "import-batch", batch, "--tenant", tenant, "--first", "2")
    assert "There is more: --after" in page.out


def test_an_invoice_goes_by_its_number(asiento: Asiento, tenant: str, invoice: str) -> None:
    call = ("audit", "explain", "invoice", "E-1", "--tenant", tenant)
    assert asiento(*call, "--json").json["id"] == invoice
    assert asiento(*call).out.startswith(f"E-1 is {invoice}.\n")


def test_what_several_rows_go_by_is_refused_with_a_way_to_the_id(
    asiento: Asiento, tenant: str, invoice: str
) -> None:
    answer = asiento("audit", "explain", "invoice", invoice, "--tenant", tenant, "--json")
    batch = answer.json["entries"][0]["source"]["batch"]
    several = asiento("audit", "explain", "invoice", batch, "--tenant", tenant, "--json")
    assert (several.code, several.json["error"]["code"]) == (1, "query.absent")
    assert several.json["error"]["message"].startswith("Several invoices go by")
    assert "`asiento events --tag NAME:VALUE`" in several.json["error"]["hint"]
    assert "number" in several.json["error"]["hint"]


def test_the_instance_itself_is_explained_and_listed(asiento: Asiento, tenant: str) -> None:
    answer = asiento("audit", "explain", "tenant", tenant, "--tenant", "system", "--json")
    assert [each["type"] for each in answer.json["entries"]] == ["TenantCreated"]
    assert '"type":"TenantCreated"' in asiento("events", "--tenant", "system").out


def test_what_is_not_there_is_said(asiento: Asiento, tenant: str) -> None:
    unknown = asiento("audit", "explain", "sock", "1", "--tenant", tenant, "--json")
    assert (unknown.code, unknown.json["error"]["code"]) == (1, "history.unknown_model")
    for model in ("invoice", "job"):
        absent = asiento("audit", "explain", model, "1", "--tenant", tenant, "--json")
        assert (absent.code, absent.json["error"]["code"]) == (1, "query.absent")

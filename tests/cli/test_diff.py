"""`asiento projections diff`: what changed in the books between two moments."""

import pytest

from tests.cli.conftest import Asiento

LINES = '{"lines": [{"description": "Bolt", "quantity": "2", "unit_price": "1.50"}]}'


@pytest.fixture(scope="module", autouse=True)
def history(asiento: Asiento, tenant: str) -> None:
    """Two drafts, of which one is issued."""
    for invoice in ("D1", "D2"):
        draft = ("draft-invoice", "--tenant", tenant, "--invoice", invoice, "--input", LINES)
        assert asiento(*draft).code == 0
    issue = ("issue-invoice", "--tenant", tenant, "--invoice", "D1", "--series", "D")
    assert asiento(*issue).code == 0


def test_rows_that_changed_are_told_field_by_field(asiento: Asiento, tenant: str) -> None:
    call = ("projections", "diff", "invoices", "--tenant", tenant, "--from", "2")
    answer = asiento(*call, "--json")
    assert answer.code == 0, answer.err
    told = answer.json
    assert (told["name"], told["from"], told["to"], told["next"]) == ("invoices", 2, 3, None)
    (row,) = told["rows"]
    assert row["id"] == "D1"
    assert {"field": "status", "before": "draft", "after": "issued"} in row["changes"]
    said = asiento(*call)
    assert "D1:" in said.out
    assert "1 row changed between positions 2 and 3." in said.out


def test_differences_come_in_pages(asiento: Asiento, tenant: str) -> None:
    call = ("projections", "diff", "invoice", "--tenant", tenant, "--from", "0", "--first", "1")
    page = asiento(*call, "--json").json
    assert ([row["id"] for row in page["rows"]], page["next"]) == (["D1"], 1)
    assert "There may be more: --after 1" in asiento(*call).out
    rest = asiento(*call, "--after", "1", "--json").json
    assert [row["id"] for row in rest["rows"]] == ["D2"]


def test_moments_are_times_too(asiento: Asiento, tenant: str) -> None:
    call = ("projections", "diff", "vat-book", "--tenant", tenant, "--from", "2020-01-01T00:00:00Z")
    assert [row["id"][7:] for row in asiento(*call, "--json").json["rows"]] == [":0:EUR"]
    none = asiento(*call, "--to", "2020-01-01T00:00:00Z", "--json").json
    assert (none["rows"], none["to"]) == ([], 0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("invoices", "--from", "yesterday"), (2, "query.bad_moment")),
        (("invoices", "--from", "3", "--to", "2"), (2, "query.bad_moment")),
        (("invoices", "--from", "0", "--first", "0"), (2, "query.bad_first")),
        (("invoices", "--from", "1000"), (2, "query.beyond_head")),
        (("invoices", "--from", "0", "--to", "1000"), (2, "query.beyond_head")),
        (("invoices", "--from", "2999-01-01T00:00:00Z"), (2, "query.in_the_future")),
        (("socks", "--from", "0"), (1, "history.unknown_model")),
        (("users", "--from", "0"), (1, "history.unknown_model")),
        (("tenants", "--from", "0"), (1, "history.unknown_model")),
    ],
)
def test_what_can_not_be_compared_is_refused(
    asiento: Asiento, tenant: str, arguments: tuple[str, ...], expected: tuple[int, str]
) -> None:
    answer = asiento("projections", "diff", *arguments, "--tenant", tenant, "--json")
    assert (answer.code, answer.json["error"]["code"]) == expected


def test_read_models_go_by_one_name_everywhere(asiento: Asiento, tenant: str) -> None:
    diff = asiento("projections", "diff", "socks", "--tenant", tenant, "--from", "0", "--json")
    rebuild = asiento("projections", "rebuild", "socks", "--json")
    to_compare, to_rebuild = (
        set(answer.json["error"]["hint"].removesuffix(".").split(" ", 4)[-1].split(", "))
        for answer in (diff, rebuild)
    )
    assert {"invoices", "vat_book"} <= to_compare
    assert to_rebuild - to_compare == {"users"}


def test_the_log_of_the_system_is_compared(asiento: Asiento, tenant: str) -> None:
    call = ("projections", "diff", "tenants", "--tenant", "system", "--from", "0", "--json")
    rows = asiento(*call).json["rows"]
    assert tenant in str(rows)

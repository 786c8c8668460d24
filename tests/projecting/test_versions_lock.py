"""The lock of read models: whoever changes what folds a row says whether rows change with it."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.postgres.models import lock
from adapters.postgres.models.lock import Locked, differences
from application.fingerprint import fingerprint
from projections.kernel import read_models
from tests.house.source import ROOT

LOCKED = Locked(version=2, shape="invoice: invoice text not null", code="c0de")
MODEL = ("projections.bolts", "Bolts")
RULES = {
    "projections.bolts": '''
"""Bolts as people count them."""
from domain.bolts import BoltEvent, weight
from projections.kernel import ReadModel
class BoltRow: bolt: str
class Bolts(ReadModel):
    version = 1
    permission = "bolts.read"
    def apply(row: "BoltRow", event: BoltEvent): return twice(weight(event))
def twice(x): return 2 * x
def unused(x): return 3 * x
''',
    "domain.bolts": """
from decimal import Decimal
from domain.kernel import Event
GRAMS = Decimal(7)
class BoltMade(Event): bolt: str
class BoltLost(Event): bolt: str
BoltEvent = BoltMade | BoltLost
def weight(event): return GRAMS
class CountBolts: pass
""",
    "domain.kernel": "class Event: pass",
}


def of(rules: dict[str, str]) -> str:
    return fingerprint([MODEL], rules.get, unless=("version", "permission"))


def changed(module: str, before: str, after: str) -> dict[str, str]:
    assert before in RULES[module]
    return {**RULES, module: RULES[module].replace(before, after)}


def test_the_committed_lock_holds_what_the_read_models_declare() -> None:
    complaints = list(differences(lock.read_lock(ROOT / lock.FILE), lock.declared()))
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("projections.bolts", "2 * x", "4 * x"),
        ("projections.bolts", "class BoltRow: bolt: str", "class BoltRow: bolt: int"),
        ("projections.bolts", "twice(weight(event))", "weight(event)"),
        ("domain.bolts", "Decimal(7)", "Decimal(8)"),
        ("domain.bolts", "class BoltLost(Event): bolt: str", "class BoltLost(Event): bolt: int"),
        ("domain.bolts", "return GRAMS", "return -GRAMS"),
    ],
)
def test_a_fingerprint_changes_with_what_folds_a_row(module: str, before: str, after: str) -> None:
    assert of(changed(module, before, after)) != of(RULES)


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("projections.bolts", "Bolts as people count them.", "Bolts, counted."),
        ("projections.bolts", "return 2 * x", "return (2*x)  # Twice."),
        ("projections.bolts", "version = 1", "version = 2"),
        ("projections.bolts", '"bolts.read"', '"bolts.bolt.read"'),
        ("projections.bolts", "3 * x", "9 * x"),
        ("domain.bolts", "class CountBolts: pass", "class CountBolts: bolts: int"),
        ("domain.kernel", "class Event: pass", "class Event: position: int"),
    ],
)
def test_a_fingerprint_stays_where_no_row_can_change(module: str, before: str, after: str) -> None:
    assert of(changed(module, before, after)) == of(RULES)


def test_a_fingerprint_follows_a_whole_module_that_is_imported() -> None:
    whole = changed(
        "projections.bolts", "from domain.bolts import BoltEvent, weight", "import domain.bolts"
    )
    whole["projections.bolts"] = whole["projections.bolts"].replace(
        "weight(", "domain.bolts.weight("
    )
    other = {**whole, "domain.bolts": RULES["domain.bolts"].replace("Decimal(7)", "Decimal(8)")}
    assert of(whole) != of(other)


def test_a_fingerprint_follows_a_module_imported_from_its_package() -> None:
    inside = changed(
        "projections.bolts",
        "from domain.bolts import BoltEvent, weight",
        "from domain import bolts",
    )
    inside["projections.bolts"] = inside["projections.bolts"].replace("weight(", "bolts.weight(")
    inside["domain"] = ""
    other = {**inside, "domain.bolts": RULES["domain.bolts"].replace("Decimal(7)", "Decimal(8)")}
    assert of(inside) != of(other)


def test_every_read_model_has_a_fingerprint_of_its_own() -> None:
    assert len({each.code for each in lock.declared().values()}) == len(read_models())


def test_a_changed_table_asks_for_another_version() -> None:
    (said,) = differences({"bolts": LOCKED}, {"bolts": replace(LOCKED, shape="wider", code="x")})
    assert "Raise `version` to 3" in said
    assert lock.COMMAND not in said


def test_a_changed_fold_asks_for_another_version_or_a_word_that_rows_stay_equal() -> None:
    (said,) = differences({"bolts": LOCKED}, {"bolts": replace(LOCKED, code="other")})
    assert "Raise `version` to 3" in said
    assert lock.COMMAND in said


def test_a_version_never_goes_down() -> None:
    (said,) = differences({"bolts": LOCKED}, {"bolts": replace(LOCKED, version=1)})
    assert "never goes down" in said


@pytest.mark.parametrize(
    ("locked", "now"),
    [
        ({}, {"bolts": LOCKED}),
        ({"bolts": LOCKED}, {}),
        ({"bolts": LOCKED}, {"bolts": replace(LOCKED, version=3, shape="wider", code="x")}),
    ],
)
def test_what_is_new_or_gone_or_raised_is_written_down(
    locked: dict[str, Locked], now: dict[str, Locked]
) -> None:
    (said,) = differences(locked, now)
    assert said.endswith(f"Run `{lock.COMMAND}`.")


def test_a_lock_that_was_written_anew_holds_what_is_declared(tmp_path: Path) -> None:
    written = tmp_path / "versions.json"
    assert lock.main(written) == 0
    assert lock.read_lock(written) == lock.declared()


def test_the_lock_is_not_written_over_a_table_that_changed_under_its_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = (ROOT / lock.FILE).read_text()
    other = committed.replace("text not null", "bigint not null", 1)
    (written := tmp_path / "versions.json").write_text(other)
    assert lock.main(written) == 1
    assert "Raise `version`" in capsys.readouterr().err
    assert written.read_text() == other

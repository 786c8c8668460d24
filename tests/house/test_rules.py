"""The tree obeys the house rules, and each rule finds what it was made for."""

import pytest

from tests.house import rules
from tests.house.source import Rule, Source, offences, python, sources

LONG_FILE = "x = 1\n" * 401
LONG_FUNCTION = "def f():\n" + "    x = 1\n" * 40
OF_A_MACHINE = "/ro" + "ot/data"  # Written apart, because this file obeys the rules too.
NOTE = "x = 1  # FIX" + "ME later"

OF_TEXT: list[tuple[Rule, str, str]] = [
    (rules.files_are_short, "domain/a.py", LONG_FILE),
    (rules.files_are_short, "migrations/sql/a.sql", LONG_FILE),
    (rules.notes_lead_somewhere, "domain/a.py", NOTE),
    (rules.notes_lead_somewhere, "migrations/sql/a.sql", "-- TO" + "DO later"),
    (rules.files_belong_to_no_machine, "docs/a.md", f"See {OF_A_MACHINE}."),
    (rules.files_belong_to_no_machine, "Makefile", "pip --index" + "-url https://example.org"),
    (rules.files_belong_to_no_machine, "a.pem", "-----BEGIN RSA PRIVATE" + " KEY-----"),
]
OF_PYTHON: list[tuple[Rule, str, str]] = [
    (rules.functions_are_short, "tests/a.py", LONG_FUNCTION),
    (rules.modules_state_their_idea, "adapters/a.py", "x = 1"),
    (rules.rules_are_pure, "domain/a.py", "at = datetime.datetime.now(UTC)"),
    (rules.rules_are_pure, "projections/a.py", "id = uuid4()"),
    (rules.rules_are_pure, "domain/a.py", "from random import choice"),
    (rules.money_is_decimal, "domain/a.py", "net: float"),
    (rules.facts_are_logged, "application/a.py", "print(1)"),
    (rules.facts_are_logged, "adapters/a.py", 'log.info(f"{name} happened")'),
    (rules.facts_are_logged, "adapters/a.py", 'log.info("%s happened" % name)'),
    (rules.loops_do_not_sleep, "adapters/a.py", "async def f():\n    time.sleep(1)"),
    (rules.errors_are_not_swallowed, "adapters/a.py", "try: f()\nexcept Exception: pass"),
    (rules.errors_are_not_swallowed, "adapters/a.py", "with suppress(Exception): f()"),
    (
        rules.every_case_is_named,
        "domain/a.py",
        "def evolve(self, event):\n    match event:\n        case _: return self",
    ),
    (rules.any_has_its_reason, "application/a.py", "def f(x: Any): ..."),
    (rules.modules_know_only_shared_words, "domain/a.py", "from domain.invoicing import X"),
    (rules.modules_know_only_shared_words, "domain/a/b.py", "from domain import invoicing"),
    (rules.tests_assert, "tests/test_a.py", "def test_a_thing_holds(): f()"),
    (rules.tests_are_sentences, "tests/test_a.py", "def test_it(): assert 1"),
    (rules.our_code_is_not_mocked, "tests/test_a.py", "from unittest.mock import Mock"),
    (rules.our_code_is_not_mocked, "tests/test_a.py", "from unittest import mock"),
]
OBEDIENT = [
    (rules.rules_are_pure, "adapters/a.py", "at = datetime.now(UTC)"),
    (rules.facts_are_logged, "adapters/cli/a.py", "print(1)"),
    (rules.facts_are_logged, "adapters/a.py", 'log.info("thing.happened", name=f"{x}")'),
    (rules.notes_lead_somewhere, "domain/a.py", "x = 1  # TO" + "DO #12: later."),
    (rules.any_has_its_reason, "domain/a.py", "x: Any  # Any: each command has its own."),
    (rules.modules_know_only_shared_words, "domain/a/b.py", "from domain.a.c import X"),
    (rules.tests_assert, "tests/test_a.py", "def test_a(): given(x).when(y).then_refused('z')"),
    (rules.modules_state_their_idea, "domain/__init__.py", ""),
    (rules.files_belong_to_no_machine, "docs/a.md", "https://example.org/ho" + "me/index.html"),
]


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _, _ in OF_TEXT))
def test_every_file_obeys(rule: Rule) -> None:
    broken = offences(rule, sources())
    assert not broken, f"\n{broken}"


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _, _ in OF_PYTHON))
def test_every_python_file_obeys(rule: Rule) -> None:
    broken = offences(rule, python())
    assert not broken, f"\n{broken}"


@pytest.mark.parametrize(("rule", "path", "text"), OF_TEXT + OF_PYTHON)
def test_a_rule_finds_its_bad_example(rule: Rule, path: str, text: str) -> None:
    assert offences(rule, [Source(path, text)]).startswith(f"{path}:")


@pytest.mark.parametrize(("rule", "path", "text"), OBEDIENT)
def test_a_rule_leaves_a_good_example_alone(rule: Rule, path: str, text: str) -> None:
    assert offences(rule, [Source(path, text)]) == ""


def test_every_rule_is_applied_to_the_tree() -> None:
    applied = {rule for rule, _, _ in OF_TEXT + OF_PYTHON}
    written = {
        value
        for value in vars(rules).values()
        if getattr(value, "__module__", "") == rules.__name__
    }
    helpers = {rules.tests_of, rules.is_assertion, rules.is_wildcard, rules.is_dots}
    assert written - helpers == applied

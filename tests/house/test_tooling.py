"""What a stranger types first: make, .ci/run, and the venv behind them."""

import ast
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.source import ROOT, source

CONTRACT = ["run", "test", "demo", "check", "bench"]
SET_UP = runpy.run_path(str(ROOT / ".ci" / "set_up.py"))
complaint: Callable[..., str | None] = SET_UP["complaint"]
no_advisories: Callable[[str], str | None] = runpy.run_path(str(ROOT / ".ci" / "audit.py"))[
    "complaint"
]


@pytest.mark.parametrize("target", [*CONTRACT, "setup", "coverage"])
def test_make_has_the_targets_that_others_rely_on(target: str) -> None:
    assert re.search(rf"^{target}:.* ## .+\.$", source("Makefile").text, re.MULTILINE)


def test_the_product_takes_the_place_of_the_shell_so_that_signals_reach_it() -> None:
    assert "\n\t@exec $(BIN)/asiento up\n" in source("Makefile").text


def test_ci_runs_the_checks_and_then_all_tests() -> None:
    script = source(".ci/run")
    assert script.lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in script.lines
    assert re.findall(r"^make .*?(\w+) \|\|", script.text, re.MULTILINE) == ["check", "test"]


def test_ci_is_a_valid_script_and_may_be_executed() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(("/usr/bin/env", "bash", "-n", script), check=False).returncode == 0


def test_an_old_python_is_told_what_is_needed() -> None:
    said = complaint((3, 9), lambda _: True)
    assert said is not None
    assert "3.11 or newer" in said
    assert "make PYTHON=" in said


def test_a_python_without_venv_is_told_which_package_to_install() -> None:
    said = complaint((3, 12), lambda name: name != "ensurepip")
    assert said is not None
    assert "apt install python3.12-venv" in said


def test_a_whole_python_gives_no_complaint() -> None:
    assert complaint(sys.version_info[:2], lambda _: True) is None


def test_the_set_up_is_readable_to_old_pythons() -> None:
    assert ast.parse(source(".ci/set_up.py").text, feature_version=(3, 7))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ('{"vulnerabilities": [{"id": "X"}]}', None),
        ('{"vulnerabilities": []}', "names no flaws"),
        ('{"info": {}}', "names no flaws"),
        ("<html>", "can't be read"),
        (None, "can't be read"),
    ],
    ids=["some", "none", "nothing of them", "no JSON", "no index"],
)
def test_an_index_without_advisories_is_not_taken_for_one_that_knows_of_none(
    tmp_path: Path, told: str | None, why: str | None
) -> None:
    place = tmp_path / "index.json"
    if told is not None:
        place.write_text(told)
    said = no_advisories(place.as_uri())
    assert said is None if why is None else why in str(said)


def test_the_licence_is_apache_2() -> None:
    text = source("LICENSE").text
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text

"""The table of the standard: each item once, in order, and each test that it names is there."""

import ast
import re
import tomllib
from typing import Final

from tests.house.source import LAYERS, ROOT, dotted, python, source

PAGE: Final = source("docs/asvs.md")
STATES: Final = {"met", "partly", "not met", "—"}
ROW: Final = re.compile(r"\| \d")
HEAD: Final = ("Item", "Asks for", "", "How", "Shown by")
NAMED: Final = re.compile(r"`([\w/]+\.py)::(\w+)`")
PRODUCT: Final = tuple(each for each in python() if each.layer in LAYERS)
CRYPTOGRAPHY: Final = ("cryptography", "joserfc", "argon2", "webauthn", "hmac")
WEAK: Final = {"md5", "sha1", "DES", "TripleDES", "ARC4", "Blowfish", "ECB", "CBC", "PKCS1v15"}
LISTS_OF_OTHERS: Final = {"adapters/accounts/breached.py"}
"""Found by the hashes that those who publish them use; nothing is protected by them."""


def rows() -> list[list[str]]:
    """Read the cells of each row that begins with a number."""
    lines = (line for line in PAGE.lines if ROW.match(line))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def items(text: str) -> list[tuple[int, ...]]:
    """Read all numbers of a row, of ranges both ends."""
    return [tuple(map(int, each.split("."))) for each in re.findall(r"\d+(?:\.\d+)+", text)]


def test_each_row_has_one_state_and_a_test_or_a_reason() -> None:
    assert len(rows()) > 100
    assert {len(cells) for cells in rows()} == {len(HEAD)}
    for item, asks, state, how, tests in rows():
        assert state in STATES, item
        assert asks, item
        assert how or state == "met", item
        assert NAMED.search(tests) or state in {"—", "not met"}, item


def test_the_items_stand_once_and_in_order() -> None:
    found = [number for item, *_ in rows() for number in items(item)]
    assert len(found) == len(set(found))
    chapters = [items(item)[0][0] for item, *_ in rows()]
    assert chapters == sorted(chapters)


def test_every_test_that_is_named_is_there() -> None:
    named = set(NAMED.findall(PAGE.text)) | set(NAMED.findall(source("docs/security.md").text))
    lost = [f"{path}::{name}" for path, name in sorted(named) if not _is_there(path, name)]
    assert lost == []


def _is_there(path: str, name: str) -> bool:
    file = ROOT / "tests" / path
    definition = rf"^(async )?def {name}\("
    return file.exists() and bool(re.search(definition, file.read_text(), re.MULTILINE))


def test_the_standard_leads_to_what_it_names() -> None:
    anchors = {f"#{line[3:].lower().replace(' ', '-')}" for line in PAGE.lines if line[:3] == "## "}
    for target in re.findall(r"\]\((#[^)]+)\)", PAGE.text):
        assert target in anchors


def test_nothing_is_run_by_a_shell() -> None:
    banned = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    for module in PRODUCT:
        for call in module.nodes(ast.Call):
            assert dotted(call.func) not in banned, module.at(call, "a shell")
            assert "shell" not in {word.arg for word in call.keywords}, module.at(call, "a shell")


def test_checks_look_for_flaws() -> None:
    check = re.search(r"^check: (.*?) ##", source("Makefile").text, re.MULTILINE)
    assert check is not None
    assert {"lint", "flaws"} <= set(check[1].split())
    tools = tomllib.loads(source("pyproject.toml").text)["tool"]
    assert tools["ruff"]["lint"]["select"] == ["ALL"]
    flaws = {rule for rule in tools["ruff"]["lint"]["ignore"] if re.fullmatch(r"S\d*", rule)}
    assert flaws == {"S101"}, "What bandit leaves to ruff has to be looked for by ruff."


def test_the_inventory_names_each_module_that_uses_cryptography() -> None:
    users = {
        module.path
        for module in PRODUCT
        if any(name.split(".")[0] in CRYPTOGRAPHY for _, name in module.imports())
    }
    _, _, section = PAGE.text.partition("\nCryptography is used in ")
    named = set(re.findall(r"`([\w/]+\.py)`", section.partition("\n")[0]))
    assert named == users


def test_no_weak_cryptography_is_used() -> None:
    for module in PRODUCT:
        names = {name.rpartition(".")[2] for _, name in module.imports()}
        names |= {node.attr for node in module.nodes(ast.Attribute)}
        assert not names & WEAK or module.path in LISTS_OF_OTHERS, module.path

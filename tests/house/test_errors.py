"""Every code that a caller can be answered with has one meaning, and stands in docs/errors.md."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.house.source import LAYERS, Source, dotted, python, source

CODE = r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+"
ROW = rf"^\| `({CODE})` \| [^|]+ \| [^|]+ \|$"
PRODUCT = tuple(each for each in python() if each.layer in LAYERS)


@dataclass(frozen=True)
class Raised:
    """A place where a caller is told no. The code is None where it is no literal."""

    module: str
    where: str
    error: str
    code: str | None


def kinds_of_error(of: Iterable[Source]) -> set[str]:
    """Name ApplicationError, Refused, and whatever is derived from them, however far."""
    bases = {
        each.name: {dotted(base).rpartition(".")[2] for base in each.bases}
        for module in of
        for each in module.nodes(ast.ClassDef)
    }
    kinds, found = {"Refused"}, {"ApplicationError"}
    while found:
        kinds |= found
        found = {name for name, parents in bases.items() if parents & kinds} - kinds
    return kinds


def raised(of: Iterable[Source]) -> Iterator[Raised]:
    of = tuple(of)
    kinds = kinds_of_error(of)
    for module in of:
        for call in module.nodes(ast.Call):
            error = dotted(call.func).rpartition(".")[2]
            if error in kinds and call.args:
                first = call.args[0]
                literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
                yield Raised(
                    module=module.path,
                    where=module.at(call, error),
                    error=error,
                    code=ast.literal_eval(first) if literal else None,
                )


def documented() -> list[str]:
    return re.findall(ROW, source("docs/errors.md").text, flags=re.MULTILINE)


def test_every_code_is_documented() -> None:
    codes = {each.code: each.where for each in raised(PRODUCT) if each.code}
    missing = [f"{codes[code]}: {code}" for code in sorted(codes.keys() - set(documented()))]
    assert not missing, "Say in docs/errors.md what to do about:\n" + "\n".join(missing)


def test_no_documented_code_is_out_of_use() -> None:
    text = "\n".join(each.text for each in PRODUCT)
    unused = [code for code in documented() if f'"{code}"' not in text]
    assert not unused, f"Nothing answers with {unused}: take them out of docs/errors.md."


def test_the_documented_codes_stand_once_and_in_order() -> None:
    assert documented() == sorted(set(documented()))


def test_every_code_is_dotted_and_lower_case() -> None:
    codes = ((each.where, each.code) for each in raised(PRODUCT) if each.code)
    odd = [f"{where}: {code}" for where, code in codes if not re.fullmatch(CODE, code)]
    assert not odd, "Use module.what_happened:\n" + "\n".join(odd)


def test_a_rule_refuses_with_a_literal_code_of_its_own_module() -> None:
    users = defaultdict(set)
    for each in raised(PRODUCT):
        if each.error == "Refused" and each.module.startswith("domain/"):
            assert each.code, f"{each.where}: write the code out, so that it can be found."
            users[each.code].add(each.module)
    shared = {code: modules for code, modules in users.items() if len(modules) > 1}
    assert not shared, "A code has one meaning, so one module."


def test_a_code_is_found_under_a_derived_error() -> None:
    text = "class Gone(errors.NotFound): ...\nclass NotFound(ApplicationError): ...\n"
    found = raised([Source("adapters/a.py", text + 'raise Gone("a.gone", "It is gone.")')])
    assert [each.code for each in found] == ["a.gone"]

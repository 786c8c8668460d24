"""The house rules that a single file keeps or breaks. Each says what to write instead."""

import ast
from collections.abc import Iterator

from tests.house.source import LAYERS, Function, Source, dotted

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 40
NAME_WORDS_MIN = 3

PURE = ("domain", "projections")
TYPED = (*PURE, "application")
SHARED_DOMAIN_MODULES = {"kernel", "money", "ids"}
CODE_SUFFIXES = (".py", ".sql", ".toml", ".yaml", ".yml", "Makefile", "Dockerfile", ".ci/run")

IMPURE_CALLS = {
    "datetime.now": "pass the time in as a field",
    "datetime.utcnow": "pass the time in as a field",
    "datetime.today": "pass the time in as a field",
    "time.time": "pass the time in as a field",
    "date.today": "pass the date in as a field",
    "uuid4": "pass the id in as a field",
    "uuid7": "pass the id in as a field",
    "getenv": "pass the setting in as a field",
    "open": "pass the content in as a field",
}
IMPURE_MODULES = {
    "random": "pass the number in as a field",
    "secrets": "pass the secret's hash in as a field",
    "os": "pass the value in as a field",
    "asyncio": "keep rules synchronous and leave waiting to application",
    "logging": "leave logging to application and adapters",
}
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
MACHINE_PATH = r"(?<![\w.*-])/(?:root|home|work|Users)\b"
CREDENTIAL = r"-{5}BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{36}|\bglpat-\w{20}"
INDEX = r"(?<!no-emit-)\b(?:extra-)?index[-]url\b|\btrusted[-]host\b"


def files_are_short(source: Source) -> Iterator[str]:
    if source.path.endswith(CODE_SUFFIXES) and len(source.lines) > FILE_LINES_MAX:
        yield source.at(
            len(source.lines),
            f"{len(source.lines)} lines are too many, use a folder of files"
            f" of at most {FILE_LINES_MAX}.",
        )


def functions_are_short(source: Source) -> Iterator[str]:
    for function in source.functions():
        length = (function.end_lineno or 0) - function.lineno + 1
        if length > FUNCTION_LINES_MAX:
            yield source.at(
                function,
                f"{function.name} has {length} lines, use helpers of at most {FUNCTION_LINES_MAX}.",
            )


def modules_state_their_idea(source: Source) -> Iterator[str]:
    if source.layer in LAYERS and source.tree.body and not ast.get_docstring(source.tree):
        yield source.at(1, "A module without a docstring is banned, use one that states its idea.")


def rules_are_pure(source: Source) -> Iterator[str]:
    if source.layer not in PURE:
        return
    for call in source.nodes(ast.Call):
        for name, instead in IMPURE_CALLS.items():
            if f".{dotted(call.func)}".endswith(f".{name}"):
                yield source.at(call, f"{name}( is banned in {source.layer}, {instead}.")
    for line, name in source.imports():
        if why := IMPURE_MODULES.get(name.partition(".")[0]):
            yield source.at(line, f"{name} is banned in {source.layer}, {why}.")


def money_is_decimal(source: Source) -> Iterator[str]:
    if source.layer == "domain":
        for name in source.nodes(ast.Name):
            if name.id == "float":
                yield source.at(name, "float is banned in domain, use Decimal.")


def facts_are_logged(source: Source) -> Iterator[str]:
    for call in source.nodes(ast.Call):
        name = dotted(call.func)
        if name == "print" and source.layer in LAYERS and "adapters/cli/" not in source.path:
            yield source.at(call, 'print( is banned, use log.info("thing.happened", field=...).')
        logger, _, method = name.rpartition(".")
        first = call.args[0] if call.args else None
        if (
            logger in {"log", "logger"}
            and method in LOG_METHODS
            and isinstance(first, ast.JoinedStr | ast.BinOp)
        ):
            yield source.at(call, "A formatted log message is banned, use fields.")


def notes_lead_somewhere(source: Source) -> Iterator[str]:
    if source.is_python:
        notes = source.comments()
    elif source.path.endswith(CODE_SUFFIXES):
        notes = source.find(r"(?:--|#).*")
    else:
        return
    for line, note in notes:
        word, _, rest = note.lstrip("#- ").partition(" ")
        if word.startswith("FIXME"):
            yield source.at(line, "FIXME is banned, use a fix.")
        if word.startswith("TODO") and not rest.startswith("#"):
            yield source.at(line, "TODO is banned without its issue, use TODO #12.")


def loops_do_not_sleep(source: Source) -> Iterator[str]:
    for function in source.nodes(ast.AsyncFunctionDef):
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and dotted(call.func) == "time.sleep":
                yield source.at(call, "time.sleep( is banned in async code, use asyncio.sleep.")


def errors_are_not_swallowed(source: Source) -> Iterator[str]:
    message = "is banned, use the exceptions you mean, or let it crash and be logged at the edge."
    for handler in source.nodes(ast.ExceptHandler):
        broad = handler.type is None or dotted(handler.type) in {"Exception", "BaseException"}
        if broad and all(isinstance(line, ast.Pass) or is_dots(line) for line in handler.body):
            yield source.at(handler, f"A broad except that passes {message}")
    for call in source.nodes(ast.Call):
        if dotted(call.func).endswith("suppress") and any(
            dotted(each) in {"Exception", "BaseException"} for each in call.args
        ):
            yield source.at(call, f"suppress(Exception) {message}")


def every_case_is_named(source: Source) -> Iterator[str]:
    """A forgotten event must be a type error, which ``case _`` would hide."""
    if source.layer not in PURE:
        return
    for function in source.functions():
        if function.name not in {"decide", "evolve", "apply"}:
            continue
        for case in ast.walk(function):
            if isinstance(case, ast.match_case) and is_wildcard(case.pattern):
                yield source.at(case.pattern, f"case _ is banned in {function.name}, name them.")


def any_has_its_reason(source: Source) -> Iterator[str]:
    if source.layer not in TYPED:
        return
    lines = {name.lineno for name in source.nodes(ast.Name) if name.id == "Any"}
    for line in sorted(lines):
        text = source.lines[line - 1]
        if "# Any:" not in text and not ("# noqa:" in text and " - " in text):
            yield source.at(line, "Any is banned, use the type, or say why: # Any: the reason.")


def modules_know_only_shared_words(source: Source) -> Iterator[str]:
    """A module knows another only by its events and ids, and only in application."""
    if source.layer != "domain":
        return
    own = source.path.removesuffix(".py").split("/")[1]
    for line, name in source.imports():
        layer, other = [*name.split("."), ""][:2]
        if layer == "domain" and other not in {own, *SHARED_DOMAIN_MODULES}:
            yield source.at(
                line,
                f"domain.{other} is banned in domain.{own}, use the ids of domain.ids"
                " and join the two in application.",
            )


def files_belong_to_no_machine(source: Source) -> Iterator[str]:
    for line, found in source.find(MACHINE_PATH):
        yield source.at(line, f"{found} is banned, use a path relative to the checkout.")
    for line, found in source.find(INDEX):
        yield source.at(line, f"{found} is banned, use what pip is configured to use.")
    for line, _ in source.find(CREDENTIAL):
        yield source.at(line, "A secret is banned, use a setting.")


def tests_assert(source: Source) -> Iterator[str]:
    for test in tests_of(source):
        if not any(is_assertion(node) for node in ast.walk(test)):
            yield source.at(test, f"{test.name} asserts nothing, use assert, raises or .then(...).")


def tests_are_sentences(source: Source) -> Iterator[str]:
    for test in tests_of(source):
        if len(test.name.removeprefix("test_").split("_")) < NAME_WORDS_MIN:
            yield source.at(test, f"{test.name} is banned, use a sentence about what holds.")


def our_code_is_not_mocked(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        if name.startswith(("unittest.mock", "mock.", "pytest_mock")):
            yield source.at(line, "Mocks are banned, use the fakes in adapters/memory.py.")


def tests_of(source: Source) -> Iterator[Function]:
    if source.layer == "tests" and source.name.startswith("test_"):
        for function in source.functions():
            if function.name.startswith("test_"):
                yield function


def is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        last = dotted(node.func).rpartition(".")[2] or getattr(node.func, "attr", "")
        return last == "raises" or last.startswith("then")
    return isinstance(node, ast.Assert)


def is_wildcard(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name is None


def is_dots(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant(value=value)):
            return value is ...
    return False

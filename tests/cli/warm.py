"""Commands in processes of their own that are born warm: what they import is imported once.

A call is a process as ever, with an environment, streams and an exit code of its own. What it is
spared is to import everything first, which takes most of a second, hundreds of times over.
"""

import importlib
import os
import pkgutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

from adapters import cli
from adapters.cli.main import main

for module in pkgutil.iter_modules(cli.__path__, f"{cli.__name__}."):
    importlib.import_module(module.name)


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], given: str, timeout: float
) -> CompletedProcess[str]:
    """As `subprocess.run` for a command of ours, in a process forked from a warm one."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory(prefix="asiento-command-") as name:
        folder = Path(name)
        (folder / "in").write_text(given)
        process = context.Process(target=_born, args=(folder, tuple(arguments), dict(env)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(arguments, timeout)
        out, err = ((folder / each).read_text() for each in ("out", "err"))
        return CompletedProcess(arguments, process.exitcode, out, err)


def _born(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Be what the command line would be: nothing of the process that forked is left to see."""
    os.environ.clear()
    os.environ.update(environment)
    for number, (name, mode) in enumerate((("in", "rb"), ("out", "wb"), ("err", "wb"))):
        with (folder / name).open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    sys.argv = ["asiento", *arguments]
    main()

"""Commands of ours as operators start them, on the servers of a case."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from subprocess import PIPE, Popen, TimeoutExpired, run
from typing import Any, Final

import msgspec

from adapters.embedded.servers import Urls
from benchmarks.appending.server import Server
from benchmarks.support.report import CHECKOUT

ASIENTO: Final = (sys.executable, "-m", "adapters.cli.main")
STOP_SECONDS_MAX: Final = 30


def environment(server: Server, urls: Urls) -> Mapping[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": urls.database_url,
        "DATABASE_ADMIN_URL": urls.admin_database_url,
        "REDIS_URL": urls.redis_url,
        "ASIENTO_DATA": str(server.folder),
        "LOG_LEVEL": "warning",
    }


def asiento(server: Server, urls: Urls, *arguments: str) -> Any:  # noqa: ANN401 - its JSON.
    """Run a command to its end, and return its answer.

    Raises:
        RuntimeError: It failed.

    """
    done = run(
        (*ASIENTO, *arguments, "--json"),
        capture_output=True,
        check=False,
        cwd=CHECKOUT,
        env=environment(server, urls),
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise RuntimeError(f"asiento {' '.join(arguments)} failed: {said[-2000:]}")
    return msgspec.json.decode(done.stdout)


@contextmanager
def projector(server: Server, urls: Urls) -> Iterator[int]:
    """Run a projector process for the block, and say its pid."""
    command = (*ASIENTO, "projector")
    process = Popen(command, cwd=CHECKOUT, env=environment(server, urls), stdin=PIPE)
    try:
        yield process.pid
        if process.poll() is not None:
            raise RuntimeError("The projector ended; its error stands above.")
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except TimeoutExpired:
            process.kill()
            process.wait()

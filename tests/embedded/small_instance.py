"""An instance whose processes are small: an API that only answers, and others that only wait.

Started as ``python -m tests.embedded.small_instance``, with settings from the environment.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import structlog

from adapters.cli.up import up
from adapters.settings import load_settings

PROCESSES = ("api", "scheduler", "worker", "projector")


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def main(name: str = "") -> int:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = load_settings()
    if name == "api":
        HTTPServer((settings.asiento_host, settings.port), _Ready).serve_forever()
    if name:
        time.sleep(600)
    argv = (sys.executable, "-m", "tests.embedded.small_instance")
    return up(settings, {process: (*argv, process) for process in PROCESSES})


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

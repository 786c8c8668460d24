"""Logs that are no terminal's are JSON lines of facts, ours and those of libraries."""

import json
import subprocess
import sys

import pytest

from adapters.logging import configure_logging
from adapters.settings import Settings
from application.errors import Malformed

SPEAK = """
import logging, structlog
from decimal import Decimal
from adapters.logging import configure_logging
from adapters.settings import Settings
configure_logging(Settings(), "api")
structlog.contextvars.bind_contextvars(request_id="r")
log = structlog.get_logger()
log.debug("not.told")
log.info("thing.happened", amount=Decimal("1.50"))
logging.getLogger("uvicorn.error").info("not told")
logging.getLogger("alembic").warning("beware of %s", "it")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("thing.failed")
"""


def test_every_line_is_a_fact_in_json() -> None:
    done = subprocess.run([sys.executable, "-c", SPEAK], capture_output=True, check=True, text=True)
    happened, beware, failed = [json.loads(line) for line in done.stderr.splitlines()]
    assert (happened["event"], happened["amount"], happened["level"]) == (
        "thing.happened",
        "1.50",
        "info",
    )
    assert (happened["service"], happened["request_id"]) == ("api", "r")
    assert (beware["event"], beware["logger"], beware["level"]) == (
        "beware of it",
        "alembic",
        "warning",
    )
    assert "ZeroDivisionError" in failed["exception"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(Malformed, match="LOG_LEVEL is loud"):
        configure_logging(Settings(log_level="loud"))

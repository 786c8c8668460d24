"""Logs are facts with fields: colours for people on a terminal, JSON lines for everything else."""

import logging
import sys
from typing import Any, Final

import msgspec
import structlog
from structlog.types import Processor

from adapters.settings import Settings
from application.errors import Malformed

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
OF_OTHERS: Final = logging.WARNING
"""What libraries say below this is of use to their authors only."""


def configure_logging(settings: Settings, service: str = "asiento") -> None:
    """Send the logs of this process, those of its libraries included, to stderr.

    Raises:
        Malformed: LOG_LEVEL is none of the levels.

    """
    level = LEVELS.get(settings.log_level.lower())
    if level is None:
        raise Malformed(
            "settings.unknown_level",
            f"LOG_LEVEL is {settings.log_level}.",
            hint=f"Use one of {', '.join(LEVELS)}.",
        )
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _Service(service),
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = _renderers()
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, structlog.stdlib.add_logger_name],
            processors=[remove, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, OF_OTHERS), force=True)
    # A database that is away is told once, by whoever waits for it, and without its address.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


class _Service:
    """Says which process speaks, whatever task it speaks from."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(
        self, _logger: object, _method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        event.setdefault("service", self._name)
        return event


def _renderers() -> list[Processor]:
    if sys.stderr.isatty():
        # What stands in variables may be secret, or about a person.
        traceback = structlog.dev.RichTracebackFormatter(show_locals=False)
        return [structlog.dev.ConsoleRenderer(exception_formatter=traceback)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: Any, **_options: object) -> str:  # noqa: ANN401 - of any fields.
    return msgspec.json.encode(event, enc_hook=str).decode()

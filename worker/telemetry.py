"""Logs: events with fields, on stderr; `worker/stream/accounts.py` has the canonical lines.

Never logged: image bytes, fingerprints, secrets, addresses inside events.
"""

import logging
import sys
from typing import TextIO

import structlog

from worker.settings.seen import LoggingSettings

Log = structlog.typing.FilteringBoundLogger

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

NOISE = (
    # Logged as an error while the client retries, until a predecessor's transaction is settled.
    "UNSTABLE_OFFSET_COMMIT",
    "UnstableOffsetCommitError",
    # A loaded machine is late; the client says so of its own loop at every tenth of a second.
    "It is blocking the event loop",
)


class _DropNoise(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(noise in message for noise in NOISE)


def configure_logging(settings: LoggingSettings, stream: TextIO | None = None) -> None:
    """Send structlog's and the libraries' logs to stderr; called once, by the command line."""
    stream = stream or sys.stderr
    as_json = settings.format == "json" or (settings.format == "auto" and not stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(_DropNoise())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *shared,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),  # the fields of `extra=`, or they would be dropped
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # kafka-python says at "info" what the worker says itself, and every reconnect as a warning.
    root.setLevel(max(_LEVELS[settings.level], logging.WARNING))

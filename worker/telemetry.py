"""Logs: events with fields, one canonical line a batch and one a rejected event, on stderr.

Never logged: image bytes, fingerprints, secrets, addresses inside events.
"""

import logging
import sys
from typing import TextIO

import structlog

from worker.events.dead_letter import DeadLetter
from worker.settings import LoggingSettings

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
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # kafka-python says at "info" what the worker says itself, and every reconnect as a warning.
    root.setLevel(max(_LEVELS[settings.level], logging.WARNING))


def log_batch(
    log: Log, *, images: int, rejected: int, seconds: float, revision: int | None
) -> None:
    """The canonical line of a batch."""
    log.debug(
        "batch",
        images=images,
        rejected=rejected,
        seconds=round(seconds, 4),
        registry_revision=revision,
    )


def log_commit(log: Log, *, events: int, records: int, seconds: float, in_flight: int) -> None:
    """The canonical line of a transaction."""
    log.info(
        "commit", events=events, records=records, seconds=round(seconds, 4), in_flight=in_flight
    )


def log_rejected(log: Log, letter: DeadLetter) -> None:
    """The canonical line of a rejected event."""
    log.warning(
        "rejected",
        topic=letter.origin.topic,
        partition=letter.origin.partition,
        offset=letter.origin.offset,
        code=letter.code,
        stage=letter.stage,
        message=letter.message,
        attempts=letter.attempts,
    )

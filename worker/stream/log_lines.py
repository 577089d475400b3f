"""The canonical lines of the stream: one a batch, one a transaction, one a rejected event."""

from worker.events.dead_letter import DeadLetter
from worker.telemetry import Log


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

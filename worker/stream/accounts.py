"""What is said of batches, transactions and answers: the log's canonical lines, and the figures.

One line a batch, one a transaction, one a rejected event.
"""

from collections import Counter
from collections.abc import Sequence

from worker.events.dead_letter import DeadLetter
from worker.metrics import Figures
from worker.stream.answers import Answer
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


def count_answers(figures: Figures, answers: Sequence[Answer]) -> None:
    """Count the answers of one transaction, each combination of labels with one addition."""
    figures.add("events_committed", len(answers))
    codes: Counter[str] = Counter()
    verdicts: Counter[tuple[str, bool]] = Counter()
    reasons: Counter[str] = Counter()
    for answer in answers:
        if isinstance(answer, DeadLetter):
            codes[answer.code] += 1
        else:
            verdicts[answer.outcome, answer.flagged] += 1
            reasons.update({reason.partition(":")[0] for reason in answer.reasons})
    for code, count in codes.items():
        figures.add("rejects", count, code=code)
    for (outcome, flagged), count in verdicts.items():
        figures.add("verdicts", count, outcome=outcome, flagged="true" if flagged else "false")
    for reason, count in reasons.items():
        figures.add("verdict_reasons", count, reason=reason)

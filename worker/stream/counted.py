"""What the figures say of answers that were committed."""

from collections import Counter
from collections.abc import Sequence

from worker.events.dead_letter import DeadLetter
from worker.metrics import Figures
from worker.stream.answers import Answer


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
            verdict = answer.judged.verdict
            verdicts[verdict.outcome, verdict.flagged] += 1
            reasons.update({reason.partition(":")[0] for reason in verdict.reasons})
    for code, count in codes.items():
        figures.add("rejects", count, code=code)
    for (outcome, flagged), count in verdicts.items():
        figures.add("verdicts", count, outcome=outcome, flagged="true" if flagged else "false")
    for reason, count in reasons.items():
        figures.add("verdict_reasons", count, reason=reason)

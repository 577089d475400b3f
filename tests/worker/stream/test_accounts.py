"""What the figures say of committed answers: each once, under labels that take few values."""

from worker.events.cloudevents import Origin
from worker.events.dead_letter import DeadLetter
from worker.metrics import Figures
from worker.stream.accounts import count_answers
from worker.stream.answers import Answer, Verdicted


def verdict(outcome: str, flagged: bool, *reasons: str) -> Answer:
    return Verdicted(outcome, flagged, reasons, ())


def letter(code: str) -> Answer:
    return DeadLetter(Origin("images", 0, 0), None, b"", (), code, "event", "no")


def samples(figures: Figures, name: str) -> dict[str, float]:
    """The values of a counter by those of its labels, the slot left out."""
    found = {}
    for family in figures.registry.collect():
        for sample in family.samples:
            if family.name == f"latentprint_{name}":
                values = [v for label, v in sample.labels.items() if label != "slot"]
                found[" ".join(values)] = sample.value
    return found


def test_each_answer_is_counted_once_by_outcome_reason_and_code() -> None:
    figures = Figures()
    count_answers(
        figures,
        [
            verdict("no_evidence", False, "real_test_not_passed", "shadow_match:a"),
            verdict("no_evidence", False, "real_test_not_passed"),
            verdict("attributed", True, "model_accepts"),
            letter("schema"),
            letter("schema"),
        ],
    )
    assert figures.read()["events_committed"] == 5
    assert samples(figures, "verdicts") == {"no_evidence false": 2, "attributed true": 1}
    assert samples(figures, "rejects") == {"schema": 2}
    assert samples(figures, "verdict_reasons")["model_accepts"] == 1


def test_a_reason_that_names_a_model_is_counted_without_the_name_and_once_a_verdict() -> None:
    figures = Figures()
    count_answers(figures, [verdict("no_evidence", False, "shadow_match:a", "shadow_match:b")])
    assert samples(figures, "verdict_reasons") == {"shadow_match": 1}

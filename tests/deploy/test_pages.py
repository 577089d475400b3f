"""The pages on deployment and privacy say what the program does."""

import re
from pathlib import Path

from deploy.tools.check import REFUSED
from worker.broker.topics import Topics, plan_topics
from worker.events.records import Verdict

PAGES = Path(__file__).resolve().parents[2] / "docs" / "operations"
DAY_MS = 24 * 60 * 60 * 1000


def test_the_days_that_topics_are_kept_are_those_of_the_plan() -> None:
    text = (PAGES / "privacy.md").read_text(encoding="utf-8")
    table = text.split("<!-- table of topics -->")[1].split("<!-- end -->")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", table, re.MULTILINE)
    plans = plan_topics(Topics(""))
    assert {name: int(days) for name, days in rows} == {
        plan.name: plan.retention_ms // DAY_MS for plan in plans
    }


def test_the_fields_for_statements_of_reasons_are_in_a_verdict() -> None:
    text = (PAGES / "privacy.md").read_text(encoding="utf-8")
    table = text.split("What a verdict has for it:")[1].split("What it has not")[0]
    rows = re.findall(r"^\| [^|]+ \| (.+) \|$", table, re.MULTILINE)[2:]
    named = {name.split(".")[0] for row in rows for name in re.findall(r"`([a-z_.0-9]+)`", row)}
    assert len(named) > 15
    assert named <= set(Verdict.model_fields)


def test_the_page_counts_the_values_that_are_refused() -> None:
    words = {9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}
    text = (PAGES / "deploy.md").read_text(encoding="utf-8")
    assert f"{words[len(REFUSED)]} values files that must be refused" in text

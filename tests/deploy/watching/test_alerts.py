"""Each alarm fires when it must, is silent when it must not, and leads to what is to be done."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.deploy.watching.case import Fires, Silent
from tests.deploy.watching.cases_judging import JUDGING
from tests.deploy.watching.cases_running import RUNNING
from tests.deploy.watching.queries import asked_values, undeclared
from tests.deploy.watching.rules import FILE, WATCHING, read_rules
from tests.test_docs import reject_codes, verdict_reasons
from tests.tools import tool

PAGE = Path(__file__).parents[3] / "docs" / "operations" / "alarms.md"
LEADS = ("What it means", "Who notices", "Look", "Do", "Wake somebody")
CASES = [*RUNNING, *JUDGING]
RULES = {rule.name: rule for rule in read_rules()}


def promtool(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    program = tool("promtool")
    return subprocess.run(
        [str(program.path), *arguments],
        cwd=folder,
        env=os.environ | program.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def as_test(case: Fires | Silent) -> dict[str, Any]:
    """One case in promtool's own words; what is said is held against the rule's annotations."""
    rule = RULES[case.alarm]
    expected = []
    if isinstance(case, Fires):
        said = {"summary": rule.summary, "description": case.description}
        expected.append(
            {
                "exp_labels": {"severity": rule.severity, **case.labels},
                "exp_annotations": {**said, "runbook_url": rule.runbook},
            }
        )
    return {
        "interval": "10m" if case.long else "1m",
        "input_series": [{"series": name, "values": v} for name, v in case.series.items()],
        "alert_rule_test": [
            {"eval_time": case.at, "alertname": case.alarm, "exp_alerts": expected}
        ],
    }


def run_cases(rules: Path, folder: Path) -> str:
    """What promtool says of all cases; empty where every one holds."""
    # Prometheus looks four times as often; but each look costs time here, and a day has many.
    files = {"short.json": (False, "1m"), "long.json": (True, "10m")}
    for name, (long, every) in files.items():
        tests = [as_test(case) for case in CASES if case.long == long]
        document = {"rule_files": [str(rules)], "evaluation_interval": every, "tests": tests}
        (folder / name).write_text(json.dumps(document))  # JSON is YAML
    said = promtool("test", "rules", *files, folder=folder)
    return "" if said.returncode == 0 else said.stdout + said.stderr


def test_every_alarm_has_figures_at_which_it_fires_and_others_at_which_it_is_silent() -> None:
    assert len(RULES) >= 12
    assert {case.alarm for case in CASES if isinstance(case, Fires)} == set(RULES)
    assert {case.alarm for case in CASES if isinstance(case, Silent)} == set(RULES)


def test_every_alarm_fires_when_it_must_and_says_the_figures_and_else_is_silent(
    tmp_path: Path,
) -> None:
    assert run_cases(FILE, tmp_path) == ""


def test_a_rule_whose_comparison_is_turned_round_is_found_by_these_cases(tmp_path: Path) -> None:
    turned = re.sub(r"(?<=\s)> ", "< ", FILE.read_text()).replace("== 0", "== 12345")
    rules = tmp_path / "alerts.yaml"
    rules.write_text(turned)
    said = run_cases(rules, tmp_path)
    assert [name for name in RULES if f"alertname: {name}" not in said] == []


def test_the_settings_of_both_servers_are_right() -> None:
    assert promtool("check", "config", "prometheus.yaml", folder=WATCHING).returncode == 0
    amtool = tool("amtool")
    checked = subprocess.run(
        [str(amtool.path), "check-config", str(WATCHING / "alertmanager.yaml")],
        env=os.environ | amtool.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_every_name_and_label_that_a_rule_asks_for_is_declared() -> None:
    found = {name: undeclared(rule.query) for name, rule in RULES.items()}
    assert {name: names for name, names in found.items() if names} == {}


def test_a_name_or_label_that_is_not_declared_is_found() -> None:
    assert undeclared("sum(latentprint_verdict_total)") == ["latentprint_verdict_total"]
    assert undeclared('latentprint_rejects_total{reason="x"}') == [
        "latentprint_rejects_total{reason}"
    ]
    assert undeclared("sum by (code) (rate(latentprint_verdicts_total[5m]))") == [
        "latentprint_verdicts_total by code"
    ]


def test_every_reason_and_code_that_a_rule_asks_for_is_one_that_the_worker_gives() -> None:
    reasons = {value for rule in RULES.values() for value in asked_values(rule.query, "reason")}
    codes = {value for rule in RULES.values() for value in asked_values(rule.query, "code")}
    assert reasons
    assert reasons <= verdict_reasons()
    assert codes == {"quarantined"}
    assert codes <= reject_codes()


def test_an_alarm_that_another_explains_is_one_of_ours() -> None:
    named = re.findall(r'alertname="(\w+)"', (WATCHING / "alertmanager.yaml").read_text())
    assert named
    assert set(named) <= set(RULES)


def test_every_alarm_has_its_heading_and_every_heading_its_alarm() -> None:
    page = PAGE.read_text()
    headings = re.findall(r"^## (Latentprint\w+)$", page, re.MULTILINE)
    assert headings == list(RULES)
    for rule in RULES.values():
        assert rule.runbook == f"docs/operations/{PAGE.name}#{rule.name.lower()}"


def test_every_heading_says_what_it_means_who_notices_where_to_look_and_what_to_do() -> None:
    page = PAGE.read_text()
    for rule in RULES.values():
        section = page.split(f"\n## {rule.name}\n", 1)[1].split("\n## ", 1)[0]
        assert re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", section, re.MULTILINE) == list(LEADS)
        assert re.match(rf"\n{rule.severity.capitalize()}[.,]", section), rule.name

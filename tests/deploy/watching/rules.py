"""The alarm rules as values, read from the file that Prometheus reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

WATCHING = Path(__file__).parents[3] / "deploy" / "watching"
FILE = WATCHING / "alerts.yaml"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: name, query, severity, and what is said when it fires."""

    name: str
    query: str
    waits: str
    severity: str
    summary: str
    description: str
    runbook: str


def read_rules() -> list[Rule]:
    """Every rule, in the order of the file."""
    content: dict[str, Any] = YAML(typ="safe").load(FILE.read_text())
    return [
        Rule(
            name=rule["alert"],
            query=rule["expr"],
            waits=rule.get("for", "0s"),
            severity=rule["labels"]["severity"],
            summary=rule["annotations"]["summary"],
            description=rule["annotations"]["description"],
            runbook=rule["annotations"]["runbook_url"],
        )
        for group in content["groups"]
        for rule in group["rules"]
    ]

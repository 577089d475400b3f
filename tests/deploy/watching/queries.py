"""What a query asks for, held against the figures that are declared."""

import promql_parser
from promql_parser import AggModifierType, AggregateExpr, Expr, VectorSelector

from fingerprint_db.commands.backup_figures import BACKUP_FIGURES
from worker.metrics import NOTIFY, SUPERVISOR, WORKER, Metric

ADDED = frozenset({"job", "instance"})
"""Labels that Prometheus adds to whatever it scrapes."""


def _samples(metric: Metric, *more: str) -> dict[str, frozenset[str]]:
    """The names that Prometheus knows a figure by, with their labels."""
    labels = ADDED | {*metric.labels, *more}
    name = metric.exposed_name
    if metric.kind != "histogram":
        return {name: labels}
    return {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}


DECLARED: dict[str, frozenset[str]] = {
    "up": ADDED,
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
    **{name: ADDED | {"space"} for name in BACKUP_FIGURES},
}
for metric in (*SUPERVISOR, *NOTIFY):
    DECLARED |= _samples(metric)
for metric in WORKER:
    DECLARED |= _samples(metric, "slot")


def selectors(query: Expr) -> list[VectorSelector]:
    """Every series that a query reads."""
    found: list[VectorSelector] = []

    def visit(part: Expr) -> None:
        if isinstance(part, VectorSelector):
            found.append(part)

    promql_parser.walk(query, visit)
    return found


def undeclared(text: str) -> list[str]:
    """Every name and label of a query that is not declared; raises ValueError if it is no query."""
    query = promql_parser.parse(text)
    found = []
    for selector in selectors(query):
        labels = DECLARED.get(selector.name or "")
        if labels is None:
            found.append(str(selector.name))
            continue
        asked = {matcher.name for matcher in selector.matchers.matchers}
        found += [f"{selector.name}{{{label}}}" for label in sorted(asked - labels)]

    def visit(part: Expr) -> None:
        if isinstance(part, AggregateExpr) and part.modifier is not None:
            by = set(part.modifier.labels)
            assert part.modifier.type == AggModifierType.By, "say what is kept: sum by, not without"
            for selector in selectors(part.expr):
                lacking = by - DECLARED.get(selector.name or "", frozenset())
                found.extend(f"{selector.name} by {label}" for label in sorted(lacking))

    promql_parser.walk(query, visit)
    return found


def asked_values(text: str, label: str) -> set[str]:
    """The values that a query asks of a label, those of a regular expression one by one."""
    return {
        value
        for selector in selectors(promql_parser.parse(text))
        for matcher in selector.matchers.matchers
        if matcher.name == label
        for value in matcher.value.split("|")
    }

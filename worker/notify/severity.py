"""What an alert weighs: the first rule that fits, else the default. Pure."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from worker.events.records import Alert, Outcome

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""The lightest first."""

_Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Rule(BaseModel):
    """One `[[rule]]`: alerts that meet every condition given here have this severity.

    `models` are names or ids. `reasons` are those of the alert; `shadow_match` also fits
    `shadow_match:ID`, so that a model not yet promoted can weigh less. `sources` are what the
    CloudEvents source begins with. `max_p_value` fits no alert that carries none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    severity: Severity
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)] | None = None
    models: _Names | None = None
    families: _Names | None = None
    reasons: _Names | None = None
    sources: _Names | None = None
    max_p_value: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _says_when(self) -> "Rule":
        if all(value is None for name, value in self if name != "severity"):
            raise ValueError(
                "no condition is given, so it would fit everything; set default_severity instead"
            )
        return self

    def fits(self, alert: Alert) -> bool:
        """Whether the alert meets every condition."""
        return (
            (self.outcomes is None or alert.outcome in self.outcomes)
            and (self.models is None or bool({alert.model, alert.model_id} & {*self.models}))
            and (self.families is None or alert.family in self.families)
            and (self.reasons is None or self._gives_reason(alert))
            and (self.sources is None or alert.source.startswith(self.sources))
            and (
                self.max_p_value is None
                or (alert.p_value is not None and alert.p_value <= self.max_p_value)
            )
        )

    def _gives_reason(self, alert: Alert) -> bool:
        given = {*alert.reasons, *(reason.partition(":")[0] for reason in alert.reasons)}
        return not given.isdisjoint(self.reasons or ())


def severity_of(alert: Alert, rules: Sequence[Rule], default: Severity) -> Severity:
    """The severity of the first rule that fits."""
    return next((rule.severity for rule in rules if rule.fits(alert)), default)

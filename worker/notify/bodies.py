"""The bodies of webhooks, JSON as Standard Webhooks has it: `type`, `timestamp` and `data`.

Fields are added, never removed or renamed; readers ignore what they do not know.
"""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from worker.events.records import Alert
from worker.events.verdict_parts import Record
from worker.notify.severity import Severity

ALERT_MESSAGE: Final = "latentprint.alert.v1"
DIGEST_MESSAGE: Final = "latentprint.alert_digest.v1"


class AlertData(Record):
    """An alert as it stands in its topic, and what it weighs."""

    severity: Severity
    alert: Alert


class AlertMessage(Record):
    """The body of a webhook for one alert; the header `webhook-id` is its `alert_id`."""

    type: Literal["latentprint.alert.v1"]
    timestamp: AwareDatetime
    data: AlertData


class DigestData(Record):
    """Alerts of one generator and severity beyond the quota of a window."""

    severity: Severity
    model_id: Annotated[
        str | None, Field(description="null where no registered generator was named")
    ]
    count: Annotated[int, Field(ge=1)]
    window_start: AwareDatetime
    window_s: int
    first_alert_id: UUID
    last_alert_id: UUID
    sample_alert_ids: tuple[UUID, ...]
    sources: Annotated[
        dict[str, int],
        Field(description="how many by CloudEvents source, the most first; the rest as `others`"),
    ]


class DigestMessage(Record):
    """The body of a webhook for many alerts at once; all of them stay in the topic of alerts."""

    type: Literal["latentprint.alert_digest.v1"]
    timestamp: AwareDatetime
    data: DigestData

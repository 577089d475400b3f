"""What is sent: an alert, or a digest of many, with the id that it keeps on every try."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from worker.events.cloudevents import RawRecord
from worker.events.records import Alert
from worker.notify import slack
from worker.notify.bodies import ALERT_MESSAGE, DIGEST_MESSAGE, DigestData, DigestMessage
from worker.notify.severity import Severity


@dataclass(frozen=True, slots=True)
class Message:
    """One message to any number of receivers, in every form, and what a dead letter repeats."""

    message_id: UUID
    kind: Literal["alert", "digest"]
    severity: Severity
    standard: bytes
    slack: bytes
    record: RawRecord | None
    """The alert as it was read; None for a digest, of which `standard` is all there is."""


def alert_message(
    record: RawRecord, alert: Alert, document: Mapping[str, Any], severity: Severity
) -> Message:
    """An alert to be sent; fields of a newer worker in its `document` are passed on."""
    body = {
        "type": ALERT_MESSAGE,
        "timestamp": alert.created_at.isoformat(),
        "data": {"severity": severity, "alert": dict(document)},
    }
    return Message(
        message_id=alert.alert_id,
        kind="alert",
        severity=severity,
        standard=_json(body),
        slack=_json(slack.of_alert(alert, severity)),
        record=record,
    )


def digest_message(data: DigestData, timestamp: datetime) -> Message:
    """A digest to be sent. Its id is made of what it holds, and so is the same for the same."""
    name = f"digest/{data.severity}/{data.model_id}/{data.last_alert_id}/{data.count}"
    body = DigestMessage(type=DIGEST_MESSAGE, timestamp=timestamp, data=data)
    return Message(
        message_id=uuid5(data.first_alert_id, name),
        kind="digest",
        severity=data.severity,
        standard=body.model_dump_json().encode(),
        slack=_json(slack.of_digest(data)),
        record=None,
    )


def stored_digest(message_id: UUID, body: bytes, severity: Severity) -> Message:
    """A digest as a dead letter kept it; ValueError where the body is none."""
    data = DigestMessage.model_validate_json(body).data
    return Message(message_id, "digest", severity, body, _json(slack.of_digest(data)), None)


def read_alert(record: RawRecord) -> tuple[Alert, dict[str, Any]]:
    """The alert in a record of the topic of alerts; ValueError where it is none."""
    if record.value is None:
        raise ValueError(record.unread or "a record without a value")
    document = json.loads(record.value.decode("utf-8"))
    if not isinstance(document, dict):
        raise ValueError(f"a JSON {type(document).__name__} where an object is expected")
    return Alert.model_validate(document), document


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")

"""Alerts to send, and a plan of receivers to send them to."""

import json
import uuid
from pathlib import Path
from typing import Any

from worker.events.cloudevents import Origin, OutgoingRecord, RawRecord
from worker.events.records import Alert, outgoing
from worker.notify.receivers import Plan, load_plan

EXAMPLE = Path(__file__).parents[1] / "events" / "examples" / "alert.json"


def alert(**changes: Any) -> Alert:
    """The example with another id, and changes."""
    document = json.loads(EXAMPLE.read_text())
    return Alert.model_validate({**document, "alert_id": str(uuid.uuid4()), **changes})


def record(**changes: Any) -> OutgoingRecord:
    """An alert as the worker publishes it."""
    return outgoing(alert(**changes), key=b"a key")


def raw(one: Alert) -> RawRecord:
    """An alert as it is read."""
    sent = outgoing(one, key=b"a key")
    return RawRecord(Origin("alerts", 0, 7), sent.key, sent.value, sent.headers)


def plan(folder: Path, text: str, environment: dict[str, str] | None = None) -> Plan:
    """The plan in a file of receivers."""
    path = folder / "notify.toml"
    path.write_text(text)
    return load_plan(path, environment or {})

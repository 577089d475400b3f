"""What would be sent, and to whom, of the alerts that are there now; nothing is sent."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.broker.admin import admin, require_topics
from worker.broker.read_back import read_back
from worker.broker.refusals import Who
from worker.broker.topics import NOTIFY_LETTER_BYTES, Topics
from worker.notify.floods import Floods, digest_of
from worker.notify.messages import Message, alert_message, digest_message, read_alert
from worker.notify.receivers import Plan
from worker.notify.severity import severity_of


@dataclass(frozen=True, slots=True)
class Planned:
    """One message that would be sent; `why` says why it cannot be, where it is no alert."""

    message: Message | None
    receivers: tuple[str, ...]
    why: str | None = None


def preview(
    brokers: str,
    topics: Topics,
    plan: Plan,
    client: Mapping[str, Any],
    clock: Callable[[], float],
) -> Iterator[Planned]:
    """Every message that the alerts kept in Kafka would become, as if all came in this moment."""
    with admin(brokers, client=client) as connection:
        found = require_topics(connection, [topics.alerts], Who.by(brokers, client), "READ")
    now = clock()
    floods: Floods[None] = Floods(plan.flood, lambda: now)
    for record in read_back(
        brokers,
        topics.alerts,
        found[topics.alerts],
        client,
        max_message_bytes=NOTIFY_LETTER_BYTES,
    ):
        try:
            alert, document = read_alert(record)
            severity = severity_of(alert, plan.rules, plan.default_severity)
            message = alert_message(record, alert, document, severity)
        except (ValueError, RecursionError) as error:
            yield Planned(None, (), str(error))
            continue
        if floods.take(alert, severity, None):
            yield _planned(message, plan)
    for closed in floods.due(every=True):
        data = digest_of(closed.key, closed.start_s, closed.told, plan.flood)
        yield _planned(digest_message(data, datetime.fromtimestamp(now, UTC)), plan)


def _planned(message: Message, plan: Plan) -> Planned:
    told = (one.name for one in plan.receivers if message.severity in one.severities)
    return Planned(message, tuple(told))

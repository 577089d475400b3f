r"""Messages for Slack's incoming webhooks, in which names of strangers do nothing.

Names come from senders and from the registry: each stands in a `plain_text` block, where Slack
reads no formatting and no mention, escaped all the same, control characters shown as `\x1b`, and
cut. The line that a notification shows is formatted by Slack, so that nothing but plain letters is
let into it. No image is shown and no link is made.
"""

import re
from collections.abc import Iterable
from typing import Any

from fingerprint_db.names import printable
from worker.events.records import Alert
from worker.notify.bodies import DigestData

_LONGEST = 200
"""Characters of one value; Slack takes 2,000 in a field, and nobody reads them."""

_SIGNS = {"info": "Info", "warning": "Warning", "critical": "CRITICAL"}


def of_alert(alert: Alert, severity: str) -> dict[str, Any]:
    """The message of one alert."""
    fields = [
        ("Outcome", alert.outcome),
        ("Model", alert.model),
        ("Family", alert.family),
        ("p-value", None if alert.p_value is None else f"{alert.p_value:.3g}"),
        ("Source", alert.source),
        ("Subject", alert.subject),
        ("Reasons", ", ".join(alert.reasons)),
        ("Alert", str(alert.alert_id)),
    ]
    named = f" by {_harmless(alert.model_id)}" if alert.model_id else ""
    title = f"{_SIGNS[severity]}: {alert.outcome}{named}"
    return _message(title, fields)


def of_digest(data: DigestData) -> dict[str, Any]:
    """The message of a digest."""
    named = _harmless(data.model_id) if data.model_id else "an unknown generator"
    sources = ", ".join(f"{source}: {count}" for source, count in data.sources.items())
    fields = [
        ("Alerts", str(data.count)),
        ("Window", f"{data.window_s} s from {data.window_start.isoformat()}"),
        ("First", str(data.first_alert_id)),
        ("Last", str(data.last_alert_id)),
        ("Sources", sources),
    ]
    title = f"{_SIGNS[data.severity]}: {data.count} more alerts on {named}"
    return _message(title, fields)


def _message(title: str, fields: Iterable[tuple[str, str | None]]) -> dict[str, Any]:
    return {
        "text": title,
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "header", "text": _plain(title)},
            {
                "type": "section",
                "fields": [_plain(f"{name}: {value}") for name, value in fields if value],
            },
        ],
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text), "emoji": False}


def escaped(text: str) -> str:
    """Text that Slack shows as it is: one line, cut, without control characters, escaped."""
    shown = printable(text)
    if len(shown) > _LONGEST:
        shown = shown[: _LONGEST - 1] + "…"
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _harmless(text: str) -> str:
    """Letters, digits, '.' and '-' of a name; an underscore or an @ would mean something there."""
    return re.sub(r"[^A-Za-z0-9.-]", "?", text)[:64]

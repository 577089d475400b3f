"""What is sent: weighed by rules, harmless in Slack, and the same digest for the same alerts."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.worker.notify.alerting import alert, raw
from worker.documents.write_schemas import documents
from worker.events.cloudevents import Origin, RawRecord
from worker.notify.floods import MOST_SOURCES, Floods, digest_of
from worker.notify.letters import letter_for, read_letter, unreadable
from worker.notify.messages import Message, alert_message, digest_message, read_alert
from worker.notify.receivers import Flood
from worker.notify.redrive import message_of
from worker.notify.severity import Rule, severity_of
from worker.notify.verify import checked

HOSTILE = (
    "<!channel> <@U123> <https://evil.example|click> & *bold* _it_ ~s~ `code` @here"
    "\n\r\t\x1b[31m\u202e\u2028\x00 :smile: https://evil.example "
)


def of(record: RawRecord, severity: Any = "warning") -> Message:
    read, document = read_alert(record)
    return alert_message(record, read, document, severity)


# Severity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"outcomes": ["attributed"]}, True),
        ({"outcomes": ["unknown_generator", "undetermined"]}, False),
        ({"models": ["sngan-celeba"]}, True),
        ({"models": ["SNGAN (CelebA)", "x"]}, True),
        ({"models": ["sngan"]}, False),
        ({"families": ["sngan"]}, True),
        ({"families": ["dcgan"]}, False),
        ({"reasons": ["shadow_match"]}, True),
        ({"reasons": ["shadow_match:m2"]}, True),
        ({"reasons": ["shadow"]}, False),
        ({"sources": ["/uploads/"]}, True),
        ({"sources": ["/imports/"]}, False),
        ({"max_p_value": 0.001}, True),
        ({"max_p_value": 0.0001}, False),
        ({"outcomes": ["attributed"], "families": ["dcgan"]}, False),
    ],
)
def test_a_rule_fits_where_every_condition_is_met(condition: dict[str, Any], fits: bool) -> None:
    one = alert(reasons=["model_accepts", "shadow_match:m2"], p_value=0.0005)
    rule = Rule.model_validate({"severity": "critical", **condition})
    assert rule.fits(one) is fits


def test_the_first_rule_decides_and_an_alert_without_a_p_value_fits_none_about_it() -> None:
    rules = [
        Rule(severity="critical", max_p_value=0.5),
        Rule(severity="info", families=("sngan",)),
        Rule(severity="critical", families=("sngan",)),
    ]
    assert severity_of(alert(p_value=None), rules, "warning") == "info"
    assert severity_of(alert(p_value=0.1), rules, "warning") == "critical"
    assert severity_of(alert(family="other"), rules, "warning") == "warning"


# Bodies -----------------------------------------------------------------------------------------


def test_bodies_obey_their_schemas_and_pass_on_what_a_newer_worker_says() -> None:
    record = raw(alert())
    document = json.loads(record.value or b"") | {"invented_tomorrow": {"a": [1]}}
    newer = RawRecord(record.origin, record.key, json.dumps(document).encode())
    body = json.loads(of(newer).standard)
    assert body["data"]["alert"] == document
    assert list(validator("webhook-alert").iter_errors(body)) == []
    assert list(validator("webhook-digest").iter_errors(json.loads(digest(5).standard))) == []


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(documents()[f"{name}.json"]))


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_no_alert_is_said_to_be_none(value: bytes | None) -> None:
    with pytest.raises((ValueError, RecursionError)):
        of(RawRecord(Origin("alerts", 0, 0), None, value))


# Slack ------------------------------------------------------------------------------------------


def strings(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [s for child in node.values() for s in strings(child)]
    if isinstance(node, list):
        return [s for child in node for s in strings(child)]
    return [node] if isinstance(node, str) else []


@pytest.mark.parametrize(
    "field", ["subject", "source", "model", "model_id", "family", "reasons", "event_id"]
)
def test_names_of_strangers_do_nothing_in_slack(field: str) -> None:
    text = HOSTILE * 20
    record = raw(alert(**{field: [text] if field == "reasons" else text}))
    body = json.loads(of(record).slack)
    for shown in strings(body):
        assert not set("<>\n\r\t\x1b\u202e\u2028\x00") & set(shown), shown
        assert len(shown) < 1000
    assert not set("*_~`@&:/") & set(body["text"].removeprefix("Warning:")), body["text"]
    for block in body["blocks"]:
        texts = block.get("fields") or [block["text"]]
        assert len(texts) <= 10
        assert all(one["type"] == "plain_text" and one["emoji"] is False for one in texts)
    header = body["blocks"][0]["text"]["text"]
    assert len(header) <= 150
    assert "image_url" not in json.dumps(body)


def test_a_message_for_slack_says_what_a_person_needs() -> None:
    body = json.loads(of(raw(alert(p_value=0.00042)), "critical").slack)
    assert body["text"] == "CRITICAL: attributed by sngan-celeba"
    fields = [field["text"] for field in body["blocks"][1]["fields"]]
    assert "p-value: 0.00042" in fields
    assert "Subject: 2026/01/café.jpg" in fields


# Floods -----------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_beyond_the_quota_alerts_wait_for_the_end_of_their_window() -> None:
    clock = Clock()
    floods: Floods[int] = Floods(Flood(alerts=2, window_s=60), clock)
    assert [floods.take(alert(), "warning", i) for i in range(5)] == [True, True, *[False] * 3]
    assert floods.take(alert(), "critical", 5), "a flood of others hides no critical one"
    assert floods.take(alert(model_id=None, outcome="unknown_generator"), "warning", 6)
    assert floods.due() == []
    clock.now += 60
    (closed,) = floods.due()
    assert [told.held for told in closed.told] == [2, 3, 4]
    assert closed.start_s == 960
    assert floods.take(alert(), "warning", 7), "the next window has a quota of its own"
    assert floods.due(every=True) == [], "what is within the quota is told already"


def test_what_waits_can_be_told_early_without_a_second_quota() -> None:
    floods: Floods[int] = Floods(Flood(alerts=1, window_s=60), Clock())
    assert [floods.take(alert(), "warning", i) for i in range(3)] == [True, False, False]
    (closed,) = floods.early()
    assert [told.held for told in closed.told] == [1, 2]
    assert not floods.take(alert(), "warning", 3)
    (later,) = floods.due(every=True)
    assert [told.held for told in later.told] == [3]


def digest(count: int, first: int = 0) -> Message:
    floods: Floods[int] = Floods(Flood(alerts=1, window_s=60, sample=3), Clock())
    for i in range(count + 1):
        number = f"00000000-0000-0000-0000-{first + i:012d}"
        floods.take(alert(alert_id=number, source=f"/s/{i % 20}"), "warning", i)
    (closed,) = floods.due(every=True)
    data = digest_of(closed.key, closed.start_s, closed.told, Flood(sample=3))
    return digest_message(data, alert().created_at)


def test_the_same_digest_has_the_same_id_and_another_has_another() -> None:
    assert digest(50).message_id == digest(50).message_id
    ids = {digest(50).message_id, digest(49).message_id, digest(50, first=1).message_id}
    assert len(ids) == 3


def test_a_digest_counts_all_and_lists_few() -> None:
    data = json.loads(digest(5000).standard)["data"]
    assert data["count"] == 5000
    assert len(data["sample_alert_ids"]) == 3
    assert sum(data["sources"].values()) == 5000
    assert len(data["sources"]) == 11
    assert MOST_SOURCES < 5000, "so that strangers' sources take no memory without end"


# Dead letters -----------------------------------------------------------------------------------


def test_a_dead_letter_comes_back_as_it_was_whatever_the_alert_brought_along() -> None:
    record = raw(alert())
    hostile = (*record.headers, ("notify.receiver", b"forged"), ("notify.attempts", b"x"))
    record = RawRecord(record.origin, record.key, record.value, hostile)
    letter = letter_for(of(record), "pager", reason="http_400", text="é" * 2000, attempts=3)
    sent = letter.outgoing()
    assert (sent.key, sent.value, sent.headers[: len(hostile)]) == (b"a key", record.value, hostile)
    back = read_letter(RawRecord(Origin("letters", 0, 0), sent.key, sent.value, sent.headers))
    assert (back.receiver, back.attempts, back.reason) == ("pager", 3, "http_400")
    assert back.headers == hostile
    assert message_of(back) == of(record)


def test_a_digest_that_was_not_taken_comes_back_with_its_id_and_body() -> None:
    sent = letter_for(digest(5), "pager", reason="timeout", text="", attempts=1).outgoing()
    back = read_letter(RawRecord(Origin("letters", 0, 0), sent.key, sent.value, sent.headers))
    assert message_of(back) == digest(5)


@pytest.mark.parametrize("headers", [(), (("notify.kind", b"alert"),)])
def test_what_is_no_dead_letter_is_said_to_be_none(headers: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(ValueError, match="no dead letter"):
        read_letter(RawRecord(Origin("letters", 0, 0), None, b"", headers))


def test_a_record_too_large_to_be_sent_again_is_named_by_its_place() -> None:
    large = RawRecord(Origin("alerts", 2, 9), b"k", b"x" * 2_000_000, (("a", b"1"),))
    sent = unreadable(large, "no JSON").outgoing()
    assert sent.value == b""
    back = read_letter(RawRecord(Origin("letters", 0, 0), sent.key, sent.value, sent.headers))
    assert (back.origin, back.headers) == (Origin("alerts", 2, 9), ())
    assert ("notify.omitted", b"value,headers") in sent.headers


def test_a_record_of_nothing_at_all_can_still_be_sent() -> None:
    record = RawRecord(Origin("alerts", 0, 0), None, None, (("a", None),))
    sent = unreadable(record, "no value").outgoing()
    assert (sent.key, sent.value, sent.headers[0]) == (None, b"", ("a", b""))


# The receiver to try with -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
        {"webhook-id": "x", "webhook-timestamp": "nan", "webhook-signature": "v1,AAAA"},
        {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "garbage"},
    ],
)
def test_what_is_not_signed_is_not_shown(headers: dict[str, str]) -> None:
    secret = "whsec_" + "A" * 40
    arrived = checked(b"{}", headers, (secret,))
    assert arrived.document is None
    assert arrived.why

"""Write `worker/events/schemas/`: `python -m worker.documents.write_schemas`.

JSON Schemas come from the pydantic models, the AsyncAPI document from them and the topics. A test
compares what is checked in with what this module would write.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from worker.broker.topics import Topics
from worker.events.attributes import MAX_ATTRIBUTE_BYTES
from worker.events.cloudevents import SPEC_VERSION
from worker.events.dead_letter import MAX_MESSAGE_BYTES, PREFIX
from worker.events.image_event import MAX_IMAGE_BYTES
from worker.events.records import (
    ALERT_TYPE,
    FINGERPRINT_TYPE,
    IMAGE_TYPE,
    VERDICT_TYPE,
    Alert,
    FingerprintRecord,
    Verdict,
)
from worker.events.trace_context import MAX_BYTES
from worker.notify.bodies import AlertMessage, DigestMessage
from worker.notify.letters import MAX_MESSAGE_BYTES as MAX_NOTIFY_MESSAGE_BYTES
from worker.notify.letters import PREFIX as NOTIFY_PREFIX
from worker.outside.dead_letter_queue import Decision

FOLDER = Path(__file__).parents[1] / "events" / "schemas"
RECORDS: dict[str, type[BaseModel]] = {
    "verdict": Verdict,
    "alert": Alert,
    "fingerprint": FingerprintRecord,
    "dead-letter-decision": Decision,
    "webhook-alert": AlertMessage,
    "webhook-digest": DigestMessage,
}
_TYPES = {"verdict": VERDICT_TYPE, "alert": ALERT_TYPE, "fingerprint": FINGERPRINT_TYPE}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KEY = {"type": "string", "description": "the key of the image event, byte for byte"}


def documents() -> dict[str, str]:
    """The text of every file of the folder, by file name."""
    files: dict[str, Any] = {f"{name}.json": _schema(model) for name, model in RECORDS.items()}
    files["asyncapi.json"] = _asyncapi()
    return {name: json.dumps(content, indent=2) + "\n" for name, content in files.items()}


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every file, and say which."""
    folder.mkdir(exist_ok=True)
    written = []
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **model.model_json_schema(mode="serialization")}


def _asyncapi() -> dict[str, Any]:
    """AsyncAPI 3, seen from the worker; `deadLetterDecisions` is written by `latentprint dlq`,
    `notifyDeadLetters` by `latentprint notify`.
    """
    topics = Topics()
    channels = {
        "images": (topics.images, "image", "Images to be judged."),
        "verdicts": (topics.verdicts, "verdict", "One verdict for every image that was read."),
        "alerts": (topics.alerts, "alert", "One alert for every flagged verdict."),
        "deadLetters": (topics.dead_letters, "deadLetter", "Events that will never work."),
        "fingerprints": (topics.fingerprints, "fingerprint", "Image fingerprints, to keep."),
        "redrives": (
            topics.redrives,
            "deadLetter",
            "Dead letters to be judged again, as they are.",
        ),
        "deadLetterDecisions": (
            topics.decisions,
            "deadLetterDecision",
            "Who redrove or discarded a dead letter, when and why.",
        ),
        "notifyDeadLetters": (
            topics.notify_dead_letters,
            "notifyDeadLetter",
            "Alerts that a receiver of `latentprint notify` did not get.",
        ),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Latentprint",
            "version": "1.0.0",
            "description": (
                "Image events in, verdicts out. CloudEvents 1.0, Kafka binding, binary mode;"
                " image events in structured mode are read too. Verdict, alert, dead letter and"
                " fingerprint record of an event are committed in one transaction: read them with"
                " isolation.level=read_committed. Fields may be added, never removed or renamed."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": address,
                "description": description,
                "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            }
            for name, (address, message, description) in channels.items()
        },
        "operations": {
            f"{action}{name[0].upper()}{name[1:]}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for name in channels
            for action in ("receive" if name in ("images", "redrives") else "send",)
        },
        "components": {
            "messages": {
                "image": _image_message(),
                "deadLetter": _dead_letter_message(),
                "deadLetterDecision": _decision_message(),
                "notifyDeadLetter": _notify_letter_message(),
                **{name: _record_message(name) for name in _TYPES},
            }
        },
    }


def _attributes(type_: str | None, *optional: str) -> dict[str, Any]:
    """The headers of a CloudEvent in binary mode."""
    text = {"type": "string", "minLength": 1, "maxLength": MAX_ATTRIBUTE_BYTES}
    kind = text if type_ is None else {"type": "string", "const": type_}
    properties: dict[str, Any] = {
        "ce_specversion": {"type": "string", "const": SPEC_VERSION},
        "ce_id": text,
        "ce_source": text,
        "ce_type": kind,
        "ce_subject": {
            **text,
            "description": "UTF-8; bytes of a file name that are not UTF-8 are kept as they are",
        },
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_traceparent": {
            "type": "string",
            "description": "the trace that the image event belongs to, in the form of W3C Trace"
            " Context; taken from an image event and given to all that comes of it",
        },
        "ce_tracestate": {"type": "string", "maxLength": MAX_BYTES},
        "content-type": {"type": "string"},
    }
    optional = (*optional, "ce_traceparent", "ce_tracestate")
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _image_message() -> dict[str, Any]:
    headers = _attributes(None, "ce_subject", "ce_time", "content-type")
    headers["properties"]["ce_dataref"] = {
        "type": "string",
        "format": "uri",
        "maxLength": MAX_ATTRIBUTE_BYTES,
        "description": (
            "where the image lies, of an event without a value: file:, s3:, gs:, az: or https:,"
            " fetched where the worker's settings list it; `uri` is read too"
        ),
    }
    return {
        "name": "image",
        "title": "Image event",
        "summary": (
            f"The bytes of one image file, at most {MAX_IMAGE_BYTES}, as the value, or no value and"
            " a `ce_dataref` that says where they are. Any type is"
            f" accepted outside `latentprint.`; senders of this project use {IMAGE_TYPE}."
        ),
        "contentType": "image/*",
        "headers": headers,
        "payload": {"description": "the file, byte for byte: JPEG, PNG or WebP"},
        "bindings": {"kafka": {"key": {"type": "string", "description": "any bytes, or none"}}},
    }


def _record_message(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "contentType": "application/json",
        "headers": _attributes(_TYPES[name], "ce_subject", "ce_time"),
        "payload": {"$ref": f"./{name}.json"},
        "bindings": {"kafka": {"key": _KEY}},
    }


def _dead_letter_message() -> dict[str, Any]:
    meanings = {
        "reason": "reason code",
        "stage": "the stage that rejected it",
        "message": f"value seen, value expected; at most {MAX_MESSAGE_BYTES} bytes",
        "topic": "where the event was read",
        "partition": "decimal",
        "offset": "decimal",
        "attempts": "decimal; how often the worker tried",
        "null-headers": "positions of headers that had no value; they are sent empty",
        "null-value": "true where the event had neither key nor value; it is sent empty",
        "topic-id": "what the topic was, where Kafka says so; another after it was made again",
        "omitted": "key, value, headers: what was too large to be sent again, or unpacked",
        "value-bytes": "size of an omitted value",
        "value-sha256": "digest of an omitted value",
    }
    optional = ("topic-id", "null-headers", "null-value", "omitted", "value-bytes", "value-sha256")
    return {
        "name": "deadLetter",
        "title": "Dead letter",
        "summary": "Key, value and headers of the event, followed by the headers listed here.",
        "headers": {
            "type": "object",
            "properties": {
                PREFIX + name: {"type": "string", "description": meaning}
                for name, meaning in meanings.items()
            },
            "required": [PREFIX + name for name in meanings if name not in optional],
            "additionalProperties": True,
        },
        "payload": {"description": "the value of the event, byte for byte"},
        "bindings": {"kafka": {"key": _KEY}},
    }


def _decision_message() -> dict[str, Any]:
    key = {"type": "string", "description": "PARTITION:OFFSET of the dead letter"}
    return {
        "name": "deadLetterDecision",
        "contentType": "application/json",
        "payload": {"$ref": "./dead-letter-decision.json"},
        "bindings": {"kafka": {"key": key}},
    }


def _notify_letter_message() -> dict[str, Any]:
    meanings = {
        "kind": "alert, or digest",
        "id": "webhook-id of the message; empty where the record was no alert",
        "severity": "info, warning or critical; empty where the record was no alert",
        "receiver": "name of the receiver that did not get it; empty for all",
        "reason": "reason code",
        "message": f"what the receiver answered; at most {MAX_NOTIFY_MESSAGE_BYTES} bytes",
        "attempts": "decimal; how often it was tried",
        "own-headers": "decimal; how many of the headers, from the first, are the alert's own",
        "omitted": "value,headers, where the record was too large to be sent again",
        "topic": "where the alert was read",
        "partition": "decimal",
        "offset": "decimal",
    }
    optional = ("omitted", "topic", "partition", "offset")
    return {
        "name": "notifyDeadLetter",
        "title": "Dead letter of notify",
        "summary": "Key, value and headers of the alert, followed by the headers listed here.",
        "headers": {
            "type": "object",
            "properties": {
                NOTIFY_PREFIX + name: {"type": "string", "description": meaning}
                for name, meaning in meanings.items()
            },
            "required": [NOTIFY_PREFIX + name for name in meanings if name not in optional],
            "additionalProperties": True,
        },
        "payload": {
            "description": "the alert, byte for byte, or the body of the digest as it was sent"
        },
        "bindings": {"kafka": {"key": _KEY}},
    }


if __name__ == "__main__":
    for path in write():
        print(path.name)

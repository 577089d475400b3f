"""What the Helm chart takes from the program: `python -m worker.documents.write_chart`.

The part `settings` of `values.schema.json` is the settings' own schema, so that a misspelt or
impossible value is refused before anything is deployed; secrets are left out of it, since values
are kept in the clear. `files/contract.json` is what Strimzi is told of topics and rights,
`files/alerts.yaml` a copy of the alarm rules, since a chart reads nothing beside itself. Tests keep
all equal to what is written here.
"""

import json
from pathlib import Path
from typing import Any, Final

from worker.broker.acls import Right
from worker.broker.rights import roles
from worker.broker.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX, Topics, plan_topics
from worker.events.image_event import MAX_IMAGE_BYTES
from worker.settings.kafka import KafkaSettings
from worker.settings.notify import NotifySettings
from worker.settings.settings import Settings
from worker.settings_sources import is_secret, setting_fields

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "latentprint"
ALERTS = CHART.parents[1] / "watching" / "alerts.yaml"

SET_BY_THE_CHART: Final = {
    ("kafka", "slot"),
    ("metrics", "listen"),
    ("metrics", "port_per_slot"),
    ("notify", "listen"),
}
"""The pod's index, and the port that probes and Prometheus know."""

PLAIN_ADDRESS: Final = {
    "type": "string",
    "pattern": "^(redis|rediss)://[^@]*$",
    "description": "where the registry is; one that holds a password belongs into `secrets`",
}

_PREFIX, _GROUP, _NOTIFY_GROUP = "PREFIX.", "OF-WORKERS", "OF-NOTIFY"
_MANY: Final = 1_000_000


def values_schema(present: dict[str, Any]) -> dict[str, Any]:
    """The chart's schema with what comes from the settings put in the place of what is there."""
    settings = Settings.model_json_schema()
    groups = settings.pop("$defs")
    for name, content in settings["properties"].items():
        group = groups.get(content.get("$ref", "").removeprefix("#/$defs/"))
        if group is not None:
            settings["properties"][name] = group
    secret = []
    for path, field in setting_fields():
        if is_secret(field):
            secret.append(".".join(path))
        if is_secret(field) or path in SET_BY_THE_CHART:
            *outer, inner = path
            group = settings["properties"][outer[0]] if outer else settings
            group["properties"].pop(inner)
    settings["properties"]["redis"]["properties"]["url"] = PLAIN_ADDRESS
    schema = json.loads(json.dumps(present))
    schema["properties"]["settings"] = _without_titles(settings)
    schema["$defs"]["secretSetting"] = {"enum": secret}
    return dict(schema)


def contract() -> dict[str, Any]:
    """The topics and rights, with `{prefix}` and `{group}` where the values' own stand."""
    smaller = plan_topics(Topics(_PREFIX), max_image_bytes=MAX_IMAGE_BYTES - 1)
    many = plan_topics(Topics(_PREFIX), partitions=_MANY)
    return {
        "prefix": DEFAULT_PREFIX,
        "group": KafkaSettings.model_fields["group"].default,
        "notifyGroup": NotifySettings.model_fields["group"].default,
        "partitions": DEFAULT_PARTITIONS,
        "maxImageBytes": MAX_IMAGE_BYTES,
        "topics": [
            {
                "name": _open(plan.name),
                "partitionsAtMost": most.partitions,
                "growsWithImages": plan.max_message_bytes > small.max_message_bytes,
                "config": plan.configs(),
            }
            for plan, small, most in zip(plan_topics(Topics(_PREFIX)), smaller, many, strict=True)
        ],
        "roles": {
            role.name: [_acl(right) for right in role.rights]
            for role in roles(_PREFIX, _GROUP, _NOTIFY_GROUP)
        },
    }


def documents() -> dict[Path, str]:
    """The text of every file, by its place."""
    schema = CHART / "values.schema.json"
    present = json.loads(schema.read_text(encoding="utf-8"))
    return {
        schema: json.dumps(values_schema(present), indent=0) + "\n",
        CHART / "files" / "contract.json": json.dumps(contract(), indent=1) + "\n",
        CHART / "files" / "alerts.yaml": ALERTS.read_text(encoding="utf-8"),
    }


def _acl(right: Right) -> dict[str, Any]:
    """As Strimzi's KafkaUser has it."""
    types = {"transactional id": "transactionalId"}
    resource = {"type": types.get(right.kind, right.kind)}
    if right.kind != "cluster":
        resource |= {
            "name": _open(right.name),
            "patternType": "prefix" if right.prefixed else "literal",
        }
    operations = ["".join(p.capitalize() for p in one.split("_")) for one in right.operations]
    return {"resource": resource, "operations": operations}


def _open(name: str) -> str:
    named = name.replace(_PREFIX, "{prefix}").replace(_GROUP, "{group}")
    return named.replace(_NOTIFY_GROUP, "{notifyGroup}")


def _without_titles(schema: Any) -> Any:
    """The schema without what pydantic makes of names, and without defaults, which are ours."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key in ("title", "default") and not isinstance(value, dict))
    }


if __name__ == "__main__":
    for place, text in documents().items():
        place.write_text(text, encoding="utf-8")
        print(place.name)

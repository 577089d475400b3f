"""The chart: what it is made from, what it gives, and that the program takes what it is given."""

import json
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from deploy.tools import chart
from worker.broker.rights import role
from worker.broker.topics import Topics, plan_topics
from worker.documents import write_chart
from worker.settings_sources import load_settings

Manifest = dict[str, Any]


def manifests(example: str) -> list[Manifest]:
    """What is rendered of an example, as kept."""
    text = (chart.RENDERED / f"{example}.yaml").read_text(encoding="utf-8")
    return [one for one in yaml.safe_load_all(text) if one]


def of_kind(kind: str, example: str = "platform") -> dict[str, Manifest]:
    """All of a kind, by name."""
    found = [one for one in manifests(example) if one["kind"] == kind]
    return {one["metadata"]["name"]: one for one in found}


def test_what_the_chart_takes_from_the_program_is_up_to_date() -> None:
    kept = {path: path.read_text(encoding="utf-8") for path in write_chart.documents()}
    assert kept == write_chart.documents(), "run `python -m worker.documents.write_chart`"


def test_the_kept_manifests_are_of_this_chart() -> None:
    assert len(chart.examples()) == len(list(chart.RENDERED.glob("*.yaml"))) > 1
    stale = [
        example.name
        for example in chart.examples()
        if chart.sources_digest(example) not in (chart.RENDERED / example.name).read_text()
    ]
    assert stale == [], "run `make chart`, and look at what it changes"


@pytest.mark.parametrize("example", ["small", "platform"])
def test_kubernetes_and_the_operators_would_take_every_manifest(example: str) -> None:
    text = (chart.RENDERED / f"{example}.yaml").read_text(encoding="utf-8")
    assert list(chart.problems(text)) == []


def test_the_alarms_of_today_fit_into_what_the_operator_takes() -> None:
    (rule,) = of_kind("PrometheusRule").values()
    today = rule | {"spec": yaml.safe_load(chart.ALARMS.read_text(encoding="utf-8"))}
    assert list(chart.problems(yaml.safe_dump(today))) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("readOnlyRootFilesystem", "readOnlyRootFileSystem", "readOnlyRootFileSystem"),
        ("maxReplicaCount", "maxReplicas", "maxReplicas"),
        ('operations: ["Read"]', 'operations: ["READ"]', "'READ'"),
        ("replicas: 3", "replicas: three", "'three'"),
    ],
)
def test_a_manifest_with_a_mistake_is_refused_by_name(right: str, wrong: str, said: str) -> None:
    text = (chart.RENDERED / "platform.yaml").read_text(encoding="utf-8")
    manifest = next(one for one in text.split("\n---\n") if right in one)
    assert list(chart.problems(manifest)) == []
    assert any(said in problem for problem in chart.problems(manifest.replace(right, wrong)))


def test_no_secret_can_stand_among_the_settings() -> None:
    schema = json.loads((chart.CHART / "values.schema.json").read_text())
    groups = schema["properties"]["settings"]["properties"]
    secret = schema["$defs"]["secretSetting"]["enum"]
    assert {"kafka.sasl_password", "redis.password", "redis.url"} <= set(secret)
    left = {
        name for name in secret if name.split(".")[1] in groups[name.split(".")[0]]["properties"]
    }
    assert left == {"redis.url"}, "an address without a password"
    assert "@" in groups["redis"]["properties"]["url"]["pattern"]
    assert all(
        group.get("additionalProperties") is False
        for group in groups.values()
        if "properties" in group
    )


def container(kind: str, name: str, example: str = "platform") -> Manifest:
    spec = of_kind(kind, example)[name]["spec"]
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    (found,) = spec["template"]["spec"]["containers"]
    return dict(found)


def environment(described: Manifest, files: Path) -> dict[str, str]:
    """The variables of a container, with secrets made up and files below `files`."""
    values = {}
    for variable in described["env"]:
        value = variable.get("value", "7" if "fieldRef" in str(variable) else "made-up")
        values[variable["name"]] = value.replace("/etc/latentprint", str(files))
    return values


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("StatefulSet", "moderation-latentprint"),
        ("Deployment", "moderation-latentprint-notify"),
        ("CronJob", "moderation-latentprint-backup"),
    ],
)
def test_the_program_takes_the_variables_that_a_pod_is_given(
    kind: str, name: str, tmp_path: Path
) -> None:
    for place in ("kafka", "redis"):
        (tmp_path / place).mkdir()
        trustme.CA().cert_pem.write_to_path(tmp_path / place / "ca.crt")
    given = environment(container(kind, name), tmp_path)
    settings = load_settings(environment=given)
    if kind == "StatefulSet":
        assert settings.kafka.slot == 7, "the pod's index"
        assert settings.decode.max_image_bytes == 20 * 1024 * 1024, "no 2.097152e+07"
        assert settings.metrics.address(settings.kafka.slot) == ("0.0.0.0", 9464), "at every slot"
        assert settings.kafka.sasl_username == "moderation-latentprint-worker"
    if kind == "Deployment":
        assert settings.kafka.sasl_username == "moderation-latentprint-notify"
        assert settings.notify.file == tmp_path / "notify" / "receivers.toml"
        assert not any("REDIS" in variable for variable in given), "it has no business there"
    if kind == "CronJob":
        assert settings.redis.url.get_secret_value() == "rediss://redis.streams:6380/0"
        assert settings.redis.username == "reader"
        assert not any("KAFKA" in variable for variable in given), "it has no business there"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("StatefulSet", "moderation-latentprint"),
        ("Deployment", "moderation-latentprint-notify"),
        ("CronJob", "moderation-latentprint-backup"),
    ],
)
def test_every_container_is_bound_to_what_it_needs(kind: str, name: str) -> None:
    security = container(kind, name)["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    text = json.dumps(of_kind(kind)[name])
    assert '"runAsNonRoot": true' in text
    assert '"seccompProfile": {"type": "RuntimeDefault"}' in text
    assert '"automountServiceAccountToken": false' in text


def test_a_worker_has_time_to_drain_before_it_is_killed() -> None:
    pod = of_kind("StatefulSet", "small")["moderation-latentprint"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= 25
    assert "preStop" not in json.dumps(pod), "nothing is asked of Kubernetes where it is not to be"
    assert of_kind("Role", "small") == {}


def test_strimzi_is_told_of_the_topics_as_the_program_plans_them() -> None:
    plans = plan_topics(
        Topics("uploads."), partitions=24, replication=3, max_image_bytes=20 * 1024 * 1024
    )
    found = {
        spec["topicName"]: (spec["partitions"], spec["replicas"], spec["config"])
        for spec in (one["spec"] for one in of_kind("KafkaTopic").values())
    }
    assert found == {p.name: (p.partitions, p.replication, p.configs()) for p in plans}


def test_strimzi_is_told_of_the_rights_that_the_program_needs() -> None:
    users = of_kind("KafkaUser")
    assert set(users) == {"moderation-latentprint-worker", "moderation-latentprint-notify"}
    names = ("worker", "checks")
    wanted = [r for n in names for r in role(n, "uploads.", "uploads-latentprint").rights]
    acls = users["moderation-latentprint-worker"]["spec"]["authorization"]["acls"]
    found = [
        (
            a["resource"]["type"].lower(),
            a["resource"].get("name"),
            [o.lower() for o in a["operations"]],
        )
        for a in acls
    ]
    assert found == [
        (
            right.kind.replace(" ", ""),
            None if right.kind == "cluster" else right.name,
            [operation.replace("_", "").lower() for operation in right.operations],
        )
        for right in wanted
    ]


def test_workers_are_scaled_by_the_lag_of_what_they_read() -> None:
    (scaled,) = of_kind("ScaledObject").values()
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["metadata"]["topic"] == "uploads.images"
    assert trigger["metadata"]["consumerGroup"] == "uploads-latentprint"
    assert trigger["metadata"]["limitToPartitionsWithLag"] == "true"
    assert trigger["metadata"]["excludePersistentLag"] == "true"
    assert "replicas" not in of_kind("StatefulSet")["moderation-latentprint"]["spec"]
    images = next(t for n, t in of_kind("KafkaTopic").items() if n == "uploads.images")
    assert scaled["spec"]["maxReplicaCount"] <= images["spec"]["partitions"]


def test_what_a_pod_may_reach_is_what_it_needs() -> None:
    ports = {
        name.rpartition("-")[2]: sorted(
            {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        )
        for name, policy in of_kind("NetworkPolicy").items()
    }
    assert ports == {
        "worker": [53, 443, 4318, 6380, 6443, 9093],
        "notify": [53, 443, 9093],
        "backup": [53, 6380],
    }

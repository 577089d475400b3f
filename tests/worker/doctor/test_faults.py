"""Each fault is seeded in real services, and doctor finds it in time, with its remedy."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.worker.doctor.bench import GROUP, Bench, bench
from tests.worker.doctor.faults import FAULTS
from worker.broker.rights import role
from worker.doctor.examination import examine
from worker.doctor.findings import Finding, exit_code, faults
from worker.program import build_app, run_app
from worker.settings_sources import load_settings

WITHIN_S = 10.0
"""What the goal allows."""


def allowed_s() -> float:
    """The same on a machine that others crowd: for each of its cores more than one wants to run."""
    return WITHIN_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("doctor")) as made:
        yield made


@pytest.fixture
def order(shared: Bench) -> Iterator[Bench]:
    """Services in good order; what a test changes of them is taken back."""
    with shared.undo:
        yield shared


def test_there_are_more_than_twelve_faults() -> None:
    assert len(FAULTS) > 12


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_in_time_with_what_to_do(
    name: str, order: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = FAULTS[name]
    variables = order.env | fault.seed(order)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    settings = load_settings(environment=variables)
    began, most_s = time.monotonic(), allowed_s()
    found: list[Finding] = []
    for finding in examine(
        settings,
        parts=fault.parts,
        within_s=most_s,
        clock=lambda: time.time() + fault.clock_off_s,
    ):
        found.append(finding)
        if finding.standing == fault.standing and all(s in finding.text for s in fault.said):
            break
    else:
        pytest.fail(f"not found among {found}")
    assert time.monotonic() - began < most_s
    assert exit_code(found) == {"wrong": 2, "away": 3, "note": 0}[fault.standing]


def test_of_services_in_good_order_nothing_is_said(
    order: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(environment=order.env)
    assert settings.kafka.group == GROUP
    found = list(examine(settings, parts=("machine", "certificates", "kafka", "redis")))
    assert faults(found) == []
    good = {one.check for one in found if one.standing == "good"}
    assert good >= {"client", "torch", "kafka", "topics", "rights", "transactions", "redis"}
    assert good >= {"registry", "clock", "group", "open files", "compiled loops"}


def test_with_the_least_rights_of_a_role_none_is_missing_and_what_is_not_told_is_named(
    order: Bench,
) -> None:
    topics = order.own_topics()
    group = topics.prefix.strip(".")
    order.kafka.allow("worker", role("worker", topics.prefix, group).rights)
    changed = {"LATENTPRINT_KAFKA__PREFIX": topics.prefix, "LATENTPRINT_KAFKA__GROUP": group}
    settings = load_settings(environment=order.env | order.named() | changed)
    found = list(examine(settings, parts=("kafka",)))
    assert faults(found) == []
    told = [one.text for one in found if one.standing == "unchecked"]
    assert any(f"WRITE on transactional id `{group}-`" in text for text in told)
    assert any("transaction.max.timeout.ms" in text for text in told)

    as_others = list(examine(settings, roles=("producer", "dlq"), parts=("kafka",)))
    lacking = [one.text for one in faults(as_others)]
    assert any(
        "User:worker lacks WRITE on topic" in one and "as producer" in one for one in lacking
    )
    assert any(f"{topics.redrives}" in one and "as dlq" in one for one in lacking)
    assert all("kafka-acls.sh" in one for one in lacking)


def test_doctor_makes_nothing(order: Bench) -> None:
    settings = load_settings(
        environment=order.env
        | {"LATENTPRINT_KAFKA__PREFIX": "none.", "LATENTPRINT_KAFKA__GROUP": "n"}
    )
    with order.admin() as admin:
        before = (sorted(admin.list_topics()), len(admin.list_groups()))
        keys = sorted(order.client().keys("*"))
        list(examine(settings, parts=("kafka", "redis")))
        assert (sorted(admin.list_topics()), len(admin.list_groups())) == before
    assert sorted(order.client().keys("*")) == keys


def test_the_program_ends_in_time_where_neither_service_says_a_word(order: Bench) -> None:
    silent = {
        "LATENTPRINT_KAFKA__BROKERS": f"127.0.0.1:{order.silent_port()}",
        "LATENTPRINT_REDIS__URL": f"redis://:hunter2@127.0.0.1:{order.silent_port()}/0",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "worker.program", "doctor", "--json"],
        env=os.environ | order.env | silent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 3, ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr
    told = json.loads(ended.stdout)
    # Not the loading of the program, which a crowded machine draws out at will.
    assert told["seconds"] - told["loading_seconds"] < allowed_s()
    assert {one["check"] for one in told["findings"] if one["standing"] == "away"} == {
        "kafka",
        "redis",
    }
    assert told["faults"] == 2
    shown = {one["name"]: one for one in told["settings"]}
    assert shown["redis.url"]["shown"].startswith("redis://:***@127.0.0.1")
    assert shown["kafka.brokers"]["source"] == "environment"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--role", "admin"], "expected worker, checks"),
        (["--only", "torch"], "expected machine, certificates"),
    ],
)
def test_a_role_or_a_part_that_there_is_none_of_is_refused_with_those_there_are(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(build_app(), ["doctor", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_service_out_of_reach_is_told_from_what_is_to_be_mended() -> None:
    away, wrong = Finding("redis", "away", "a"), Finding("kafka", "wrong", "b")
    assert [exit_code(found) for found in ([], [away], [away, wrong])] == [0, 3, 2]

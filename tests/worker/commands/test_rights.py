"""`topics rights` and `registry rights` print what roles need, in the words of who gives it."""

import json
from typing import Any

import pytest

from worker.program import main


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(list(arguments)) == code
    out, err = capsys.readouterr()
    return out if code == 0 else err


@pytest.fixture(autouse=True)
def no_services(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("LATENTPRINT_STATE", str(tmp_path / "none.json"))


def test_rights_on_kafka_are_commands_with_the_names_of_the_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRINT_KAFKA__GROUP", "eu")
    monkeypatch.setenv("LATENTPRINT_KAFKA__BROKERS", "k:9093")
    asked = ("topics", "rights", "--for", "worker", "--prefix", "lp.")
    commands = printed(capsys, *asked, "--as", "kafka-acls", "--user", "CN=w").splitlines()
    start = "kafka-acls.sh --bootstrap-server k:9093 --add --allow-principal User:CN=w --operation "
    assert f"{start}Read --topic 'lp.images'" in commands
    assert f"{start}DescribeConfigs --topic 'lp.' --resource-pattern-type prefixed" in commands
    assert (
        f"{start}Write --operation Describe --transactional-id 'eu-'"
        " --resource-pattern-type prefixed" in commands
    )
    manifest = printed(capsys, *asked, "--as", "strimzi")
    assert (
        "  - resource:\n      type: transactionalId\n"
        '      name: "eu-"\n      patternType: prefix\n    operations: [Write, Describe]\n'
    ) in manifest
    assert "WRITE on topic `lp.alerts`" in printed(capsys, *asked)


def test_every_role_is_printed_where_none_is_named_and_one_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    roles = json.loads(printed(capsys, "topics", "rights", "--json"))["rights"]
    assert {"worker", "producer", "dlq", "topics"} <= {role["name"] for role in roles}
    users = json.loads(printed(capsys, "registry", "rights", "--json"))["rights"]
    assert [one["role"] for one in users] == ["worker", "reader", "registrar", "calibrator"]
    for command in ("topics", "registry"):
        refused = printed(capsys, command, "rights", "--for", "king", code=2)
        assert "there are worker," in refused
    assert "give --for too" in printed(capsys, "registry", "rights", "--user", "x", code=2)


def test_a_redis_user_is_made_by_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "registry", "rights", "--for", "worker", "--user", "w")
    assert "ACL SETUSER w reset on >PASSWORD %R~latentprint:* -@all +exec +hgetall" in text
    older = printed(capsys, "registry", "rights", "--for", "worker", "--server", "6.2")
    assert ">PASSWORD ~latentprint:* -@all +exec" in older


def test_a_principal_with_blanks_is_quoted_for_the_shell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ("topics", "rights", "--for", "producer", "--as", "kafka-acls")
    command = printed(capsys, *asked, "--user", "CN=a worker,O=x").splitlines()[1]
    assert "--allow-principal 'User:CN=a worker,O=x' --operation Write" in command

"""Thirty mistakes and more, as people make them: each message names the setting, where it was set
and what to do, and the program ends with exit code 2 and no traceback."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from worker.errors import StopError
from worker.extractor.bundle import load_bundle
from worker.judge.policy import load_policy
from worker.settings_sources import load_settings


@dataclass(frozen=True)
class Mistake:
    """What somebody gave, by which source, and what the message must say of it."""

    said: tuple[str, ...]
    """The key or the variable, and the remedy; `{file}` stands for the file's path."""

    env: dict[str, str] = field(default_factory=dict)
    toml: str | None = None
    flags: dict[str, str] = field(default_factory=dict)
    source: str = "(environment)"


def env(name: str, value: str, *said: str) -> Mistake:
    """One variable with our prefix that is wrong by itself."""
    return Mistake((f"LATENTPRINT_{name}=", *said), env={f"LATENTPRINT_{name}": value})


def toml(text: str, *said: str, source: str = "({file})") -> Mistake:
    return Mistake(said, toml=text, source=source)


MISTAKES = {
    "a unit behind a number": env("KAFKA__SESSION_TIMEOUT_S", "45s", "'45s'", "without a unit"),
    "a unit behind a count": env("DECODE__MAX_IMAGE_BYTES", "10MiB", "whole number in digits"),
    "a fraction for a count": env("KAFKA__SLOT", "1.5", "expected a whole number"),
    "a negative number": env("KAFKA__SLOT", "-1", "expected at least 0"),
    "a time of nothing": env("KAFKA__HEARTBEAT_INTERVAL_S", "0", "expected more than 0"),
    "not a number": env("DECODE__CPU_S", "nan", "expected a finite number"),
    "an endless time": env("DECISION__MAX_REGISTRY_AGE_S", "inf", "expected a finite number"),
    "a time that no field of Kafka holds": env("KAFKA__TRANSACTION_TIMEOUT_S", "1e12", "at most"),
    "a count that nothing holds": env("DECODE__MEMORY_MIB", "9" * 18, "expected at most"),
    "five thousand digits": env("KAFKA__SLOT", "9" * 5000, "9…", "of a sensible size"),
    "a share in per cent": env("DELIVERY__MAX_REJECT_RATIO", "50%", "expected a number"),
    "a share above one": env("DELIVERY__MAX_REJECT_RATIO", "50", "expected at most 1"),
    "a word that is neither yes nor no": env("REDIS__REQUIRED", "maybe", "true or false"),
    "a word that is none of the choices": env(
        "EXTRACT__DEVICE", "gpu", "auto, cpu, cuda or cuda:K"
    ),
    "a choice with a wrong hyphen": env("DELIVERY__MODE", "exactly-once", "'exactly_once'"),
    "a protocol before a broker": env("KAFKA__BROKERS", "kafka://h:9092", "expected host:port"),
    "a broker without a port": env("KAFKA__BROKERS", "kafka.example", "expected host:port"),
    "a comma at the end": env("KAFKA__BROKERS", "a:1,b:2,", "expected host:port"),
    "a space in a name": env("KAFKA__GROUP", "my group", "expected 1 to 200 of"),
    "an authority that is not there": env("KAFKA__TLS_CA_FILE", "/none.pem", "a PEM file"),
    "a policy that is not there": env("DECISION__POLICY", "/none.toml", "expected a TOML file"),
    "a bundle that is not there": env("EXTRACT__BUNDLE", "/none", "the folder of a bundle"),
    "figures on a port alone": env("METRICS__LISTEN", "9464", "expected HOST:PORT, such as"),
    "a Redis without a scheme": env("REDIS__URL", "h:6379", "***", "redis://HOST:PORT/DATABASE"),
    "a Redis database by name": env("REDIS__URL", "redis://h/prod", "expected a whole number"),
    "a Redis poll that outlives a stop": env("REDIS__POLL_S", "20", "expected at most 5"),
    "one underscore for two": Mistake(
        ("LATENTPRINT_KAFKA_BROKERS", "did you mean LATENTPRINT_KAFKA__BROKERS?; unset or correct"),
        env={"LATENTPRINT_KAFKA_BROKERS": "h:1"},
        source="LATENTPRINT_KAFKA_BROKERS: no such setting",
    ),
    "a variable in small letters": Mistake(
        ("latentprint_kafka__slot", "LATENTPRINT_KAFKA__SLOT; rename it"),
        env={"latentprint_kafka__slot": "1"},
        source="variables are written in capitals",
    ),
    "a misspelt table": toml(
        "[kafak]\nslot = 1", "kafak.slot in", "did you mean kafka.slot?", source="in {file}"
    ),
    "a setting outside of its table": toml(
        "slot = 1", "slot in", "did you mean kafka.slot?; remove or correct", source="in {file}"
    ),
    "a value for a table": toml(
        'kafka = "h:1"', "kafka in", "[kafka] and its settings below it", source="in {file}"
    ),
    "a truth for a number": toml("[kafka]\nslot = true", "KAFKA__SLOT=True", "expected a number"),
    "a list for a value": toml("[kafka]\nslot = [1]", "KAFKA__SLOT=[1]", "a whole number"),
    "a number for a secret": toml("[redis]\npassword = 5", "REDIS__PASSWORD=***", "a text"),
    "no TOML": toml("[kafka\n", "line 1", "expected TOML", source="{file}: "),
    "a flag that is wrong": Mistake(
        ("LATENTPRINT_KAFKA__BROKERS='h'", "expected host:port"),
        flags={"kafka.brokers": "h"},
        source="(flag for kafka.brokers)",
    ),
    "a user whom nobody asks": Mistake(
        ("kafka.sasl_username is set", "set SASL_SSL, or unset it"),
        env={"LATENTPRINT_KAFKA__SASL_USERNAME": "ada"},
        source="(kafka.security: default, kafka.sasl_username: environment)",
    ),
    "a login without a password": Mistake(
        ("kafka.security=SASL_SSL needs", "kafka.sasl_username and kafka.sasl_password"),
        env={"LATENTPRINT_KAFKA__SECURITY": "SASL_SSL"},
        source="kafka.security: environment",
    ),
    "a heartbeat of one file too slow for the session of another source": Mistake(
        ("kafka.heartbeat_interval_s=20 must be at most a third of kafka.session_timeout_s=30",),
        env={"LATENTPRINT_KAFKA__SESSION_TIMEOUT_S": "30"},
        toml="[kafka]\nheartbeat_interval_s = 20",
        source="(kafka.session_timeout_s: environment, kafka.heartbeat_interval_s: {file})",
    ),
    "a file for TLS to a Redis without": Mistake(
        ("redis.tls_ca_file is set", "expected rediss://"),
        env={"LATENTPRINT_REDIS__TLS_CA_FILE": "/ca.pem"},
        source="(redis.tls_ca_file: environment)",
    ),
    "a memory that holds no two images": Mistake(
        ("delivery.max_in_flight_mib=10 must hold two images of decode.max_image_bytes",),
        env={"LATENTPRINT_DELIVERY__MAX_IN_FLIGHT_MIB": "10"},
        source="decode.max_image_bytes: default, delivery.max_in_flight_mib: environment",
    ),
}


def test_there_are_thirty_mistakes_and_more() -> None:
    assert len(MISTAKES) >= 30


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_key_its_source_and_what_to_do(
    name: str, tmp_path: Path
) -> None:
    mistake = MISTAKES[name]
    file = tmp_path / "latentprint.toml"
    if mistake.toml is not None:
        file.write_text(mistake.toml)
    state = {"LATENTPRINT_STATE": str(tmp_path / "services.json")}
    with pytest.raises(StopError) as caught:
        load_settings(
            environment=state | mistake.env,
            flags=mistake.flags,
            config_file=file if mistake.toml is not None else None,
        )
    assert caught.value.exit_code == 2
    _, line = str(caught.value).split("\n")  # one mistake, one line
    for part in (*mistake.said, mistake.source):
        assert part.replace("{file}", str(file)) in line
    assert len(line) < 500


POLICY = {
    "a misspelt key": ("alfa_name = 0.02", "alpha_name is missing", "did you mean alpha_name?"),
    "a level above one": ("alpha_name = 5", "alpha_name: expected less than 1"),
    "a level in words": ('alpha_name = "low"', "alpha_name: expected a number"),
    "no TOML": ("alpha_name =", "line"),
}


@pytest.mark.parametrize("name", POLICY)
def test_a_mistake_in_the_policy_names_the_file_and_the_key(name: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    text, *said = POLICY[name]
    file.write_text(f"{text}\n")
    with pytest.raises(StopError) as caught:
        load_policy(file)
    assert caught.value.exit_code == 2
    for part in (*said, str(file)):
        assert part in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_a_bundle_document_that_says_nothing_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text("{}")
    with pytest.raises(StopError) as caught:
        load_bundle(tmp_path)
    assert caught.value.exit_code == 2
    for part in ("bundle.json", "architecture is missing", "export the bundle again or restore it"):
        assert part in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_the_program_itself_ends_with_two_and_one_sentence_for_each_mistake(
    tmp_path: Path,
) -> None:
    file = tmp_path / "latentprint.toml"
    file.write_text("[kafka]\nslots = 3\n")
    clean = {n: v for n, v in os.environ.items() if not n.upper().startswith("LATENTPRINT_")}
    clean["LATENTPRINT_STATE"] = str(tmp_path / "services.json")
    runs = {
        "without a unit": (["run"], {"LATENTPRINT_KAFKA__SESSION_TIMEOUT_S": "45s"}),
        "did you mean kafka.slot?": (["run", "--config", str(file)], {}),
        "(flag for kafka.brokers): expected host:port": (["watch", "--brokers", "kafka://h:1"], {}),
        "expected rediss://": (["registry", "list"], {"LATENTPRINT_REDIS__TLS_CA_FILE": "/ca.pem"}),
    }
    processes = {
        said: subprocess.Popen(
            [sys.executable, "-m", "worker.program", *arguments],
            env=clean | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for said, (arguments, variables) in runs.items()
    }
    for said, process in processes.items():
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 2, stderr
        assert said in stderr
        assert "nothing was started" in stderr
        assert "Traceback" not in stderr

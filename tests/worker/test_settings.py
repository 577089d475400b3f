"""Settings come from named sources, every mistake is reported at once, and secrets stay secret."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
import trustme

from tests.certificates import Certificates, encrypted_key
from worker.settings.settings import Settings
from worker.settings_sources import (
    NOT_SETTINGS,
    SettingsError,
    is_secret,
    load_settings,
    setting_fields,
    variable,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / ".env.example"


BEARER = {"KAFKA__SECURITY": "SASL_SSL", "KAFKA__SASL_MECHANISM": "OAUTHBEARER"}


def environment(tmp_path: Path, **values: str) -> dict[str, str]:
    """An environment whose services' state file does not exist unless a test writes it."""
    state = str(tmp_path / "services.json")
    return {"LATENTPRINT_STATE": state} | {f"LATENTPRINT_{k}": v for k, v in values.items()}


def mistakes(env: dict[str, str], config: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment=env, config_file=config)
    assert caught.value.exit_code == 2
    return caught.value.mistakes


def test_nothing_given_means_the_built_in_defaults(tmp_path: Path) -> None:
    assert load_settings(environment=environment(tmp_path)) == Settings()


def test_flags_beat_the_environment_which_beats_the_file_which_beats_local_services(
    tmp_path: Path,
) -> None:
    state = {"kafka": {"brokers": "127.0.0.1:1"}, "redis": {"url": "redis://127.0.0.1:2/0"}}
    (tmp_path / "services.json").write_text(json.dumps(state))
    env = environment(tmp_path)
    found = load_settings(environment=env)
    assert found.kafka.brokers == "127.0.0.1:1"
    assert found.redis.url.get_secret_value() == "redis://127.0.0.1:2/0"

    config = tmp_path / "latentprint.toml"
    config.write_text('[kafka]\nbrokers = "127.0.0.1:3"\nslot = 4\n')
    assert load_settings(environment=env, config_file=config).kafka.brokers == "127.0.0.1:3"

    env |= {"LATENTPRINT_CONFIG": str(config), "LATENTPRINT_KAFKA__BROKERS": "127.0.0.1:5"}
    from_environment = load_settings(environment=env)
    assert (from_environment.kafka.brokers, from_environment.kafka.slot) == ("127.0.0.1:5", 4)

    flags = {"kafka.brokers": "127.0.0.1:6", "kafka.slot": None}
    from_flags = load_settings(environment=env, flags=flags)
    assert (from_flags.kafka.brokers, from_flags.kafka.slot) == ("127.0.0.1:6", 4)


def test_all_mistakes_are_reported_together_with_value_source_and_expectation(
    tmp_path: Path,
) -> None:
    config = tmp_path / "latentprint.toml"
    config.write_text("[delivery]\ncommit_records = 0\n[kafka]\nslots = 3\n")
    env = environment(
        tmp_path, KAFKA__BROKERS="localhost", EXTRACT__DEVICE="tpu", KAFKA__BROKER="x:1"
    )
    found = mistakes(env, config)
    assert found == [
        f"kafka.slots in {config}: no such setting, did you mean kafka.slot?; remove or correct it",
        "LATENTPRINT_KAFKA__BROKER: no such setting, did you mean LATENTPRINT_KAFKA__BROKERS?;"
        " unset or correct it",
        "LATENTPRINT_KAFKA__BROKERS='localhost' (environment): expected host:port[,host:port…],"
        " 'localhost' is none",
        "LATENTPRINT_EXTRACT__DEVICE='tpu' (environment): expected auto, cpu, cuda or cuda:K",
        f"LATENTPRINT_DELIVERY__COMMIT_RECORDS=0 ({config}): expected at least 1",
    ]


def test_contradictions_name_the_sources_and_come_in_the_same_round_as_wrong_values(
    tmp_path: Path,
) -> None:
    config = tmp_path / "latentprint.toml"
    config.write_text("[kafka]\nheartbeat_interval_s = 20\ncommit_deadline_s = 'x'\n")
    env = environment(tmp_path, KAFKA__REQUEST_TIMEOUT_S="9", DELIVERY__DRAIN_DEADLINE_S="18")
    found = mistakes(env, config)
    assert "KAFKA__COMMIT_DEADLINE_S='x'" in found[0]
    assert len(found) == 3, "a rule that rests on a wrong value waits until it is right"
    assert found[1].endswith(
        f"(kafka.session_timeout_s: default, kafka.heartbeat_interval_s: {config})"
    )
    assert "within 20 s (delivery.drain_deadline_s: environment)" in found[2]


def test_a_group_that_is_no_table_is_told_so(tmp_path: Path) -> None:
    config = tmp_path / "latentprint.toml"
    config.write_text('kafka = "ada:hunter2@x:1"\n')
    assert mistakes(environment(tmp_path), config) == [
        f"kafka in {config}: expected a table, [kafka] and its settings below it"
    ]


def test_variables_in_small_letters_are_named(tmp_path: Path) -> None:
    env = environment(tmp_path) | {"latentprint_kafka__brokers": "x:1", "Latentprint_x": "1"}
    assert mistakes(env) == [
        "Latentprint_x: these variables are written in capitals; unset or correct it",
        "latentprint_kafka__brokers: these variables are written in capitals,"
        " LATENTPRINT_KAFKA__BROKERS; rename it",
    ]


def test_a_damaged_state_file_is_a_mistake_where_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "services.json").write_text("{")
    env = environment(tmp_path)
    assert "the state file of the local services" in mistakes(env)[0]
    given = environment(tmp_path, KAFKA__BROKERS="h:1", REDIS__URL="redis://h")
    assert load_settings(environment=given).kafka.brokers == "h:1"


def test_a_redis_address_is_parsed_at_load_and_its_files_are_looked_at(tmp_path: Path) -> None:
    assert "its database is 'abc'" in mistakes(environment(tmp_path, REDIS__URL="redis://h/abc"))[0]
    missing = environment(tmp_path, REDIS__URL="rediss://h", REDIS__TLS_CA_FILE="/none.pem")
    assert mistakes(missing) == [
        "redis.tls_ca_file=/none.pem is no file; expected a PEM file"
        " (redis.tls_ca_file: environment)"
    ]


def test_credentials_and_files_reach_the_client(tmp_path: Path) -> None:
    env = environment(
        tmp_path, REDIS__URL="redis://h:1/2", REDIS__USERNAME="ada", REDIS__PASSWORD="hunter2"
    )
    address = load_settings(environment=env).redis.address()
    assert address.username == "ada"
    assert address.password is not None
    assert address.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(address)


def test_secrets_are_masked_in_messages_and_in_repr(tmp_path: Path) -> None:
    found = mistakes(environment(tmp_path, REDIS__URL="http://user:hunter2@host"))
    assert "hunter2" not in str(found)
    assert "hunter2" not in str(
        mistakes(environment(tmp_path, KAFKA__BROKERS="kafka://ada:hunter2@h"))
    )
    assert "LATENTPRINT_REDIS__URL=***" in found[0]
    good = load_settings(
        environment=environment(
            tmp_path, REDIS__URL="redis://:hunter2@host:1/0", KAFKA__SASL_PASSWORD="hunter3"
        )
    )
    assert "hunter" not in repr(good)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"KAFKA__HEARTBEAT_INTERVAL_S": "20"}, "at most a third"),
        ({"KAFKA__REQUEST_TIMEOUT_S": "9"}, "below kafka.commit_deadline_s"),
        ({"KAFKA__COMMIT_DEADLINE_S": "11"}, "below kafka.transaction_timeout_s"),
        ({"EXTRACT__BATCH_DEADLINE_S": "299"}, "below kafka.max_poll_interval_s"),
        ({"DELIVERY__DRAIN_DEADLINE_S": "18"}, "within 20 s"),
        ({"DELIVERY__COMMIT_RECORDS": "2000"}, "must not exceed"),
        ({"DELIVERY__MAX_IN_FLIGHT_MIB": "10"}, "must hold two images"),
        ({"KAFKA__SECURITY": "SASL_SSL"}, "needs kafka.sasl_username"),
        ({"KAFKA__SASL_USERNAME": "me"}, "kafka.security=PLAINTEXT sends no name"),
        ({"KAFKA__SECURITY": "SSL", "KAFKA__SASL_USERNAME": "me"}, "kafka.security=SSL sends no"),
        ({"KAFKA__SASL_OAUTH_TOKEN": "t"}, "kafka.security=PLAINTEXT sends no name"),
        ({**BEARER}, "OAUTHBEARER needs kafka.sasl_oauth_token, best as LATENTPRINT_KAFKA__SASL_O"),
        (
            {**BEARER, "KAFKA__SASL_OAUTH_TOKEN": "t", "KAFKA__SASL_USERNAME": "me"},
            "sends a token alone",
        ),
        (
            {"KAFKA__SECURITY": "SASL_SSL", "KAFKA__SASL_OAUTH_TOKEN": "t"},
            "kafka.sasl_mechanism=SCRAM-SHA-512 sends no token",
        ),
        (
            {"KAFKA__SECURITY": "SSL", "KAFKA__TLS_KEY_PASSWORD": "x"},
            "kafka.tls_key_password is set without kafka.tls_cert_file",
        ),
        ({"DECISION__MAX_REGISTRY_AGE_S": "1.9"}, "at least twice redis.poll_s=1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_the_consequence(
    tmp_path: Path, values: dict[str, str], expected: str
) -> None:
    assert any(expected in mistake for mistake in mistakes(environment(tmp_path, **values)))


def test_an_authority_without_encryption_is_a_contradiction(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    found = mistakes(environment(tmp_path, KAFKA__TLS_CA_FILE=str(authority)))
    assert any("kafka.security=PLAINTEXT does not encrypt" in mistake for mistake in found)


def test_a_certificate_and_its_key_are_tried_together_when_settings_are_loaded(
    tmp_path: Path,
) -> None:
    made = Certificates.in_folder(tmp_path)
    mine, other = made.client("worker"), made.client("other")
    key = encrypted_key(mine, "hunter2")
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")

    def said(**values: Path | str) -> str:
        given = {f"KAFKA__{name}": str(value) for name, value in values.items()}
        found = mistakes(environment(tmp_path, KAFKA__SECURITY="SSL", **given))
        assert len(found) == 1, found
        return found[0]

    assert "the key belongs to another certificate" in said(TLS_CERT_FILE=mine, TLS_KEY_FILE=other)
    assert "no certificate or no key" in said(TLS_CERT_FILE=junk)
    assert "(the key is encrypted)" in said(TLS_CERT_FILE=mine, TLS_KEY_FILE=key)
    wrong = said(TLS_CERT_FILE=mine, TLS_KEY_FILE=key, TLS_KEY_PASSWORD="hunter3")
    assert "(the password does not open it)" in wrong
    assert "hunter" not in wrong
    assert "without kafka.tls_cert_file" in said(TLS_KEY_FILE=key)
    assert "expected a PEM file (No such file" in said(TLS_CERT_FILE=tmp_path / "none.pem")
    right = environment(
        tmp_path,
        KAFKA__SECURITY="SSL",
        KAFKA__TLS_CERT_FILE=str(mine),
        KAFKA__TLS_KEY_FILE=str(key),
        KAFKA__TLS_KEY_PASSWORD="hunter2",
    )
    assert load_settings(environment=right).kafka.tls_key_file == key
    plain = right | {"LATENTPRINT_KAFKA__SECURITY": "PLAINTEXT"}
    assert "kafka.tls_cert_file is set but kafka.security=PLAINTEXT" in mistakes(plain)[0]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EXTRACT__BATCH_WAIT_MS", "1e9", "10000"),
        ("DELIVERY__COMMIT_INTERVAL_MS", "1e9", "10000"),
        ("REDIS__POLL_S", "20", "5"),
        ("DECODE__MEMORY_MIB", "1", "64"),
        ("DECODE__MAX_PIXELS", "1", "65536"),
        ("KAFKA__BROKERS", "kafka://host:9092", "expected host:port"),
    ],
)
def test_a_value_with_which_nothing_would_be_judged_is_refused(
    tmp_path: Path, name: str, value: str, expected: str
) -> None:
    (mistake,) = mistakes(environment(tmp_path, **{name: value}))
    assert mistake.startswith(f"LATENTPRINT_{name}='{value}' (environment): ")
    assert expected in mistake


def test_variables_that_others_read_are_no_mistakes(tmp_path: Path) -> None:
    env = environment(tmp_path, CACHE="/nowhere", FAILPOINT="")
    assert load_settings(environment=env) == Settings()


def test_a_missing_or_malformed_file_is_a_mistake(tmp_path: Path) -> None:
    assert "cannot be read" in mistakes(environment(tmp_path), tmp_path / "none.toml")[0]
    broken = tmp_path / "broken.toml"
    broken.write_text("[kafka\n")
    assert "expected TOML" in mistakes(environment(tmp_path), broken)[0]


@pytest.mark.parametrize(
    ("brokers", "profile", "local"),
    [
        ("127.0.0.1:9092", "auto", True),
        ("localhost:1,127.0.0.9:2", "auto", True),
        ("127.0.0.1:9092,kafka.example:9092", "auto", False),
        ("kafka.example:9092", "local", True),
        ("127.0.0.1:9092", "production", False),
    ],
)
def test_only_loopback_brokers_or_the_word_local_relax_replication(
    tmp_path: Path, brokers: str, profile: str, local: bool
) -> None:
    env = environment(tmp_path, KAFKA__BROKERS=brokers, PROFILE=profile)
    assert load_settings(environment=env).is_local is local


def test_the_example_lists_every_setting_with_its_default_and_reason() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    listed: dict[str, tuple[str, str]] = {}
    for before, line in pairwise(lines):
        found = re.fullmatch(r"#(LATENTPRINT_\w+)=(.*)", line)
        if found:
            listed[found[1]] = (found[2], before)
    expected = {}
    for path, field in setting_fields():
        default = field.default
        if is_secret(field) and default is not None:
            default = default.get_secret_value()
        shown = "" if default in (None, ()) else str(default)
        expected[variable(path)] = (shown, f"# {field.description}")
    assert listed == expected


def test_the_example_names_the_variables_that_are_no_settings() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert NOT_SETTINGS
    assert {name for name in NOT_SETTINGS if f"LATENTPRINT_{name}" not in text} == set()

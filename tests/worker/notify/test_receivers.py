"""The file of receivers: the example is right, and every mistake in another is told at once."""

from pathlib import Path

import pytest

from tests.worker.notify.alerting import plan
from tests.worker.notify.receiving import OTHER_SECRET, SECRET
from worker.errors import StopError
from worker.notify.receivers import load_plan, parse_address

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "notify.example.toml"


def test_the_example_is_right_but_for_its_secrets(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    for name, content in {
        "latentprint-webhook": SECRET,
        "slack-webhook-url": "https://hooks.slack.com/services/T/B/x",
    }.items():
        (tmp_path / name).write_text(content + "\n")
        text = text.replace(f"/run/secrets/{name}", str(tmp_path / name))
    read = plan(tmp_path, text)
    assert [(one.name, one.format) for one in read.receivers] == [
        ("pager", "standard"),
        ("moderators", "slack"),
    ]
    assert [rule.severity for rule in read.rules] == ["critical", "info"]
    assert (read.default_severity, read.flood.alerts, read.flood.window_s) == ("warning", 30, 60)
    with pytest.raises(StopError) as missing:
        load_plan(EXAMPLE, {})
    assert "2 mistakes" in str(missing.value)
    assert "/run/secrets/latentprint-webhook cannot be read" in str(missing.value)


def test_every_mistake_is_told_at_once_with_its_place_and_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("whsec_tooshort")
    text = f"""
    defalt_severity = "info"
    default_severity = "loud"
    [flood]
    alerts = 0
    windows_s = 60
    [[rule]]
    severity = "critical"
    [[rule]]
    severity = "grave"
    outcome = ["attributed"]
    [[receiver]]
    name = "a"
    url = "http://example.org/hook"
    secret_files = ["{tmp_path}/secret"]
    [[receiver]]
    name = "b"
    urls = "https://example.org/"
    [[receiver]]
    name = "c"
    url = "https://user:hidden@example.org/"
    url_env = "X"
    [[receiver]]
    name = "d"
    format = "slack"
    url = "https://user:hidden@example.org/"
    ca_file = "/nowhere.pem"
    [[receiver]]
    name = "no blanks"
    [[receiver]]
    name = "e"
    format = "slack"
    url = "https://example.org/hidden"
    ca_file = "/nowhere.pem"
    [[receiver]]
    name = "f"
    url = "https://example.org/"
    secret_env = ["NOT_THERE"]
    """
    with pytest.raises(StopError) as wrong:
        plan(tmp_path, text)
    message = str(wrong.value)
    assert wrong.value.exit_code == 2
    for expected in (
        "defalt_severity is not known, did you mean default_severity?",
        "default_severity='loud': expected one of info, warning, critical",
        "flood: windows_s is not known, did you mean window_s?",
        "flood: alerts: ",
        "rule 1: no condition is given",
        "rule 2: outcome is not known, did you mean outcomes?",
        "rule 2: severity: ",
        "receiver a: url: http to example.org would send alerts unencrypted",
        "receiver a: " + str(tmp_path / "secret") + " holds no secret",
        "receiver b: urls is not known, did you mean url?",
        "receiver c: secret_files or secret_env is missing",
        "receiver c: expected exactly one of url, url_file and url_env, url and url_env is given",
        "receiver d: url: no user and no password may stand in it",
        "receiver no blanks: name: ",
        "receiver e: ca_file: expected a PEM file",
        "receiver f: the environment has no NOT_THERE",
    ):
        assert expected in message
    assert f"{len(message.splitlines()) - 1} mistakes in " in message
    assert "hidden" not in message
    assert "tooshort" not in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no [[receiver]]"),
        ("receiver = 1", "expected a list of tables"),
        ("flood = 3", "flood: "),
        ("[receiver", "is no TOML"),
        ("receiver = [1]", "receiver 1: "),
    ],
)
def test_a_file_that_is_shaped_otherwise_is_refused_without_a_traceback(
    text: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(StopError) as wrong:
        plan(tmp_path, text)
    assert wrong.value.exit_code == 2
    assert says in str(wrong.value)


def test_one_name_is_given_to_one_receiver(tmp_path: Path) -> None:
    table = '[[receiver]]\nname = "a"\nformat = "slack"\nurl = "https://example.org/"\n'
    with pytest.raises(StopError, match="receiver a: the name is given twice"):
        plan(tmp_path, table * 2)


def test_secrets_of_files_and_environment_come_together(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"\n{SECRET}\n\n")
    text = f"""
    [[receiver]]
    name = "a"
    url_env = "URL"
    secret_files = ["{tmp_path}/secret"]
    secret_env = ["OTHER"]
    """
    read = plan(tmp_path, text, {"URL": "https://example.org:8443/x?y=z", "OTHER": OTHER_SECRET})
    (receiver,) = read.receivers
    assert receiver.secrets.read() == (SECRET, OTHER_SECRET)
    address = receiver.address
    assert (address.host, address.port, address.target) == ("example.org", 8443, "/x?y=z")
    assert str(address) == "https://example.org:8443/…", "the path may be a secret"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "https://",
        "https://example.org/#part",
        "https://exa mple.org/",
        "https://example.org/\r\nX-Injected: 1",
        "https://example.org:99999/",
        "https://exämple.org/",
        "http://10.0.0.1/",
        "http://localhost.example.org/",
        "example.org/hook",
        "",
    ],
)
def test_an_address_that_is_no_safe_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: "):
        parse_address(url)


def test_http_is_for_loopback_or_by_name() -> None:
    for url in ("http://127.0.0.1:8474/", "http://[::1]:1/", "http://localhost/"):
        assert not parse_address(url).tls
    assert parse_address("http://10.0.0.1/", allow_http=True).port == 80
    assert parse_address("http://[::1]:1/").authority == "[::1]:1"

"""`latentprint notify` as a process: killed, told to end, tried, and refused with the reason."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from deploy.services.kafka import RunningKafka
from deploy.services.ports import free_port
from tests.topic_names import TopicNames
from tests.waiting import wait_for
from tests.worker.notify.alerting import alert, raw, record
from tests.worker.notify.receiving import OTHER_SECRET, SECRET, receiving
from tests.worker.notify.test_run import committed, publish, settings_for
from worker.commands import notify as cli_notify
from worker.notify.courier import signed_headers
from worker.notify.http_post import NoAnswer, post
from worker.notify.messages import alert_message, read_alert
from worker.notify.receivers import parse_address
from worker.seen import pages
from worker.seen.probe import Told, ask

STATE = {"LATENTPRINT_STATE": "/nonexistent/services.json"}


def invoke(*arguments: str, **environment: str) -> Result:
    app = typer.Typer()
    cli_notify.contribute(app)
    return CliRunner().invoke(app, ["notify", *arguments], env=STATE | environment)


def receivers_file(folder: Path, url: str) -> Path:
    (folder / "secret").write_text(SECRET + "\n")
    path = folder / "notify.toml"
    path.write_text(
        f'[[receiver]]\nname = "pager"\nurl = "{url}"\nsecret_files = ["{folder}/secret"]\n'
        "[flood]\nalerts = 2\nwindow_s = 3600\n"
    )
    return path


@contextmanager
def program(arguments: Sequence[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.program", "notify", *arguments],
        env=os.environ | STATE | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_killed_between_delivery_and_commit_it_tells_the_alert_again_under_the_same_id(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    """And SIGTERM ends it with 0, once what was held for a digest is told."""
    settings = settings_for(kafka, topics)
    common = {
        "LATENTPRINT_KAFKA__BROKERS": kafka.brokers,
        "LATENTPRINT_KAFKA__PREFIX": topics.prefix,
        "LATENTPRINT_NOTIFY__GROUP": settings.notify.group,
    }
    sent = record()
    publish(kafka.brokers, topics.alerts, [sent])
    with receiving() as pager:
        file = str(receivers_file(tmp_path, pager.url))
        armed = common | {"LATENTPRINT_FAILPOINT": "after_flush:kill"}
        with program(["--receivers", file], **armed) as first:
            assert first.wait(60) == -signal.SIGKILL
        assert len(pager.requests) == 1, "delivered before the kill"
        assert committed(kafka, settings, topics) is None
        port = free_port()
        common["LATENTPRINT_NOTIFY__LISTEN"] = f"127.0.0.1:{port}"
        with program(["--receivers", file, "--json"], **common) as second:
            wait_for(lambda: len(pager.requests) == 2, "the second delivery", 60)
            wait_for(lambda: committed(kafka, settings, topics) == 1, "the commit")
            ready = wait_for(lambda: asked(port, pages.READY), "it to be ready")
            assert ready is not None
            assert "receivers: 1 of 1 want to be told" in " ".join(ready.words)
            assert asked(port, pages.LIVE)
            wait_for(lambda: delivered(port) == 1, "the figure")
            publish(kafka.brokers, topics.alerts, [record() for _ in range(5)])
            wait_for(lambda: len(pager.requests) == 3, "what the quota still allows")
            second.send_signal(signal.SIGTERM)
            out, _ = second.communicate(timeout=20)
            assert second.returncode == 0
        one, again, _, digest = pager.requests
    assert one.webhook_id == again.webhook_id
    assert one.verified() == again.verified()
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["ready", "drained"]
    assert digest.verified()["data"]["count"] == 4
    assert committed(kafka, settings, topics) == 6


def asked(port: int, path: str) -> Told | None:
    told = ask("127.0.0.1", port, path)
    return told if told.holds else None


def delivered(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{pages.METRICS}") as answer:
        text = answer.read().decode()
    name = "latentprint_notify_delivered_total"
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def test_a_dry_run_says_what_would_be_sent_and_sends_and_commits_nothing(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    publish(kafka.brokers, topics.alerts, [record() for _ in range(5)])
    with receiving() as pager:
        file = str(receivers_file(tmp_path, pager.url))
        to = ["--brokers", kafka.brokers, "--prefix", topics.prefix, "--receivers", file]
        for_programs = invoke(*to, "--dry-run", "--json")
        for_people = invoke(*to, "--dry-run")
    assert (for_programs.exit_code, for_people.exit_code) == (0, 0), for_programs.output
    lines = [json.loads(line) for line in for_programs.stdout.splitlines()]
    assert [line["body"]["type"] for line in lines] == [
        *["latentprint.alert.v1"] * 2,
        "latentprint.alert_digest.v1",
    ]
    assert lines[-1]["body"]["data"]["count"] == 3
    assert {tuple(line["receivers"]) for line in lines} == {("pager",)}
    assert for_people.stdout.splitlines()[0].startswith("warning   alert")
    assert pager.requests == []


def test_verify_answers_what_is_signed_and_prints_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    port = free_port()
    arguments = ["verify", "--secret-file", f"{tmp_path}/secret", "--port", str(port)]
    read, document = read_alert(raw(alert()))
    message = alert_message(raw(read), read, document, "warning")

    def answered(secret: str) -> int:
        headers = signed_headers(message, message.standard, (secret,), datetime.now(UTC))
        address = parse_address(f"http://127.0.0.1:{port}/")
        try:
            return post(address, headers, message.standard, timeout_s=5, tls=None).status
        except NoAnswer:
            return 0  # it does not listen yet

    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(invoke, *arguments, "--count", "1", "--json")
        assert wait_for(lambda: answered(OTHER_SECRET), "it to listen") == 401
        assert answered(SECRET) == 200
        result = listening.result(20)
    assert result.exit_code == 0
    out = result.stdout
    refused, verified = (json.loads(line) for line in out.splitlines())
    assert (refused["verified"], refused["body"]) == (False, None)
    assert verified["body"]["data"]["alert"]["alert_id"] == str(message.message_id)


def test_wrong_use_ends_with_2_and_a_sentence(tmp_path: Path) -> None:
    for arguments, says in (
        ([], "LATENTPRINT_NOTIFY__FILE"),
        (["--receivers", f"{tmp_path}/none.toml"], "cannot be read"),
        (["verify", "--secret-file", f"{tmp_path}/none"], "cannot be read"),
        (["redrive"], "LATENTPRINT_NOTIFY__FILE"),
    ):
        result = invoke(*arguments)
        assert getattr(result.exception, "exit_code", None) == 2, arguments
        assert says in str(result.exception)
    assert "must differ from kafka.group" in str(
        invoke(LATENTPRINT_NOTIFY__GROUP="latentprint-worker").exception
    )

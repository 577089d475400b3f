"""The chart's preStop hook: only a pod that was scaled in is told to leave, whatever happens."""

import http.server
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from deploy.tools.chart import CHART

SCRIPT = CHART / "files" / "leave_if_scaled_in.py"
WAITS = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
print("ready", flush=True)
print(signal.sigwait({signal.SIGUSR1, signal.SIGTERM}).name, flush=True)
"""


class Kubernetes(http.server.BaseHTTPRequestHandler):
    """Answers the one question, over TLS, to whoever has the token."""

    replicas: int | None = 2

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "Bearer token-of-the-pod"
        known = self.path == "/apis/apps/v1/namespaces/moderation/statefulsets/workers"
        status = 403 if not allowed else 200 if known and self.replicas is not None else 404
        body = json.dumps({"spec": {"replicas": self.replicas}}).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The folder that the pod mounts, beside the script, and its environment."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    (tmp_path / "namespace").write_text("moderation")
    (tmp_path / "token").write_text("token-of-the-pod\n")
    shutil.copy(SCRIPT, tmp_path)
    server = http.server.HTTPServer(("127.0.0.1", 0), Kubernetes)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield (
        tmp_path,
        {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(server.server_port),
            "HTTPS_PROXY": "http://127.0.0.1:9",
        },
    )
    server.shutdown()
    server.server_close()


def signal_of(
    told: tuple[Path, dict[str, str]], slot: str, statefulset: str = "workers"
) -> tuple[str, str]:
    """What the worker is sent, where a SIGTERM follows the hook as in a pod; and what was said."""
    folder, environment = told
    (folder / "slot").write_text(slot)
    worker = subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    hook = subprocess.run(
        [sys.executable, folder / SCRIPT.name, statefulset],
        env=os.environ | environment | {"WORKER_PID": str(worker.pid)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    worker.send_signal(signal.SIGTERM)
    sent = worker.stdout.readline().strip()
    worker.wait(10)
    return sent, hook.stderr


def test_a_pod_above_what_is_wanted_is_told_to_leave(told: tuple[Path, dict[str, str]]) -> None:
    assert signal_of(told, "2") == ("SIGUSR1", "")


def test_a_pod_that_only_restarts_keeps_its_place(told: tuple[Path, dict[str, str]]) -> None:
    assert signal_of(told, "1") == ("SIGTERM", "")


def test_where_the_whole_set_is_gone_every_pod_leaves(told: tuple[Path, dict[str, str]]) -> None:
    assert signal_of(told, "0", "deleted") == ("SIGUSR1", "")


@pytest.mark.parametrize("broken", ["token", "ca.crt", "port"])
def test_without_an_answer_it_stops_as_in_a_restart(
    told: tuple[Path, dict[str, str]], broken: str
) -> None:
    folder, environment = told
    if broken == "token":
        (folder / "token").write_text("of another")
    elif broken == "ca.crt":
        trustme.CA().cert_pem.write_to_path(folder / "ca.crt")
    else:
        environment["KUBERNETES_SERVICE_PORT"] = "9"
    sent, said = signal_of(told, "2")
    assert sent == "SIGTERM"
    assert said.startswith("stops as in a restart: ")
    assert "token-of-the-pod" not in said

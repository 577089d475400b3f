"""A real Prometheus scrapes, a real Alertmanager posts, and both stay up until taken down."""

import json
import re
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.services.errors import WrongUse
from deploy.services.ports import free_port
from deploy.services.processes import identify
from deploy.services.prometheus import WATCHING, start_alertmanager, start_prometheus
from deploy.services.watching import watching_file
from tests.services.test_services import services
from tests.tools import tool
from tests.waiting import wait_for
from worker.metrics import Figures
from worker.seen.pages import figures_page
from worker.seen.server import PageServer, listening


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    """Both programs, or the reason why not."""
    tool("prometheus")
    tool("alertmanager")


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings and rules as they are shipped, but that nothing waits longer than 0.2 s."""
    folder = tmp_path_factory.mktemp("hurried")
    waits = r"^( *(?:for|scrape_interval|evaluation_interval|group_wait|group_interval): )\w+"
    for name in ("prometheus.yaml", "alerts.yaml", "alertmanager.yaml"):
        shipped = (WATCHING / name).read_text()
        text, count = re.subn(waits, r"\g<1>200ms", shipped, flags=re.MULTILINE)
        assert count >= 2, name
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A state file of this test's own, not there yet."""
    return tmp_path / "state" / "services.json"


class Receiver:
    """A webhook on loopback that keeps what is posted."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        keep = self.posted.append

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                keep(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alarms"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def alarms(self, name: str, status: str) -> list[dict[str, Any]]:
        """What was posted of an alarm in this state."""
        alerts = [alert for message in list(self.posted) for alert in message["alerts"]]
        return [a for a in alerts if a["labels"]["alertname"] == name and a["status"] == status]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook of this test's own."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_figure_is_scraped_an_alarm_fires_and_is_posted_and_its_end_is_too(
    hurried: Path, receiver: Receiver, tmp_path: Path
) -> None:
    """1. Scraped. 2. A sender in quarantine: the ticket is posted, with where to read on. 3. A slot
    that never answered: likewise. 4. The quarantine is lifted: that is posted too.
    """
    figures, silent = Figures(), free_port()
    with ExitStack() as stack:
        pages = PageServer(
            listening("127.0.0.1", 0, "the test"),
            {"/metrics": lambda accept: figures_page(figures, accept)},
        )
        stack.callback(pages.close)
        alertmanager = start_alertmanager(
            tmp_path / "alertmanager", webhook=receiver.url, settings=hurried
        )
        stack.callback(alertmanager.stop)
        prometheus = start_prometheus(
            tmp_path / "prometheus",
            targets=[f"127.0.0.1:{pages.port}", f"127.0.0.1:{silent}"],
            alertmanager=alertmanager,
            settings=hurried,
        )
        stack.callback(prometheus.stop)

        def asked(query: str) -> list[dict[str, Any]]:
            address = f"{prometheus.address}/api/v1/query?query={urllib.parse.quote(query)}"
            with urllib.request.urlopen(address, timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

        seen = wait_for(lambda: asked("latentprint_senders_quarantined"), "a scrape")
        assert seen[0]["value"][1] == "0"
        assert seen[0]["metric"]["slot"] == "0"

        figures.set("senders_quarantined", 1)
        told = wait_for(
            lambda: receiver.alarms("LatentprintSenderQuarantined", "firing"), "the alarm"
        )[0]
        assert told["labels"]["severity"] == "ticket"
        assert told["annotations"]["description"].startswith("Slot 0 holds back 1 senders")
        assert told["annotations"]["runbook_url"].endswith("#latentprintsenderquarantined")
        down = wait_for(lambda: receiver.alarms("LatentprintSlotDown", "firing"), "the other alarm")
        assert down[0]["labels"]["instance"] == f"127.0.0.1:{silent}"

        figures.set("senders_quarantined", 0)
        assert wait_for(
            lambda: receiver.alarms("LatentprintSenderQuarantined", "resolved"), "its end"
        )
        assert receiver.alarms("LatentprintNoWorker", "firing") == []


def test_who_watches_stays_up_after_the_command_and_goes_down_with_another(
    file: Path,
) -> None:
    """1. `watch` starts both. 2. `watch` again tells Prometheus new addresses. 3. Another webhook
    is refused and not repeated. 4. `alarms` finds none. 5. `down` ends both.
    """
    assert services(file, "alarms").returncode == 3
    try:
        first = services(file, "watch", "127.0.0.1:9464", "--json")
        assert first.returncode == 0, first.stderr
        up = json.loads(first.stdout)
        assert up["prometheus"]["answers"] is up["alertmanager"]["answers"] is True
        assert up["targets"] == ["127.0.0.1:9464"]

        wider = ("watch", "127.0.0.1:9465", "--notify", "127.0.0.1:9474", "--json")
        again = json.loads(services(file, *wider).stdout)
        assert again["prometheus"] == up["prometheus"]
        address = f"{up['prometheus']['address']}/api/v1/targets"

        def watched() -> bool:
            with urllib.request.urlopen(address, timeout=10) as answer:
                active = json.load(answer)["data"]["activeTargets"]
            jobs = {target["labels"]["instance"]: target["labels"]["job"] for target in active}
            return jobs == {
                "127.0.0.1:9465": "latentprint",
                "127.0.0.1:9474": "latentprint-notify",
            }

        assert wait_for(watched, "the new addresses")

        refused = services(file, "watch", "--webhook", "http://127.0.0.1:9/secret")
        assert refused.returncode == 2
        assert "Stop it first: latentprint services down" in refused.stderr
        assert "secret" not in refused.stderr

        status = services(file, "status")
        assert status.returncode == 3  # neither Kafka nor Redis was started
        assert status.stdout.count("answers") == 2
        none = services(file, "alarms")
        assert (none.returncode, none.stdout) == (0, "No alarm fires.\n")
    finally:
        down = services(file, "down")
    assert (down.returncode, down.stdout) == (0, "Stopped Prometheus and Alertmanager.\n")
    assert identify(up["prometheus"]["pid"]) is None
    assert identify(up["alertmanager"]["pid"]) is None
    assert not watching_file(file).exists()


def test_a_taken_port_or_a_wrong_address_starts_nothing(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        taken = services(file, "watch", "--prometheus-port", port)
        assert taken.returncode == 3
        assert f"127.0.0.1:{port}" in taken.stderr
    wrong = services(file, "watch", "9464")
    assert wrong.returncode == 2
    assert "'9464' is not HOST:PORT" in wrong.stderr
    assert not watching_file(file).exists()


def test_a_webhook_that_is_no_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="begins with http") as refused:
        start_alertmanager(tmp_path, webhook='http://secret"\n')
    assert "secret" not in str(refused.value)

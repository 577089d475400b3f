"""Events that only name their image: fetched, judged once, and a broken one is one dead letter."""

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from deploy.services.ports import free_port
from tests.scenarios import oracle
from tests.scenarios.harness import DARK, Event, Run, png, running
from tests.scenarios.test_redrive import redrive, wait_redriven
from tests.waiting import wait_for
from tests.worker.references.answers import PAGE, whole
from tests.worker.references.buckets import CREDENTIALS, bucket
from tests.worker.references.conftest import context_of
from tests.worker.references.sinks import Server, serving


@dataclass
class Places:
    """A folder, a bucket and a host with one image each, and the settings that list them."""

    root: Path
    web: Server
    settings: dict[str, str]

    def https(self, path: str) -> str:
        return f"https://127.0.0.1:{self.web.port}/{path}"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    root = tmp_path / "uploads"
    root.mkdir()
    (root / "a.png").write_bytes(png(64, seed=1))
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)

    def behave(connection: socket.socket, request: str) -> None:
        page = "/page" in request
        connection.sendall(whole(PAGE) if page else whole(png(192, seed=2)))

    tls = context_of(authority.issue_cert("127.0.0.1"))
    with serving(behave, tls) as web, bucket("uploads", {"key": png(64, seed=3)}) as s3:
        settings = {
            "REFERENCES__ALLOWED_ROOTS": str(root),
            "REFERENCES__ALLOWED_BUCKETS": "s3://uploads",
            "REFERENCES__ALLOWED_HOSTS": f"127.0.0.1:{web.port}",
            "REFERENCES__PRIVATE_NETWORKS": "127.0.0.1/32",
            "REFERENCES__CA_FILE": str(tmp_path / "ca.pem"),
            "REFERENCES__S3_ENDPOINT": s3,
            "REFERENCES__PROCESSES": "1",
        }
        yield Places(root, web, settings)


def by_reference(reference: str, *, doomed: bool = False) -> Event:
    """An event in binary mode without a value."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", hashlib.sha256(reference.encode()).hexdigest().encode()),
        ("ce_source", b"/scenario"),
        ("ce_type", b"latentprint.image.v1"),
        ("ce_dataref", reference.encode()),
    )
    return Event(None, key=b"by reference", headers=headers, doomed=doomed)


def structured(reference: str) -> Event:
    """An event as one JSON document whose data says where the data is."""
    document = {
        "specversion": "1.0",
        "id": "structured",
        "source": "/scenario",
        "type": "org.example.upload",
        "data": {"uri": reference},
    }
    headers = (("content-type", b"application/cloudevents+json"),)
    return Event(json.dumps(document).encode(), headers=headers)


def test_images_are_judged_by_reference_and_what_cannot_be_fetched_is_one_letter_byte_for_byte(
    run: Run, places: Places
) -> None:
    file, s3, web = f"file://{places.root}/a.png", "s3://uploads/key", places.https("b.png")
    first = by_reference(file, doomed=True)
    run.put([first])
    with running(run.worker()) as unlisted:
        run.wait_drained()
        assert unlisted.drain() == 0
    (letter,) = oracle.find(run.brokers, run.topics).letters
    assert (letter.code, letter.stage) == ("fetch.refused", "fetch")
    assert "references.allowed_roots is empty" in letter.message

    doomed = {
        "fetch.not_found": by_reference(f"file://{places.root}/none.png", doomed=True),
        "fetch.not_an_image": by_reference(places.https("page?signature=secret"), doomed=True),
        "fetch.refused": by_reference("https://127.0.0.1:1/a.png?signature=secret", doomed=True),
    }
    honest = [by_reference(s3), by_reference(f"{web}?signature=secret"), structured(s3)]
    with running(run.worker(0, failpoint="", **places.settings)) as worker:
        redrive(run, "--all")
        wait_redriven(run)
        run.put([*doomed.values(), *honest, Event(DARK)])
        run.wait_drained()
        assert worker.drain() == 0
        log = worker.log.read_text()
    assert "secret" not in log
    assert '"fetches": 7' in log

    oracle.check_settled(run.brokers, run.group, run.topics)
    found = oracle.find(run.brokers, run.topics)
    letters = {(a.origin.partition, a.origin.offset): a for a in found.letters}
    assert len(letters) == len(found.letters) == 1 + len(doomed)
    for place, sent in run.ledger.doomed.items():
        kept = letters[place]
        assert (kept.key, kept.value, kept.headers) == (sent.key, sent.value, sent.headers)
        assert "secret" not in kept.message
    assert {a.code for a in letters.values()} == set(doomed)

    verdicts = [verdict for _, verdict in found.verdicts]
    images = {v.image.fetched_from: v.image.sha256 for v in verdicts}
    assert images == {
        file: hashlib.sha256(png(64, seed=1)).hexdigest(),
        s3: hashlib.sha256(png(64, seed=3)).hexdigest(),
        web: hashlib.sha256(png(192, seed=2)).hexdigest(),
        None: hashlib.sha256(DARK).hexdigest(),
    }
    assert len(verdicts) == 5
    redriven = next(v for v in verdicts if v.image.fetched_from == file)
    assert (redriven.partition, redriven.offset) == (letter.origin.partition, letter.origin.offset)


def test_a_store_that_is_away_holds_its_events_and_none_of_them_becomes_a_dead_letter(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    port = free_port()
    settings = {
        "REFERENCES__ALLOWED_BUCKETS": "s3://uploads",
        "REFERENCES__S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "REFERENCES__PROCESSES": "1",
        "REFERENCES__TRIES": "1",
    }
    run.put(by_reference(f"s3://uploads/{number}") for number in range(3))
    with running(run.worker(0, failpoint="", **settings)) as worker:
        worker.wait_logged('"event": "store_away"')
        run.put([Event(DARK, key=b"carried")])  # to a partition that holds none of the others
        wait_for(
            lambda: len(oracle.find(run.brokers, run.topics).verdicts) == 1,
            "the event that carries its image to be judged meanwhile",
        )
        with bucket("uploads", {str(number): png(64, seed=number) for number in range(3)}, port):
            run.wait_drained()
            found = run.check()
        assert worker.drain() == 0
    assert found.letters == []
    assert len(found.verdicts) == 4
    assert worker.has_logged('"event": "store_back"')

"""Goal G17: every hostile reference ends as its row says, and nothing reaches the sink."""

import datetime
import os
import re
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.worker.references import vectors
from tests.worker.references.answers import IMAGE, answer
from tests.worker.references.conftest import context_of
from tests.worker.references.sinks import Server, Sink, serving
from tests.worker.references.vectors import PUBLIC, VECTORS, Vector, ending
from worker.errors import RejectError
from worker.references.connection import Lookups, Way, system_addresses, tls_context
from worker.references.fetch import Fetching
from worker.references.outages import UnavailableError
from worker.references.stores import Stores
from worker.references.targets import Rules
from worker.settings.references import ReferenceSettings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operations" / "references.md"
MAX_BYTES = 100_000
TIMEOUT_S = 1.5


def ids(table: Sequence[Vector]) -> list[str]:
    return [vector.name for vector in table]


def ended(fetching: Fetching, reference: str) -> str:
    """The code that a fetch ends with, as a dead letter would have it."""
    try:
        data = fetching.fetch(reference)
    except RejectError as error:
        return error.code
    except UnavailableError:
        return "fetch.unavailable"
    assert data == IMAGE
    return "fetch.fetched"


def fetching_by(settings: ReferenceSettings, **way: Any) -> Fetching:
    context = tls_context(str(settings.ca_file) if settings.ca_file else None)
    return Fetching(
        Rules.of(settings),
        Way(context, settings.networks(), Lookups(), **way),
        Stores(s3_endpoint=settings.s3_endpoint, timeout_s=TIMEOUT_S),
        TIMEOUT_S,
        MAX_BYTES,
    )


def test_there_are_more_than_sixty_vectors_each_with_a_name_of_its_own() -> None:
    assert len(VECTORS) >= 60
    assert len({vector.name for vector in VECTORS}) == len(VECTORS)


def test_the_page_lists_exactly_these_vectors() -> None:
    assert vectors.table() in PAGE.read_text(), (
        "run `python -m tests.worker.references.vectors` and put its table into the page"
    )


REMOTE = (*vectors.SCHEMES, *vectors.HOSTS, *vectors.URLS, *vectors.ADDRESSES, *vectors.OBJECTS)


@pytest.mark.parametrize("vector", REMOTE, ids=ids(REMOTE))
def test_a_hostile_address_is_refused_and_reaches_nothing(vector: Vector, sink: Sink) -> None:
    """The lists would let the sink's port pass: only what is under test stands before it."""
    hosts = "images.example.com,*.cdn.example.com"
    both = f"{hosts},{hosts.replace('com', f'com:{sink.port}')}"
    settings = ReferenceSettings(
        allowed_hosts=both,
        allowed_buckets="s3://uploads,s3://tenants/eu/",
        allowed_roots="/srv/uploads",
    )
    asked: list[str] = []
    went: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        if vector.answers:
            return vector.answers[min(len(asked), len(vector.answers)) - 1]
        return system_addresses(host, port)

    def connect(address: tuple[str, int], timeout_s: float) -> socket.socket:
        went.append(address[0])
        if address[0] == PUBLIC:
            raise ConnectionRefusedError(111, "nothing is there")
        return socket.create_connection(address, timeout_s)

    fetching = fetching_by(settings, resolve=resolve, connect=connect)
    reference = vector.reference.format(sink=sink.port)
    assert ended(fetching, reference) == ending(vector)
    assert went == ([PUBLIC] if vector.name == "rebinding" else [])
    assert len(asked) == (1 if vector.answers else 0)
    if len(vector.answers) > 1:
        assert ended(fetching, reference) == "fetch.refused"
        assert went == [PUBLIC]


def test_the_sink_would_notice_a_packet(sink: Sink) -> None:
    """The lists and the resolver of these tests, with the network allowed: it is reached."""
    settings = ReferenceSettings(
        allowed_hosts=f"images.example.com:{sink.port}", private_networks="127.0.0.0/8"
    )
    fetching = fetching_by(settings, resolve=lambda host, port: ["127.0.0.1"])
    fetching = Fetching(fetching.rules, fetching.way, fetching.stores, 0.2, MAX_BYTES)
    assert ended(fetching, f"https://images.example.com:{sink.port}/a") == "fetch.unavailable"
    assert sink.count() == 1


def test_metadata_is_refused_in_a_network_that_is_allowed_too() -> None:
    settings = ReferenceSettings(
        allowed_hosts="images.example.com", private_networks="169.254.0.0/16,fd00::/8"
    )
    for address in ("169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254"):
        fetching = fetching_by(settings, resolve=lambda host, port, a=address: [a])
        assert ended(fetching, "https://images.example.com/a") == "fetch.refused"


def hostile_folder(tmp_path: Path) -> Path:
    root = tmp_path / "uploads"
    (root / "inner").mkdir(parents=True)
    (root / "a.jpg").write_bytes(IMAGE)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "uploads-other").mkdir()
    (tmp_path / "uploads-other" / "a.jpg").write_bytes(IMAGE)
    (root / "link-out").symlink_to("../secret")
    (root / "link-in").symlink_to("a.jpg")
    (root / "folder-out").symlink_to("..")
    (root / "chain").symlink_to("link-out")
    (root / "loop").symlink_to("loop")
    (root / "environ").symlink_to("/proc/self/environ")
    os.mkfifo(root / "pipe")
    (root / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(root, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/socket")  # a path of its own may be too long
        os.close(here)
    with (root / "sparse").open("wb") as file:
        file.truncate(8 << 30)
    return root


@pytest.mark.parametrize("vector", vectors.FILES, ids=ids(vectors.FILES))
def test_a_hostile_path_reads_nothing(vector: Vector, sink: Sink, tmp_path: Path) -> None:
    root = hostile_folder(tmp_path)
    fetching = fetching_by(ReferenceSettings(allowed_roots=str(root)))
    reference = vector.reference.format(root=root, name=root.name, sink=sink.port)
    assert ended(fetching, reference) == ending(vector)
    assert ended(fetching, f"file://{root}/a.jpg") == "fetch.fetched", "the honest one is read"


@pytest.mark.skipif(os.geteuid() != 0, reason="device nodes are made by root alone")
def test_a_device_node_is_refused_without_being_opened(tmp_path: Path) -> None:
    root = hostile_folder(tmp_path)
    try:
        os.mknod(root / "node", 0o600 | 0o020000, os.makedev(1, 5))  # as /dev/zero
    except PermissionError:
        pytest.skip("this container may make no device nodes")
    fetching = fetching_by(ReferenceSettings(allowed_roots=str(root)))
    assert ended(fetching, f"file://{root}/node") == "fetch.refused"


def reaching(server: Server, ca_file: Path) -> Fetching:
    settings = ReferenceSettings(
        allowed_hosts=f"images.test:{server.port}", private_networks="127.0.0.1", ca_file=ca_file
    )
    return fetching_by(settings, resolve=lambda host, port: ["127.0.0.1"])


@pytest.mark.parametrize("vector", vectors.ANSWERS, ids=ids(vectors.ANSWERS))
def test_a_hostile_answer_is_not_taken(
    vector: Vector, sink: Sink, ca_file: Path, server_tls: ssl.SSLContext
) -> None:
    def behave(connection: socket.socket, request: str) -> None:
        answer(connection, vector.name, sink.port)

    with serving(behave, server_tls) as server:
        reference = vector.reference.replace("images.test", f"images.test:{server.port}")
        began = datetime.datetime.now()
        assert ended(reaching(server, ca_file), reference) == ending(vector)
        assert datetime.datetime.now() - began < datetime.timedelta(seconds=TIMEOUT_S + 3)
        (request,) = server.requests
        assert "Accept-Encoding: identity\r\n" in request
        headers = re.findall(r"^([A-Za-z-]+):", request, re.MULTILINE)
        assert headers == ["Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"]


@pytest.mark.parametrize("vector", vectors.TLS, ids=ids(vectors.TLS))
def test_a_host_that_is_not_who_it_says_gives_no_image(
    vector: Vector, sink: Sink, ca_file: Path, authority: trustme.CA
) -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificates = {
        "wrong name": authority.issue_cert("other.test"),
        "self-signed": trustme.CA().issue_cert("images.test"),
        "expired": authority.issue_cert("images.test", not_after=past),
    }
    certificate = certificates.get(vector.name)
    context = context_of(certificate) if certificate else None

    def behave(connection: socket.socket, request: str) -> None:
        answer(connection, "cookie", sink.port)

    with serving(behave, context) as server:
        reference = f"https://images.test:{server.port}/a.jpg"
        assert ended(reaching(server, ca_file), reference) == ending(vector)
        assert server.requests == []

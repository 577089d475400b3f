"""A private authority, and the way to hosts that a test has under its control."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.worker.references.sinks import Sink


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority that only those trust who are told to."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate as a file."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a server needs whose name is images.test, or 127.0.0.1."""
    return context_of(authority.issue_cert("images.test", "127.0.0.1"))


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A server's context with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="session")
def _sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def sink(_sink: Sink) -> Iterator[Sink]:
    """A listener that nobody may have reached in the end."""
    _sink.count()
    yield _sink
    assert _sink.count() == 0, "a packet reached the sink"

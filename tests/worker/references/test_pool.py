"""The fetch processes: what they fetch, what they are given, and what becomes of one that fails."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.waiting import wait_for
from tests.worker.references.answers import IMAGE, whole
from tests.worker.references.buckets import CREDENTIALS, bucket
from tests.worker.references.sinks import Server, serving
from worker.errors import RejectError
from worker.references.outages import UnavailableError
from worker.references.pool import LANES, FetcherPool, environment_of
from worker.settings.references import ReferenceSettings

OBJECT_KEY = "eu/user 7/gr\u00f6\u00dfe 100%.png"


@dataclass
class Stores:
    """What is there to be fetched, and a pool that may."""

    pool: FetcherPool
    root: Path
    web: Server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3-compatible server with one bucket."""
    with bucket("uploads", {OBJECT_KEY: IMAGE, "large": bytes(200_000)}) as address:
        yield address


@pytest.fixture(scope="module")
def stores(
    s3: str, ca_file: Path, server_tls: ssl.SSLContext, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stores]:
    root = tmp_path_factory.mktemp("uploads")
    (root / "a b.png").write_bytes(IMAGE)
    (root / "large.png").write_bytes(bytes(100_001))

    def behave(connection: socket.socket, request: str) -> None:
        if "/slow" in request:
            connection.recv(1)  # until the other side has had enough
        connection.sendall(whole(IMAGE))

    with serving(behave, server_tls) as web:
        settings = ReferenceSettings(
            allowed_roots=str(root),
            allowed_buckets="s3://uploads",
            allowed_hosts=f"127.0.0.1:{web.port}",
            private_networks="127.0.0.1/32",
            ca_file=ca_file,
            s3_endpoint=s3,
            processes=1,
            timeout_s=3,
        )
        secrets = {"LATENTPRINT_REDIS__PASSWORD": "no", "HTTPS_PROXY": "http://127.0.0.1:1"}
        with FetcherPool(settings, 100_000, environment=CREDENTIALS | secrets) as pool:
            yield Stores(pool, root, web)


def code_of(pool: FetcherPool, reference: str) -> str:
    with pytest.raises(RejectError) as caught:
        pool.fetch(reference)
    assert caught.value.stage == "fetch"
    return caught.value.code


def test_a_file_an_object_and_a_page_are_fetched_by_what_names_them(stores: Stores) -> None:
    references = (
        f"file://{stores.root}/a%20b.png",
        "s3://uploads/eu/user%207/gr%C3%B6%C3%9Fe%20100%25.png",
        f"https://127.0.0.1:{stores.web.port}/a.png?signature=x",
    )
    for reference in references:
        assert stores.pool.fetch(reference) == IMAGE
    assert "GET /a.png?signature=x HTTP/1.1" in stores.web.requests[-1]
    assert stores.pool.target(references[1]).place == f"s3://uploads/{OBJECT_KEY}"
    assert stores.pool.target(references[2]).place == (
        f"https://127.0.0.1:{stores.web.port}/a.png"
    ), "without what signs it"


def test_what_is_missing_or_too_large_is_said_by_its_code(stores: Stores) -> None:
    assert code_of(stores.pool, f"file://{stores.root}/none.png") == "fetch.not_found"
    assert code_of(stores.pool, f"file://{stores.root}/large.png") == "fetch.too_large"
    assert code_of(stores.pool, "s3://uploads/none.png") == "fetch.not_found"
    assert code_of(stores.pool, "s3://uploads/large") == "fetch.too_large"


def test_a_fetch_process_is_given_providers_variables_and_nothing_else_of_ours() -> None:
    given = environment_of(
        CREDENTIALS
        | {
            "LATENTPRINT_KAFKA__SASL_PASSWORD": "x",
            "LATENTPRINT_REDIS__URL": "x",
            "HTTPS_PROXY": "x",
            "https_proxy": "x",
            "ALL_PROXY": "x",
            "SSLKEYLOGFILE": "x",
            "PYTHONPATH": "x",
            "LD_PRELOAD": "x",
            "GOOGLE_APPLICATION_CREDENTIALS": "/run/key.json",
            "SSL_CERT_FILE": "/etc/ca.pem",
        }
    )
    assert set(given) == {*CREDENTIALS, "GOOGLE_APPLICATION_CREDENTIALS", "SSL_CERT_FILE"}


def test_the_running_process_has_no_other_descriptors_no_secret_and_no_privilege(
    stores: Stores,
) -> None:
    (pid,) = stores.pool.pids()
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert [line.split()[4] for line in limits.splitlines() if "core file" in line] == ["0"]
    if os.geteuid() != 0:  # not dumpable: what follows is root's to read
        with pytest.raises(PermissionError):
            os.listdir(f"/proc/{pid}/fd")
        return
    links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    ours = {link for link in links if link.startswith("socket:")}
    allowed = ("/dev/null", "anon_inode:", "pipe:")  # and the timers of obstore's own threads
    assert len(ours) <= LANES + 4
    assert [link for link in links - ours if not link.startswith(allowed)] == []
    environment = Path(f"/proc/{pid}/environ").read_text()
    assert "AWS_SECRET_ACCESS_KEY" in environment
    assert "LATENTPRINT" not in environment
    assert "PROXY" not in environment
    assert "password" not in Path(f"/proc/{pid}/cmdline").read_text()


def test_a_slow_host_holds_one_lane_and_nobody_else(stores: Stores) -> None:
    slow = [f"https://127.0.0.1:{stores.web.port}/slow{i}" for i in range(LANES - 1)]
    failures: list[BaseException] = []

    def fetch(reference: str) -> None:
        try:
            stores.pool.fetch(reference)
        except UnavailableError as error:
            failures.append(error)

    threads = [threading.Thread(target=fetch, args=(reference,)) for reference in slow]
    for thread in threads:
        thread.start()
    wait_for(
        lambda: sum("/slow" in request for request in stores.web.requests) == len(slow),
        "the slow requests to be under way",
    )
    began = time.monotonic()
    assert stores.pool.fetch(f"file://{stores.root}/a%20b.png") == IMAGE
    assert time.monotonic() - began < 1.5
    for thread in threads:
        thread.join()
    assert len(failures) == len(slow)
    assert all("in time" in str(failure) for failure in failures)


def test_a_process_that_dies_is_replaced_and_its_fetch_may_be_tried_again(stores: Stores) -> None:
    (before,) = stores.pool.pids()
    os.kill(before, signal.SIGKILL)
    reference = f"file://{stores.root}/a%20b.png"
    with pytest.raises(UnavailableError, match="fetch process ended"):
        stores.pool.fetch(reference)
    assert stores.pool.fetch(reference) == IMAGE
    (after,) = stores.pool.pids()
    assert after != before


def test_where_nothing_is_listed_no_process_runs_and_the_setting_is_named() -> None:
    with FetcherPool(ReferenceSettings(), 1000) as pool:
        assert pool.pids() == ()
        for reference, setting in (
            ("file:///srv/a.png", "references.allowed_roots"),
            ("s3://uploads/a.png", "references.allowed_buckets"),
            ("https://images.example.com/a.png", "references.allowed_hosts"),
        ):
            with pytest.raises(RejectError, match=setting) as caught:
                pool.fetch(reference)
            assert caught.value.code == "fetch.refused"


def test_a_fetch_process_ends_with_the_worker_that_started_it(tmp_path: Path) -> None:
    code = (
        "from worker.references.pool import FetcherPool\n"
        "from worker.settings.references import ReferenceSettings\n"
        f"pool = FetcherPool(ReferenceSettings(allowed_roots={str(tmp_path)!r}, processes=1), 9)\n"
        "pool.start(); print(*pool.pids(), flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        worker.kill()
    wait_for(lambda: _has_ended(pid), f"process {pid} to end")


def _has_ended(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def provider(name: str, address: str) -> dict[str, str]:
    """What a provider's own environment says, of a store at another address."""
    if name == "s3":  # here the setting has the last word
        return CREDENTIALS | {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    if name == "az":
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": "account",
            "AZURE_STORAGE_ACCOUNT_KEY": "a2V5a2V5",
            "AZURE_STORAGE_ENDPOINT": address,
            "AZURE_ALLOW_HTTP": "true",
        }
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "private_key": key.decode(),
        "private_key_id": "1",
        "client_email": "worker@project.test",
        "gcs_base_url": address,
    }
    return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account), "GOOGLE_ALLOW_HTTP": "true"}


def test_credentials_that_cannot_be_had_are_an_outage_and_no_token_is_told() -> None:
    """The identity's token is part of an address that the provider's client puts into its error."""

    def behave(connection: socket.socket, request: str) -> None:
        connection.sendall(whole(b"no", status=b"503 Later"))

    with serving(behave) as provider_host:
        environment = {
            "AWS_REGION": "us-east-1",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{provider_host.port}/?t=token",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/dev/null",
        }
        settings = ReferenceSettings(allowed_buckets="s3://uploads", processes=1)
        with (
            FetcherPool(settings, 1000, environment=environment) as pool,
            pytest.raises(UnavailableError, match="no credentials for s3://uploads") as caught,
        ):
            pool.fetch("s3://uploads/a.png")
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_each_provider_is_asked_with_a_signature_and_its_no_is_told_from_its_outage(
    scheme: str,
) -> None:
    statuses = {"b404": b"404 No", "c403": b"403 No", "d301": b"301 Go", "e503": b"503 Later"}

    def behave(connection: socket.socket, request: str) -> None:
        path = request.split()[1].split("?")[0]
        status = statuses.get(path.rpartition("/")[2], b"200 OK")
        head = b"Location: http://127.0.0.1:1/\r\n" if status.startswith(b"301") else b""
        connection.sendall(whole(IMAGE, head, status=status))

    with serving(behave) as store:
        address = f"http://127.0.0.1:{store.port}"
        settings = ReferenceSettings(
            allowed_buckets=f"{scheme}://uploads",
            s3_endpoint=address if scheme == "s3" else None,
            processes=1,
        )
        with FetcherPool(settings, 100_000, environment=provider(scheme, address)) as pool:
            assert pool.fetch(f"{scheme}://uploads/eu/a%20b.png") == IMAGE
            assert code_of(pool, f"{scheme}://uploads/b404") == "fetch.not_found"
            assert code_of(pool, f"{scheme}://uploads/c403") == "fetch.forbidden"
            assert code_of(pool, f"{scheme}://uploads/d301") == "fetch.refused"
            with pytest.raises(UnavailableError, match="503"):
                pool.fetch(f"{scheme}://uploads/e503")
    line = store.requests[0].splitlines()[0]
    assert line.startswith("GET /uploads/eu/a%20b.png?")
    assert {"s3": "X-Amz-Signature=", "gs": "X-Goog-Signature=", "az": "sig="}[scheme] in line

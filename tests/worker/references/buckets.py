"""A real S3-compatible server on loopback, with one bucket."""

import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import obstore
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_REGION": "us-east-1",
}


@contextmanager
def bucket(name: str, objects: Mapping[str, bytes], port: int = 0) -> Iterator[str]:
    """The server's address while the block lasts."""
    server = ThreadedMotoServer("127.0.0.1", port)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        make = urllib.request.Request(f"{address}/{name}", method="PUT")
        urllib.request.urlopen(make, timeout=10).close()
        config: dict[str, Any] = {name.lower(): value for name, value in CREDENTIALS.items()}
        store = S3Store(
            name,
            config=config | {"endpoint": address},  # type: ignore[arg-type]
            client_options={"allow_http": True},
        )
        for key, body in objects.items():
            obstore.put(store, key, body)
        yield address
    finally:
        server.stop()

"""How long the certificates of Kafka, of Redis and our own are valid."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from worker.doctor.findings import Finding
from worker.settings.settings import Settings

LEAST_DAYS = 14
"""Time to renew without haste."""

ANSWER_S = 3.0


def examine_certificates(
    settings: Settings, clock: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """One finding for each service that speaks TLS, and for each certificate of our own.

    A certificate that does not verify is left to whoever reaches the service; it says why.
    """
    kafka, redis = settings.kafka, settings.redis
    if kafka.security.endswith("SSL"):
        context = _context(kafka.tls_ca_file)
        if kafka.tls_cert_file is not None:
            password = kafka.tls_key_password
            context.load_cert_chain(
                kafka.tls_cert_file,
                kafka.tls_key_file,
                password.get_secret_value() if password else None,
            )
        for address in kafka.brokers.split(","):
            host, _, port = address.strip().rpartition(":")
            yield from _of_server(
                f"Kafka at {address.strip()}", host.strip("[]"), int(port), context, clock
            )
    address_of_redis = redis.address()
    parts = urlsplit(address_of_redis.url)
    if parts.scheme == "rediss":
        options = address_of_redis.client_options()
        context = _context(options.get("ssl_ca_certs"))
        if certificate := options.get("ssl_certfile"):
            context.load_cert_chain(certificate, options.get("ssl_keyfile"))
        host = parts.hostname or "localhost"
        yield from _of_server(
            f"Redis at {address_of_redis.shown}", host, parts.port or 6379, context, clock
        )
    own = {
        "kafka.tls_ca_file": kafka.tls_ca_file,
        "kafka.tls_cert_file": kafka.tls_cert_file,
        "redis.tls_ca_file": redis.tls_ca_file,
        "redis.tls_cert_file": redis.tls_cert_file,
    }
    for name, file in own.items():
        if file is not None:
            yield from _of_file(name, file, clock)


def _context(authority: str | Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def _of_server(
    what: str, host: str, port: int, context: ssl.SSLContext, clock: Callable[[], float]
) -> Iterator[Finding]:
    with (
        suppress(OSError, ValueError),
        socket.create_connection((host, port), timeout=ANSWER_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        shown = secured.getpeercert() or {}
        yield _judged(
            f"the certificate of {what}", ssl.cert_time_to_seconds(str(shown["notAfter"])), clock
        )


def _of_file(name: str, file: Path, clock: Callable[[], float]) -> Iterator[Finding]:
    with suppress(OSError, ValueError):  # whoever loads it says why it cannot be read
        found = x509.load_pem_x509_certificates(file.read_bytes())
        first = min(one.not_valid_after_utc for one in found)
        yield _judged(f"{name}={file}", first.timestamp(), clock)


def _judged(what: str, until: float, clock: Callable[[], float]) -> Finding:
    days = (until - clock()) / 86_400
    day = time.strftime("%Y-%m-%d", time.gmtime(until))
    if days < 0:
        return Finding(
            "certificates", "wrong", f"{what} ended on {day}; renew it, or check the clock"
        )
    if days < LEAST_DAYS:
        return Finding(
            "certificates", "wrong", f"{what} ends on {day}, in {days:.1f} days; renew it"
        )
    return Finding("certificates", "good", f"{what} is valid until {day}")

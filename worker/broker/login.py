"""Who we are for Kafka, read anew at every login: passwords, tokens and keys may turn meanwhile.

The client builds its TLS context from the files for every connection by itself; what it would hold
for good, the password of a user and a token, is handed to it as a SecretStr and opened here.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from kafka.net.sasl import SASL_MECHANISMS, register_sasl_mechanism
from kafka.net.sasl.oauth import AbstractTokenProvider
from kafka.net.sasl.plain import SaslMechanismPlain
from kafka.net.sasl.scram import SaslMechanismScram
from pydantic import SecretStr

from worker.settings.kafka import KafkaSettings


class _Plain(SaslMechanismPlain):  # type: ignore[misc]
    def __init__(self, **config: Any) -> None:
        super().__init__(**_opened(config))


class _Scram(SaslMechanismScram):  # type: ignore[misc]
    def __init__(self, **config: Any) -> None:
        super().__init__(**_opened(config))


class Token(AbstractTokenProvider):  # type: ignore[misc]
    """A bearer token, handed out as it stands when a connection asks."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret

    def token(self) -> str:
        """The token as it stands now."""
        return self._secret.get_secret_value()


def login(settings: KafkaSettings) -> dict[str, Any]:
    """The client's arguments for SASL; none without it."""
    if not settings.security.startswith("SASL"):
        return {}
    if settings.sasl_mechanism == "OAUTHBEARER":
        token = settings.sasl_oauth_token
        assert token is not None, "a rule between settings demands it"
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": Token(token)}
    _register()
    return {
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password,
    }


def tls(settings: KafkaSettings) -> dict[str, Any]:
    """The client's arguments for TLS; none where no file is given."""
    files = {
        "ssl_cafile": settings.tls_ca_file,
        "ssl_certfile": settings.tls_cert_file,
        "ssl_keyfile": settings.tls_key_file,
    }
    arguments: dict[str, Any] = {name: str(path) for name, path in files.items() if path}
    if settings.tls_key_password is not None:
        arguments["ssl_password"] = settings.tls_key_password.get_secret_value  # asked when needed
    return arguments


def name_for_kafka(client: Mapping[str, Any]) -> str | None:
    """By what name Kafka most likely knows a client with these arguments; None where none tells."""
    security = client.get("security_protocol", "PLAINTEXT")
    if security.startswith("SASL"):
        provider = client.get("sasl_oauth_token_provider")
        if provider is not None:
            return _subject_of_token(provider.token())
        named: str | None = client.get("sasl_plain_username")
        return named
    if security == "SSL" and client.get("ssl_certfile"):
        return _subject_of_certificate(Path(client["ssl_certfile"]))
    return None


def _opened(config: dict[str, Any]) -> dict[str, Any]:
    secret = config["sasl_plain_password"]
    plain = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
    return config | {"sasl_plain_password": plain}


def _register() -> None:
    """Put ours in the place of the client's, which are the same but for the password's reading."""
    for name, ours in (("PLAIN", _Plain), ("SCRAM-SHA-256", _Scram), ("SCRAM-SHA-512", _Scram)):
        if SASL_MECHANISMS[name] is not ours:
            register_sasl_mechanism(name, ours, overwrite=True)


def _subject_of_certificate(file: Path) -> str | None:
    """The whole subject, as a broker without mapping rules takes it for the name."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).subject.rfc4514_string() or None
    except (OSError, ValueError):
        return None


def _subject_of_token(token: str) -> str | None:
    """The claim `sub`, unverified: it only serves a message."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return str(claims["sub"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None

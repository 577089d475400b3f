"""What must hold between settings, each rule with what follows where it does not."""

import ssl
from collections.abc import Iterator

from pydantic import BaseModel

from fingerprint_db.settings_sources import SecretFile, exposure, file_twin, variable
from worker.settings.group import MEBIBYTE
from worker.settings.kafka import KafkaSettings
from worker.settings.settings import Settings


def contradictions(settings: Settings) -> list[str]:
    """The inequalities between settings that do not hold, each with what follows from it."""
    kafka, delivery, extract = settings.kafka, settings.delivery, settings.extract
    references, largest = settings.references, settings.decode.max_image_bytes
    max_age_s = settings.decision.max_registry_age_s
    rules = [
        (
            kafka.heartbeat_interval_s * 3 <= kafka.session_timeout_s,
            f"kafka.heartbeat_interval_s={kafka.heartbeat_interval_s:g} must be at most a third of"
            f" kafka.session_timeout_s={kafka.session_timeout_s:g}, or one lost heartbeat costs the"
            " partitions",
        ),
        (
            kafka.request_timeout_s < kafka.commit_deadline_s,
            f"kafka.request_timeout_s={kafka.request_timeout_s:g} must be below"
            f" kafka.commit_deadline_s={kafka.commit_deadline_s:g}, or the process ends where a new"
            " producer would do",
        ),
        (
            kafka.commit_deadline_s < kafka.transaction_timeout_s,
            f"kafka.commit_deadline_s={kafka.commit_deadline_s:g} must be below"
            f" kafka.transaction_timeout_s={kafka.transaction_timeout_s:g}, or the broker aborts"
            " transactions that the worker still waits for",
        ),
        (
            extract.batch_deadline_s + delivery.drain_deadline_s < kafka.max_poll_interval_s,
            f"extract.batch_deadline_s={extract.batch_deadline_s:g} and delivery.drain_deadline_s="
            f"{delivery.drain_deadline_s:g} together must be below kafka.max_poll_interval_s="
            f"{kafka.max_poll_interval_s:g}, or a slow batch costs the partitions",
        ),
        (
            delivery.drain_deadline_s <= 15,
            f"delivery.drain_deadline_s={delivery.drain_deadline_s:g} must be at most 15, or"
            " SIGTERM does not end the worker within 20 s",
        ),
        (
            delivery.commit_records <= delivery.max_in_flight_records,
            f"delivery.commit_records={delivery.commit_records} must not exceed"
            f" delivery.max_in_flight_records={delivery.max_in_flight_records}",
        ),
        (
            delivery.max_in_flight_mib * MEBIBYTE >= 2 * settings.decode.max_image_bytes,
            f"delivery.max_in_flight_mib={delivery.max_in_flight_mib} must hold two images of"
            f" decode.max_image_bytes={settings.decode.max_image_bytes}",
        ),
        (
            settings.notify.timeout_s < settings.notify.budget_s,
            f"notify.timeout_s={settings.notify.timeout_s:g} must be below notify.budget_s="
            f"{settings.notify.budget_s:g}, or an alert is tried once",
        ),
        (
            settings.notify.group != kafka.group,
            f"notify.group={settings.notify.group} must differ from kafka.group, or its members and"
            " the workers fence each other",
        ),
        (
            max_age_s is None or max_age_s >= 2 * settings.redis.poll_s,
            f"decision.max_registry_age_s={max_age_s} must be at least twice redis.poll_s="
            f"{settings.redis.poll_s:g}, or a registry in good order counts as stale",
        ),
        (
            references.timeout_s <= references.budget_s,
            f"references.timeout_s={references.timeout_s:g} must not exceed references.budget_s="
            f"{references.budget_s:g}, or not even one try fits into an event's budget",
        ),
        (
            references.max_fetched_mib * MEBIBYTE >= largest,
            f"references.max_fetched_mib={references.max_fetched_mib} must hold an image of"
            f" decode.max_image_bytes={largest}",
        ),
        (
            references.private_networks is None or references.allowed_hosts is not None,
            "references.private_networks is set but references.allowed_hosts is empty, so that"
            " nothing is fetched by https; list the hosts, or unset the networks",
        ),
        (
            references.s3_endpoint is None
            or any(rule.scheme == "s3" for rule in references.buckets()),
            "references.s3_endpoint is set but references.allowed_buckets lists no s3://BUCKET;"
            " list it, or unset the endpoint",
        ),
    ]
    return [
        *(text for holds, text in rules if not holds),
        *_wires(kafka),
        *settings.redis.address().problems(),
    ]


def exposures(settings: Settings) -> list[str]:
    """Files with secrets that every user of this machine may read, each with the remedy.

    A warning, no refusal: so Docker and Kubernetes mount them where they are not told otherwise.
    """
    kafka, redis = settings.kafka, settings.redis
    keys = (kafka.tls_key_file or kafka.tls_cert_file, redis.tls_key_file or redis.tls_cert_file)
    values = [value for _, group in settings if isinstance(group, BaseModel) for _, value in group]
    files = [value.path for value in values if isinstance(value, SecretFile)]
    return [said for file in (*files, *keys) if file is not None and (said := exposure(file))]


def _wires(kafka: KafkaSettings) -> Iterator[str]:
    """What of TLS and SASL is given and not used, or needed and not given."""
    sasl, tls = kafka.security.startswith("SASL"), kafka.security.endswith("SSL")
    bearer = kafka.sasl_mechanism == "OAUTHBEARER"
    named = kafka.sasl_username is not None or kafka.sasl_password is not None
    if sasl and bearer:
        if kafka.sasl_oauth_token is None:
            yield (
                "kafka.sasl_mechanism=OAUTHBEARER needs kafka.sasl_oauth_token, best as"
                f" {variable(file_twin(('kafka', 'sasl_oauth_token')))}"
            )
        if named:
            yield (
                "kafka.sasl_username or kafka.sasl_password is set, but"
                " kafka.sasl_mechanism=OAUTHBEARER sends a token alone; unset them, or choose"
                " another mechanism"
            )
    elif sasl:
        if kafka.sasl_username is None or kafka.sasl_password is None:
            yield (
                f"kafka.security={kafka.security} needs kafka.sasl_username and"
                " kafka.sasl_password, or kafka.sasl_mechanism=OAUTHBEARER and a token"
            )
        if kafka.sasl_oauth_token is not None:
            yield (
                f"kafka.sasl_oauth_token is set, but kafka.sasl_mechanism={kafka.sasl_mechanism}"
                " sends no token; set OAUTHBEARER, or unset the token"
            )
    elif kafka.sasl_username is not None or kafka.sasl_oauth_token is not None:
        name = (
            "kafka.sasl_username" if kafka.sasl_username is not None else "kafka.sasl_oauth_token"
        )
        yield (
            f"{name} is set but kafka.security={kafka.security} sends no name; set SASL_SSL, or"
            " unset it"
        )
    for name in ("tls_ca_file", "tls_cert_file"):
        if getattr(kafka, name) is not None and not tls:
            yield (
                f"kafka.{name} is set but kafka.security={kafka.security} does not encrypt; set"
                " SSL or SASL_SSL, or unset the file"
            )
    yield from _certificate(kafka)


def _certificate(kafka: KafkaSettings) -> Iterator[str]:
    """What is wrong with our own certificate and its key."""
    certificate, key, password = kafka.tls_cert_file, kafka.tls_key_file, kafka.tls_key_password
    if certificate is None:
        for name, value in (("tls_key_file", key), ("tls_key_password", password)):
            if value is not None:
                yield f"kafka.{name} is set without kafka.tls_cert_file; give both, or unset it"
        return
    asked: list[bool] = []

    def secret() -> str:  # a function, since OpenSSL would ask the terminal where none is given
        asked.append(True)
        return password.get_secret_value() if password is not None else ""

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, secret)
    except (ssl.SSLError, OSError) as error:
        locked = "the key is encrypted" if password is None else "the password does not open it"
        why = locked if asked else _of_openssl(error)
        held = "kafka.tls_key_file" if key is not None else "kafka.tls_cert_file"
        yield (
            f"kafka.tls_cert_file={certificate} and the key in {held} cannot be used together"
            f" ({why}); expected PEM of a certificate and of its own key, and"
            " kafka.tls_key_password where the key is encrypted"
        )


def _of_openssl(error: OSError) -> str:
    reasons = {
        "KEY_VALUES_MISMATCH": "the key belongs to another certificate",
        "PEM": "there is no certificate or no key in it",
    }
    reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return next((plain for sign, plain in reasons.items() if sign in reason), reason)

"""What must hold between settings, each rule with what follows where it does not."""

from worker.settings.group import MEBIBYTE
from worker.settings.settings import Settings


def contradictions(settings: Settings) -> list[str]:
    """The inequalities between settings that do not hold, each with what follows from it."""
    kafka, delivery, extract = settings.kafka, settings.delivery, settings.extract
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
            not kafka.security.startswith("SASL")
            or (kafka.sasl_username is not None and kafka.sasl_password is not None),
            f"kafka.security={kafka.security} needs kafka.sasl_username and kafka.sasl_password",
        ),
        (
            kafka.security.startswith("SASL") or kafka.sasl_username is None,
            f"kafka.sasl_username is set but kafka.security={kafka.security} sends no name; set"
            " SASL_SSL, or unset the name",
        ),
        (
            kafka.security.endswith("SSL") or kafka.tls_ca_file is None,
            f"kafka.tls_ca_file is set but kafka.security={kafka.security} does not encrypt; set"
            " SSL or SASL_SSL, or unset the file",
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
    ]
    return [text for holds, text in rules if not holds] + settings.redis.address().problems()

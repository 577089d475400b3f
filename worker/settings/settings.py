"""All groups of settings together."""

from typing import Literal

from pydantic import Field

from worker.settings.delivery import DeliverySettings
from worker.settings.group import Group
from worker.settings.images import DecisionSettings, DecodeSettings, ExtractSettings
from worker.settings.kafka import KafkaSettings
from worker.settings.notify import NotifySettings
from worker.settings.redis import RedisSettings
from worker.settings.references import ReferenceSettings
from worker.settings.seen import LoggingSettings, MetricsSettings, TracingSettings
from worker.settings.trust import TrustSettings


class Settings(Group):
    """All groups. Build it with `worker.settings_sources.load_settings`."""

    profile: Literal["auto", "local", "production"] = Field(
        default="auto",
        description="local only warns about replication; auto: local when all brokers are loopback",
    )
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    trust: TrustSettings = TrustSettings()
    decode: DecodeSettings = DecodeSettings()
    references: ReferenceSettings = ReferenceSettings()
    extract: ExtractSettings = ExtractSettings()
    decision: DecisionSettings = DecisionSettings()
    delivery: DeliverySettings = DeliverySettings()
    logging: LoggingSettings = LoggingSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    notify: NotifySettings = NotifySettings()

    @property
    def is_local(self) -> bool:
        """Whether weak replication is only worth a warning."""
        if self.profile != "auto":
            return self.profile == "local"
        hosts = [a.strip().rpartition(":")[0].strip("[]") for a in self.kafka.brokers.split(",")]
        return all(h in ("localhost", "::1") or h.startswith("127.") for h in hosts)

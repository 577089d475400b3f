"""Errors of the local services, classed by remedy.

ServiceError            a service cannot be had; exit code 3
├── JarsUnavailable     Kafka's jars cannot be fetched, or what came is not what was pinned
├── JavaUnavailable     no Java runtime that is new enough
├── RedisUnavailable    no Redis or Valkey server program
├── WatcherUnavailable  no Prometheus or Alertmanager program
├── PortTaken           somebody else listens on the port that was asked for
├── StartFailed         the server ended early or missed its deadline; carries its last log lines
├── Busy                another process has been at the same work for too long
├── StopFailed          the server is still there after SIGKILL
└── WrongUse            what was asked contradicts what runs, or a path is unusable; exit code 2
"""

BROKERS_WAY_ROUND = (
    "To go on without a local broker, name a Kafka that already runs: --brokers HOST:PORT "
    "(or LATENTPRINT_KAFKA__BROKERS)."
)
REDIS_WAY_ROUND = (
    "To go on without a local server, name a Redis that already runs: "
    "LATENTPRINT_REDIS__URL=redis://HOST:PORT/0."
)


class ServiceError(Exception):
    """A local service cannot be had. The message ends in what to do next."""

    exit_code = 3


class JarsUnavailable(ServiceError):
    """Kafka's jars cannot be fetched, or a fetched one does not have the pinned digest."""


class JavaUnavailable(ServiceError):
    """Neither the machine nor the wheel has a Java runtime that is new enough."""


class RedisUnavailable(ServiceError):
    """No server program of the wanted flavour is installed."""


class WatcherUnavailable(ServiceError):
    """Prometheus or Alertmanager is not installed, and cannot be fetched."""


class PortTaken(ServiceError):
    """Somebody else listens on a port that the caller asked for by number."""


class StartFailed(ServiceError):
    """The server ended early or missed its deadline."""


class Busy(ServiceError):
    """Another process holds the lock of what was to be done, and did not end in time."""


class StopFailed(ServiceError):
    """The server outlived SIGKILL, or its process may not be signalled."""


class WrongUse(ServiceError):
    """The request contradicts what runs already, or names an unusable path."""

    exit_code = 2

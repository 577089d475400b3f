"""What `latentprint` is told of the commands here: imported when one of them is asked for."""


def contribute() -> list[tuple[str, str, str, str]]:
    """The group `services`: (kind, name, line of `--help`, where it is)."""
    line = "A local Apache Kafka and Redis, and who watches: no root, Docker or Java needed."
    return [("group", "services", line, "deploy.services.cli:contribute")]

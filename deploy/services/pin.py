"""Write `kafka_jars.txt` anew, for a maintainer who moves to another Kafka version.

    python -m deploy.services.pin 4.4.0 > deploy/services/kafka_jars.txt

Set `KAFKA_VERSION` in `jars.py` to match, and read the difference before committing it: from then
on these digests are what every start trusts.
"""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.services.jars import cache_folder, digest_of

LOGGING = "org.slf4j:slf4j-simple:1.7.36"  # writes to standard error, so to the broker's log file


def dependency_graph(kafka_version: str, repository: Path) -> list[tuple[str, Path]]:
    """Every runtime jar of one Kafka version as (coordinate, where it is or would be), sorted.

    Walks the dependency graph with jgo; its POM files are kept in the folder `repository`.
    """
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    context = MavenContext(repo_cache=repository, timeout=30)
    roots = [
        context.create_dependency(replace(Coordinate.parse(name), scope="compile"))
        for name in (f"org.apache.kafka:kafka_2.13:{kafka_version}", LOGGING)
    ]
    resolved, transitive = context.resolver.resolve(roots)
    artifacts = [
        dependency.artifact
        for dependency in [*resolved, *transitive]
        if dependency.scope in ("compile", "runtime")
    ]
    return sorted(
        (f"{a.groupId}:{a.artifactId}:{a.version}", a.cached_path or repository) for a in artifacts
    )


def pom_folder() -> Path:
    """Where POM files are kept between runs."""
    return cache_folder() / "kafka" / "poms"


def main(arguments: list[str]) -> int:
    """Print the pins of one Kafka version to standard output."""
    if len(arguments) != 1:
        print("usage: python -m deploy.services.pin KAFKA_VERSION", file=sys.stderr)
        return 2
    from jgo.maven import MavenContext

    print(f"# What Apache Kafka {arguments[0]} runs on: SHA-256 and Maven coordinates, by line.")
    print(f"# Written by: python -m deploy.services.pin {arguments[0]}")
    with TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=30)
        for coordinate, _ in dependency_graph(arguments[0], pom_folder()):
            group, artifact, version = coordinate.split(":")
            jar = context.project(group, artifact).at_version(version).artifact().resolve()
            print(digest_of(jar), coordinate)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Apache Kafka's jars: fetched once, kept in the user's cache, checked at every start.

`kafka_jars.txt` pins the 45 jars by coordinate and SHA-256; `deploy.services.pin` writes it.
jgo (pure Python, no Maven) turns a coordinate into a file. Nothing unpinned reaches the class path.
"""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from deploy.services.errors import BROKERS_WAY_ROUND, JarsUnavailable
from deploy.services.locks import hold_lock

KAFKA_VERSION = "4.4.0"
FETCH_DEADLINE_S = 300.0
_ONE_ANSWER_S = 30
_TRIES = 3
_AT_ONCE = 6

Fetch = Callable[["Jar", Path], Path]
"""Fetches one jar into a folder and returns the file, unchecked; raises anything it likes."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar: its Maven coordinate and the SHA-256 (hex) of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """`group:artifact:version`."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """The file's name in the cache; unique among the pinned jars."""
        return f"{self.artifact}-{self.version}.jar"


def pinned_jars() -> tuple[Jar, ...]:
    """The jars that Kafka runs on, as pinned in `kafka_jars.txt`."""
    jars = []
    for line in (files(__package__) / "kafka_jars.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            digest, coordinate = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, digest))
    return tuple(jars)


def cache_folder() -> Path:
    """`$LATENTPRINT_CACHE`, else `~/.cache/latentprint`; the jars lie in `kafka/VERSION` below."""
    chosen = os.environ.get("LATENTPRINT_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "latentprint"


def ensure_jars(
    *,
    cache: Path | None = None,
    jars: Sequence[Jar] | None = None,
    fetch: "Fetch | None" = None,
    notify: Callable[[str], None] = lambda line: None,
) -> tuple[Path, ...]:
    """The jars as files with the pinned digests, fetching those that are missing or damaged.

    All there: a third of a second, for hashing 43 MB. `notify` is told before anything is fetched.

    Raises:
        JarsUnavailable: some cannot be fetched, or what came has another digest; nothing of it
            enters the cache.
    """
    wanted = pinned_jars() if jars is None else tuple(jars)
    folder = (cache or cache_folder()) / "kafka" / KAFKA_VERSION
    missing = _missing(wanted, folder)
    if missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with hold_lock(folder / ".lock", "fetching Kafka's jars", FETCH_DEADLINE_S):
                missing = _missing(missing, folder)  # somebody else may have fetched them meanwhile
                if missing:
                    notify(
                        f"Fetching Apache Kafka {KAFKA_VERSION}, once: {len(missing)} of "
                        f"{len(wanted)} jars (43 MB in all) into {folder}"
                    )
                    _fetch_all(missing, folder, fetch or fetch_with_jgo)
        except OSError as error:
            raise JarsUnavailable(
                f"The jar cache {folder} cannot be written: {error}. Kafka was not started. "
                f"Set LATENTPRINT_CACHE to a folder that can be. {BROKERS_WAY_ROUND}"
            ) from error
    return tuple(folder / jar.file_name for jar in wanted)


def fetch_with_jgo(jar: Jar, folder: Path) -> Path:
    """Fetch one jar with jgo: from the repositories of the user's jgo settings, else Central."""
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise JarsUnavailable(
            "jgo, which fetches jars, is not installed: pip install 'latentprint[demo]'"
        ) from error

    repositories = GlobalSettings.load().repositories or {"central": MAVEN_CENTRAL_URL}
    context = MavenContext(repo_cache=folder, remote_repos=repositories, timeout=_ONE_ANSWER_S)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    return component.artifact().resolve()


def digest_of(path: Path) -> str | None:
    """The SHA-256 (hex) of a file; None when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _missing(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        digests = threads.map(digest_of, [folder / jar.file_name for jar in jars])
        return [jar for jar, digest in zip(jars, digests, strict=True) if digest != jar.sha256]


def _fetch_all(jars: Sequence[Jar], folder: Path, fetch: Fetch) -> None:
    """Fetch into a scratch folder, check, and only then move into the cache, one jar at a time."""
    given_up = threading.Event()

    def fetch_one(jar: Jar, scratch: Path) -> None:
        for attempt in range(1, _TRIES + 1):
            try:
                arrived = fetch(jar, scratch / f"{jar.file_name}.{attempt}")
                break
            except Exception:
                if attempt == _TRIES or given_up.is_set():
                    raise
        digest = digest_of(arrived)
        if digest != jar.sha256:
            raise ValueError(f"has SHA-256 {digest}, but {jar.sha256} is pinned; it was not used")
        os.replace(arrived, folder / jar.file_name)

    with tempfile.TemporaryDirectory(
        prefix="fetching-", dir=folder, ignore_cleanup_errors=True
    ) as scratch:
        threads = ThreadPoolExecutor(_AT_ONCE)
        pending = {threads.submit(fetch_one, jar, Path(scratch)): jar for jar in jars}
        done, late = wait(pending, timeout=FETCH_DEADLINE_S)
        given_up.set()
        threads.shutdown(wait=False, cancel_futures=True)
        failed = {pending[f]: str(f.exception()) for f in done if f.exception() is not None}
        failed.update((pending[f], f"no end after {FETCH_DEADLINE_S:g} s") for f in late)
    if failed:
        jar, why = next(iter(failed.items()))
        raise JarsUnavailable(
            f"{len(failed)} of {len(jars)} jars of Apache Kafka {KAFKA_VERSION} could not be had. "
            f"{jar.coordinate}: {why}. Kafka was not started. Check that this machine reaches a "
            f"Maven repository (a mirror goes into [repositories] of ~/.config/jgo.conf), then "
            f"try again. {BROKERS_WAY_ROUND}"
        )

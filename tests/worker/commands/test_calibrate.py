"""`registry calibrate`: a folder, a stream, and what is stored, against real services."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import typer
from kafka import KafkaProducer
from typer.testing import CliRunner

from deploy.services.kafka import RunningKafka
from fingerprint_db.commands.registry import registry_app
from fingerprint_db.redis_store.registry import RedisRegistry
from tests.topic_names import TopicNames
from tests.worker.calibrate.test_stream import value
from tests.worker.commands.local_program import in_local_environment, run_local
from tests.worker.extractor.tiny_bundle import (
    DIMENSION,
    TinyBundle,
    jpeg_in_png,
    real_jpeg,
    real_png,
)
from worker.commands import calibrate
from worker.errors import StopError
from worker.events.records import encode_fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve photographs, one of them twice; one that is none, one too small, two of too low a
    quality, and a text."""
    root = tmp_path / "my shop"
    (root / "inner").mkdir(parents=True)
    for number in range(9):
        (root / f"{number}.png").write_bytes(real_png(number))
    for number in range(9, 12):
        (root / "inner" / f"{number}.jpg").write_bytes(real_jpeg(number, 75))
    (root / "again.png").write_bytes(real_png(3))
    (root / "broken.png").write_bytes(b"no image")
    (root / "small.png").write_bytes(real_png(40, 16))
    (root / "low.jpg").write_bytes(real_jpeg(41, 20))
    (root / "low.png").write_bytes(jpeg_in_png(42, 20))
    (root / "notes.txt").write_text("passed over")
    return root


def run(bundle: TinyBundle, redis_url: str, *arguments: str) -> Any:
    app = typer.Typer()
    calibrate.contribute(app)
    app.add_typer(registry_app)
    with in_local_environment(bundle) as environment:
        return CliRunner().invoke(
            app, ["registry", "calibrate", "--redis", redis_url, *arguments], env=environment
        )


def document(bundle: TinyBundle, redis_url: str, *arguments: str) -> dict[str, Any]:
    result = run(bundle, redis_url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_folder_calibrates_and_a_second_run_stores_nothing_twice(
    tiny_bundle: TinyBundle, redis_url: str, folder: Path
) -> None:
    first = document(tiny_bundle, redis_url, str(folder), "--by", "ada")
    assert (first["photographs"], first["revision"]) == (12, 1)
    assert first["calibrate"] + first["certify"] == 12
    assert first["space"] == tiny_bundle.digest
    assert first["sources"] == [
        {"source": "my shop", "origin": "files", "photographs": 12, "trimmed": 0.0}
    ]
    assert first["written"]["by"] == "ada"
    assert first["left_out"] == {
        "stored already": 1,
        "decode.unsupported": 1,
        "too_small": 1,
        "jpeg_quality_too_low": 2,
        "no image by its name": 1,
    }
    assert [(one["codec"], one["calibrate"] + one["name"]["count"]) for one in first["bins"]] == [
        ("lossless", 9),
        ("jpeg75", 3),
    ]
    (folder / "new.png").write_bytes(real_png(77))
    second = document(tiny_bundle, redis_url, str(folder), "--source", "later")
    assert (second["photographs"], second["revision"]) == (13, 2)
    assert second["left_out"]["stored already"] == 13
    assert [one["source"] for one in second["sources"]] == ["my shop", "later"]
    third = document(tiny_bundle, redis_url)
    assert (third["digest"], third["revision"]) == (second["digest"], 2)


def test_the_text_says_how_many_calibrate_certify_and_are_needed(
    tiny_bundle: TinyBundle, redis_url: str, folder: Path
) -> None:
    result = run(tiny_bundle, redis_url, str(folder))
    assert result.exit_code == 0, result.output
    assert "is calibrated by 12 photographs" in result.stdout
    assert "my shop: 12 photographs from files" in result.stdout
    assert "beside 630 of the bundle; by themselves they allow no rate yet" in result.stdout
    assert "the test of registered generators at 0.01: " in result.stdout
    assert "12 photographs are stored" in result.stderr
    assert "left out 6: " in result.stderr


def test_what_is_scanned_names_the_calibration_and_a_source_can_be_forgotten(
    tiny_bundle: TinyBundle, redis_url: str, folder: Path
) -> None:
    digest = document(tiny_bundle, redis_url, str(folder))["digest"]
    scanned = run_local(tiny_bundle, "scan", str(folder / "3.png"), "--redis", redis_url, "--json")
    assert json.loads(scanned.stdout)["calibration_digest"] == digest
    unknown = run(tiny_bundle, redis_url, "--forget", "nobody")
    assert unknown.exit_code == 2
    assert "no photographs of 'nobody' are stored, but of: my shop" in unknown.stderr
    gone = document(tiny_bundle, redis_url, "--forget", "my shop")
    assert (gone["photographs"], gone["digest"], gone["revision"]) == (0, None, 2)
    assert "no photographs of yours calibrate" in run(tiny_bundle, redis_url).stdout
    again = run_local(tiny_bundle, "scan", str(folder / "3.png"), "--redis", redis_url, "--json")
    assert json.loads(again.stdout)["calibration_digest"] is None


def test_a_stream_calibrates_from_a_moment_on(
    tiny_bundle: TinyBundle, redis_url: str, kafka: RunningKafka, topics: TopicNames
) -> None:
    now = datetime.now(UTC)
    producer = KafkaProducer(bootstrap_servers=kafka.brokers)
    try:
        for number in range(40):
            age = timedelta(days=9) if number < 10 else timedelta(hours=1)
            producer.send(
                topics.fingerprints,
                value(number, **of_bundle(tiny_bundle)),
                timestamp_ms=round((now - age).timestamp() * 1000),
            ).get(timeout=20)
    finally:
        producer.close(timeout=5)
    where = ("--brokers", kafka.brokers, "--prefix", topics.prefix, "--from-stream")
    recent = document(
        tiny_bundle, redis_url, *where, "--since", "7d", "--contamination", "0.25", "--reason", "x"
    )
    calibrating = [number for number in range(10, 40) if number % 5]
    dropped = round(0.25 * len(calibrating))
    assert recent["photographs"] == 30 - dropped
    assert recent["left_out"] == {"trimmed, since it may be synthetic": dropped}
    assert recent["sources"][0]["trimmed"] == 0.25
    assert recent["certify"] == 6
    result = run(tiny_bundle, redis_url, *where, "--contamination", "0", "--source", "rest")
    assert result.exit_code == 0, result.output
    assert "rest: " in result.stdout
    assert "do not calibrate: if all of them were photographs" in result.stdout


def of_bundle(bundle: TinyBundle) -> dict[str, Any]:
    """What makes a record one of this bundle, whose fingerprints have 8 numbers."""
    vector = np.random.default_rng(uuid4().int % 2**32).normal(size=DIMENSION).astype(np.float32)
    return {
        "space": bundle.digest,
        "fingerprint": encode_fingerprint(vector),
        "dimension": DIMENSION,
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere",), "nowhere is no folder"),
        ((".", "--from-stream"), "FOLDER and --from-stream were given"),
        (("--since", "7d"), "--since is of a stream"),
        (("--from-stream", "--since", "yesterday"), "expected hours"),
    ],
)
def test_wrong_use_is_told_at_once(
    tiny_bundle: TinyBundle, redis_url: str, arguments: tuple[str, ...], expected: str
) -> None:
    result = run(tiny_bundle, redis_url, *arguments)
    assert isinstance(result.exception, StopError)
    assert expected in str(result.exception)
    assert result.exception.exit_code == 2


def test_parts_are_stored_as_they_fill_so_that_an_interrupted_run_goes_on(
    tiny_bundle: TinyBundle, redis_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "MOST_OF_A_PART", 4)
    registry = RedisRegistry(redis_url)
    store = RedisRegistry.store_calibration
    stored: list[Any] = []

    def failing(self: RedisRegistry, *arguments: Any, **named: Any) -> Any:
        if len(stored) == 2:
            raise KeyboardInterrupt
        stored.append(store(self, *arguments, **named))
        return stored[-1]

    monkeypatch.setattr(RedisRegistry, "store_calibration", failing)
    assert run(tiny_bundle, redis_url, str(folder)).exit_code != 0
    assert registry.calibration(tiny_bundle.digest).count == 8
    monkeypatch.setattr(RedisRegistry, "store_calibration", store)
    assert document(tiny_bundle, redis_url, str(folder))["photographs"] == 12
    registry.close()

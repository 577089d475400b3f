"""The made-up registry of the benchmark is one that a worker loads, and entries stay small."""

import redis as redis_client

from benchmarks.made_up_registry import fill, made_up
from benchmarks.search_floor import floor
from fingerprint_db.redis_store.registry import RedisRegistry
from worker.extractor.bundle import load_bundle

MOST_ENTRY_BYTES = 64 * 1024


def test_a_registry_written_in_portions_is_loaded_with_its_root(redis_url: str) -> None:
    bundle = load_bundle()
    with redis_client.Redis.from_url(redis_url) as client:
        largest = fill(client, bundle, 3)
    snapshot = RedisRegistry(redis_url).snapshot(bundle.digest)
    assert snapshot.revision == len(snapshot.models) == 3
    assert snapshot.recomputed_root() == snapshot.root
    assert 0 < largest <= MOST_ENTRY_BYTES


def test_further_models_have_names_and_places_of_their_own() -> None:
    bundle = load_bundle()
    first, other = (next(made_up(bundle, 1, first=number)) for number in (0, 1000))
    assert first.model_id != other.model_id
    assert (first.statistics[0].mean != other.statistics[0].mean).any()


def test_the_floor_of_a_search_is_of_all_its_bytes() -> None:
    found = floor(1000, 64, 2)
    assert found["bytes"] == 1008 * 64, "in whole blocks"
    assert min(found["reading_cpu_ms"], found["products_cpu_ms"]) >= 0

"""The registry changes, or goes away, while the worker runs."""

from deploy.services.redis import RunningRedis
from fingerprint_db.redis_store.registry import RedisRegistry
from tests.fingerprint_db.samples import model
from tests.scenarios import oracle
from tests.scenarios.harness import BRIGHT, Event, Run, running
from tests.scenarios.small_judge import SPACE
from tests.waiting import wait_for
from worker.events.records import Verdict


def newest_verdict(run: Run, event: Event = Event(BRIGHT)) -> Verdict:  # noqa: B008 (frozen)
    """Put one event in, a bright one where nothing else is said, and return its verdict."""
    before = set(run.ledger.keys)
    run.put([event])
    (place,) = set(run.ledger.keys) - before
    run.wait_drained()
    (verdict,) = (
        verdict
        for _, verdict in oracle.find(run.brokers, run.topics).verdicts
        if (verdict.partition, verdict.offset) == place
    )
    return verdict


def test_a_registered_model_is_named_without_a_restart(run: Run) -> None:
    """Unknown before, attributed after, unknown again once retired."""
    registry = RedisRegistry(run.redis_url)
    with running(run.worker()) as worker:
        assert newest_verdict(run).outcome == "unknown_generator"
        registry.register(model("found", space=SPACE), by="ada", reason="seen in uploads")
        worker.wait_logged('"revision": 1')
        named = newest_verdict(run)
        assert (named.outcome, named.model_id, named.registry_revision) == (
            "attributed",
            "found",
            1,
        )
        registry.retire(SPACE, "found", by="ada", reason="false alarm")
        worker.wait_logged('"revision": 2')
        assert newest_verdict(run).outcome == "unknown_generator"
        run.check()
        assert worker.drain() == 0
    registry.close()


def test_a_worker_outlives_its_redis_and_learns_what_was_registered_after(
    run: Run, redis_server: RunningRedis
) -> None:
    """While Redis is away the last snapshot serves, and its age says so."""
    registry = RedisRegistry(run.redis_url)
    registry.register(model("first", space=SPACE), by="ada", reason="seen")
    with running(run.worker()) as worker:
        assert newest_verdict(run).model_id == "first"
        redis_server.kill()
        worker.wait_logged('"event": "registry_trouble"')
        away = newest_verdict(run)
        assert away.model_id == "first", "the last verified snapshot stays in use"
        redis_server.restart()

        def ages_again() -> bool:
            age_s = newest_verdict(run).registry_age_s
            return age_s is not None and age_s < 5.0

        wait_for(ages_again, "the view to be confirmed again", 60.0)
        registry.retire(SPACE, "first", by="ada", reason="replaced")
        registry.register(model("second", space=SPACE), by="ada", reason="seen")
        worker.wait_logged('"revision": 3')
        assert newest_verdict(run).model_id == "second"
        run.check()
        assert worker.drain() == 0
    registry.close()

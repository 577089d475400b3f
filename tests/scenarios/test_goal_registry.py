"""Goal G6: Redis restarts, is emptied or goes silent; no image looks clean because of it."""

import time
from pathlib import Path

import pytest
import redis

from deploy.services.redis import RunningRedis, start_redis
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.transfer import export, import_
from tests.fingerprint_db.samples import model
from tests.scenarios.harness import DARK, Event, Run, ordinary_events, running
from tests.scenarios.load import Load
from tests.scenarios.oracle import Found
from tests.scenarios.proxy import Proxy
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import size
from tests.scenarios.small_judge import MAX_AGE_S, SPACE
from tests.scenarios.test_registry_live import newest_verdict
from tests.scenarios.worker_process import ACCEPT_REGISTRY
from tests.waiting import wait_for
from worker.events.records import Verdict

RESTARTS = size(1, 5)
BLACKHOLE_S = size(10, 60)
ALARM_S = 5.0
TROUBLE = '"event": "registry_trouble"'


def clean_verdicts(found: Found) -> list[Verdict]:
    """The clean ones; none of them from a copy of the registry that was too old to decide by."""
    clean = [v for _, v in found.verdicts if v.outcome == "no_evidence"]
    assert clean, "nothing was clean, so that nothing was shown"
    assert all(v.registry_age_s is not None and v.registry_age_s <= MAX_AGE_S for v in clean)
    return clean


def verdict_of_a_dark_image(run: Run) -> tuple[str, tuple[str, ...]]:
    """Outcome and reasons of an image that is clean as long as the registry can be decided by."""
    verdict = newest_verdict(run, Event(DARK))
    return verdict.outcome, verdict.reasons


def test_an_emptied_registry_is_noticed_and_a_restored_one_is_taken_up(
    run: Run, redis_server: RunningRedis, report: Report
) -> None:
    """FLUSHALL under a running worker, then under one that starts; then the export comes back."""
    registry = RedisRegistry(run.redis_url)
    for name in ("first", "second"):
        registry.register(model(name, space=SPACE), by="ada", reason="seen")
    saved = export(registry, SPACE)
    with running(run.worker()) as worker:
        for _ in range(RESTARTS):
            run.put(ordinary_events(50))
            redis_server.kill()
            redis_server.restart()
        assert newest_verdict(run).model_id == "first"
        with redis.Redis.from_url(run.redis_url) as client:
            client.flushall()
        worker.wait_logged("it was emptied or rolled back")
        assert newest_verdict(run).model_id == "first", "the last verified snapshot serves"
        wait_for(
            lambda: verdict_of_a_dark_image(run) == ("undetermined", ("registry_stale",)),
            "the snapshot to be called stale",
            30.0,
        )
        worker.kill()
    # Nothing in memory any more: only the committed offsets know what the registry was.
    with running(run.worker()) as starting:
        starting.wait_logged("verdicts were committed with revision 2")
        assert verdict_of_a_dark_image(run) == ("undetermined", ("registry_never_loaded",))
        assert starting.drain() == 0
    with running(run.worker()) as again:
        again.wait_logged("verdicts were committed with revision 2")
        import_(registry, saved, by="ada", reason="restored")
        wait_for(
            lambda: verdict_of_a_dark_image(run) == ("no_evidence", ()),
            "the restored registry to be taken up",
            30.0,
        )
        restored = newest_verdict(run)
        assert (restored.model_id, restored.registry_revision) == ("first", 2)
        assert again.drain() == 0
    found = run.check()
    clean = clean_verdicts(found)
    assert all(v.registry_revision == 2 for v in clean)
    registry.close()
    report.keep(
        "G6",
        f"{RESTARTS} restarts of Redis, FLUSHALL under a running and under a starting worker",
        outcome_facts(found) | {"clean_verdicts_from_a_bad_registry": 0},
    )


def test_a_redis_that_falls_silent_is_noticed_and_what_is_too_old_decides_nothing(
    run: Run, redis_server: RunningRedis, report: Report
) -> None:
    """A black hole: connections stay, answers do not come."""
    registry = RedisRegistry(run.redis_url)
    registry.register(model("first", space=SPACE), by="ada", reason="seen")
    with Proxy(frames=False) as proxy:
        proxy.target_port = redis_server.port
        run.worker_redis_url = f"redis://127.0.0.1:{proxy.port}/0"
        with running(run.worker()) as worker:
            assert newest_verdict(run).model_id == "first"
            began = time.monotonic()
            proxy.silence()
            worker.wait_logged(TROUBLE)
            alarm_s = time.monotonic() - began
            assert alarm_s <= ALARM_S
            load = Load(run, portion=20, waiting=20)
            load.rate_during(max(BLACKHOLE_S, MAX_AGE_S + 2) - alarm_s, lambda: True)
            assert verdict_of_a_dark_image(run) == ("undetermined", ("registry_stale",))
            proxy.speak()
            wait_for(
                lambda: verdict_of_a_dark_image(run) == ("no_evidence", ()),
                "the registry to be confirmed again",
                60.0,
            )
            found = run.check()
            assert worker.drain() == 0
    registry.close()
    report.keep(
        "G6-blackhole",
        f"Redis silent for {BLACKHOLE_S} s, under load",
        outcome_facts(found) | {"alarm_s": round(alarm_s, 1), "clean": len(clean_verdicts(found))},
    )


def test_a_replica_that_takes_over_is_followed_unless_it_lacks_what_was_seen(
    run: Run, redis_server: RunningRedis, report: Report, tmp_path: Path
) -> None:
    """Failover: the address leads to the promoted replica. One has everything, one has not."""
    registry = RedisRegistry(run.redis_url)
    registry.register(model("first", space=SPACE), by="ada", reason="seen")
    with (
        start_redis(tmp_path / "behind") as behind,
        start_redis(tmp_path / "current") as current,
        Proxy(frames=False) as proxy,
    ):
        follow(behind, redis_server, registry)
        promote(behind)
        registry.register(model("second", space=SPACE), by="ada", reason="seen")
        follow(current, redis_server, registry)
        proxy.target_port = redis_server.port
        run.worker_redis_url = f"redis://127.0.0.1:{proxy.port}/0"
        with running(run.worker()) as worker:
            assert newest_verdict(run).registry_revision == 2
            promote(current)
            fail_over(proxy, current)
            third = RedisRegistry(current.url)
            third.register(model("third", space=SPACE), by="ada", reason="seen")
            worker.wait_logged('"revision": 3', 30.0)
            assert newest_verdict(run).registry_revision == 3
            fail_over(proxy, behind)
            worker.wait_logged("the registry went back from revision 3 to 1")
            assert newest_verdict(run).registry_revision == 3, "the last verified snapshot serves"
            wait_for(
                lambda: verdict_of_a_dark_image(run) == ("undetermined", ("registry_stale",)),
                "the snapshot to be called stale",
                30.0,
            )
            fail_over(proxy, current)
            wait_for(
                lambda: verdict_of_a_dark_image(run) == ("no_evidence", ()),
                "the replica that has everything to be followed again",
                30.0,
            )
            found = run.check()
            assert worker.drain() == 0
        third.close()
    registry.close()
    clean = clean_verdicts(found)
    # The first ones before the failover, at the revision of the primary that was lost.
    assert all(v.registry_revision in (2, 3) for v in clean)
    report.keep(
        "G6-failover",
        "a promoted replica taken up, then one that lacked two revisions",
        outcome_facts(found) | {"clean_verdicts_from_a_bad_registry": 0},
    )


def follow(replica: RunningRedis, primary: RunningRedis, registry: RedisRegistry) -> None:
    """Make a replica of the primary, and wait until it has what the registry has."""
    copy = RedisRegistry(replica.url)
    with redis.Redis.from_url(replica.url) as client:
        client.replicaof("127.0.0.1", primary.port)
    wait_for(
        lambda: copy.revision(SPACE) == registry.revision(SPACE), "the replica to follow", 30.0
    )
    copy.close()


def promote(replica: RunningRedis) -> None:
    """A replica becomes a primary."""
    with redis.Redis.from_url(replica.url) as client:
        client.replicaof("NO", "ONE")


def fail_over(proxy: Proxy, to: RunningRedis) -> None:
    """The address leads to another server; connections to the one before it are cut."""
    proxy.target_port = to.port
    proxy.link_down()
    proxy.link_up()


def test_an_operator_may_accept_an_emptied_registry(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = RedisRegistry(run.redis_url)
    registry.register(model("first", space=SPACE), by="ada", reason="seen")
    with running(run.worker()) as worker:
        assert newest_verdict(run).model_id == "first"
        assert worker.drain() == 0
    with redis.Redis.from_url(run.redis_url) as client:
        client.flushall()
    monkeypatch.setenv(ACCEPT_REGISTRY, "yes")
    accepting_worker = run.worker()
    monkeypatch.delenv(ACCEPT_REGISTRY)
    with running(accepting_worker) as accepting:
        assert newest_verdict(run).outcome == "unknown_generator"
        assert accepting.drain() == 0
    with running(run.worker()) as later:
        assert newest_verdict(run).outcome == "unknown_generator"
        assert later.drain() == 0
    registry.close()
    assert run.check().letters == []

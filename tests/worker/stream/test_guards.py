"""Watchdog, failpoints and start-up checks hold the worker back in time."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.waiting import wait_for
from worker.broker.topics import Topics, dead_letters_max_message_bytes, images_max_message_bytes
from worker.errors import StopError
from worker.failpoints import from_environment
from worker.settings.kafka import KafkaSettings
from worker.settings.settings import Settings
from worker.stream.start_checks import ClusterFacts, TopicFacts, check_client, check_cluster
from worker.watchdog import WATCHDOG_EXIT_CODE, Watchdog


def test_a_call_that_does_not_return_ends_the_process_and_one_that_does_is_left_alone() -> None:
    expired: list[str] = []
    watchdog = Watchdog(on_expiry=lambda what, _: expired.append(what))
    watchdog.start()
    with watchdog.guard("quick", 60):
        pass
    with watchdog.guard("hung", 0.3):
        wait_for(lambda: expired, "the watchdog to expire")
    watchdog.close()
    assert set(expired) == {"hung"}


HANGING = """
import threading
from worker.watchdog import WATCHDOG_EXIT_CODE, Watchdog

def waits_for_an_answer_that_never_comes():
    threading.Event().wait()

watchdog = Watchdog()
watchdog.start()
with watchdog.guard("a call", 0.3):
    waits_for_an_answer_that_never_comes()
"""


def test_the_watchdog_says_where_every_thread_stands_before_it_ends_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == WATCHDOG_EXIT_CODE
    assert "watchdog: a call did not return within 0.3 s" in ended.stderr
    assert "in waits_for_an_answer_that_never_comes" in ended.stderr
    assert ended.stderr.count("hread 0x") >= 2, "the one that hangs, and the watchdog's own"


def test_a_failpoint_kills_at_the_named_place_and_time_only() -> None:
    sent: list[signal.Signals] = []
    reach = from_environment(
        {"LATENTPRINT_FAILPOINT": "after_offsets:kill@2"}, allowed=True, send=sent.append
    )
    for name in ("after_begin", "after_offsets", "after_flush"):
        reach(name)
    assert sent == []
    reach("after_offsets")
    assert sent == [signal.SIGKILL]
    from_environment({}, allowed=False, send=sent.append)("after_offsets")
    assert len(sent) == 1


def test_a_failpoint_during_a_call_acts_while_the_call_is_under_way() -> None:
    sent: list[signal.Signals] = []
    reach = from_environment(
        {"LATENTPRINT_FAILPOINT": "during_commit:stop"}, allowed=True, send=sent.append
    )
    reach("during_commit")
    wait_for(lambda: sent, "the failpoint to act")
    assert sent == [signal.SIGSTOP]


def test_an_unknown_failpoint_is_refused() -> None:
    with pytest.raises(StopError, match="expected NAME:ACTION"):
        from_environment({"LATENTPRINT_FAILPOINT": "somewhere:kill"}, allowed=True)


def test_an_armed_failpoint_is_refused_in_production() -> None:
    production = Settings(profile="production")
    with pytest.raises(StopError, match=r"FAILPOINT=.after_begin:kill.*unset") as caught:
        from_environment({"LATENTPRINT_FAILPOINT": "after_begin:kill"}, allowed=production.is_local)
    assert caught.value.exit_code == 2


def healthy() -> ClusterFacts:
    topics = Topics(prefix="latentprint.")
    fact = TopicFacts(12, 3, 1024 * 1024, 2, unclean_election=False)
    facts = dict.fromkeys(topics.all(), fact)
    facts[topics.images] = replace(fact, max_message_bytes=images_max_message_bytes())
    facts["__transaction_state"] = fact
    for topic in (topics.dead_letters, topics.redrives):
        facts[topic] = replace(fact, max_message_bytes=dead_letters_max_message_bytes())
    return ClusterFacts(facts, 900_000)


def test_the_topics_that_topics_create_makes_pass_every_check() -> None:
    settings = Settings(kafka=KafkaSettings(brokers="kafka.example:9092"))
    assert check_cluster(settings, healthy()) == ([], [])
    assert check_client() == []


def without_verdicts(facts: ClusterFacts) -> ClusterFacts:
    return replace(
        facts, topics={n: t for n, t in facts.topics.items() if n != "latentprint.verdicts"}
    )


def altered(name: str, **changes: object) -> Callable[[ClusterFacts], ClusterFacts]:
    def alter(facts: ClusterFacts) -> ClusterFacts:
        topic = replace(facts.topics[name], **changes)  # type: ignore[arg-type]
        return replace(facts, topics={**facts.topics, name: topic})

    return alter


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (without_verdicts, "topics are missing: latentprint.verdicts.*topics create"),
        (altered("latentprint.images", max_message_bytes=1000), "one size limit"),
        (altered("latentprint.dead-letters", max_message_bytes=1000), "a dead letter holds"),
        (altered("latentprint.alerts", replication=1), "fewer than 3 replicas.*latentprint.alerts"),
        (altered("__transaction_state", replication=1), "fewer than 3 replicas.*__transaction"),
        (altered("latentprint.images", cleanup="compact,delete"), "first may be deleted before"),
        (lambda facts: replace(facts, max_transaction_timeout_ms=500), "transaction.max.timeout"),
    ],
)
def test_a_cluster_that_could_lose_or_block_verdicts_is_refused(
    break_it: Callable[[ClusterFacts], ClusterFacts], reason: str
) -> None:
    settings = Settings(kafka=KafkaSettings(brokers="kafka.example:9092"))
    refusals, _ = check_cluster(settings, break_it(healthy()))
    assert len(refusals) == 1
    assert re.search(reason, refusals[0].replace("\n", " "))


def test_inputs_that_may_be_compressed_are_named_with_the_command_that_alters_them() -> None:
    settings = Settings(kafka=KafkaSettings(brokers="kafka.example:9092"))
    for name in ("latentprint.images", "latentprint.redrives"):
        refusals, [warning] = check_cluster(settings, altered(name, compression="zstd")(healthy()))
        assert refusals == []
        assert "19 KB may be 600 MiB" in warning
        assert warning.endswith(
            "kafka-configs.sh --bootstrap-server kafka.example:9092 --alter --entity-type topics"
            f" --entity-name {name} --add-config compression.type=uncompressed"
        )


def test_one_machine_is_only_warned_about_replication() -> None:
    facts = altered("latentprint.alerts", replication=1)(healthy())
    refusals, warnings = check_cluster(Settings(), facts)
    assert refusals == []
    assert "latentprint.alerts" in warnings[0]


def test_unclean_election_is_a_warning() -> None:
    settings = Settings(kafka=KafkaSettings(brokers="kafka.example:9092"))
    facts = altered("latentprint.images", unclean_election=True)(healthy())
    refusals, warnings = check_cluster(settings, facts)
    assert refusals == []
    assert "unclean" in warnings[0]


def test_no_thread_of_a_closed_watchdog_is_left() -> None:
    watchdog = Watchdog()
    watchdog.start()
    watchdog.close()
    assert "watchdog" not in [thread.name for thread in threading.enumerate()]

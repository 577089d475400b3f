"""Only contiguous, still-owned work is committed, and what is in flight is bounded."""

import threading

from kafka.structs import TopicPartition

from tests.waiting import wait_for
from worker.stream.entries import InFlight, Prefix
from worker.stream.in_flight import POSTPONED_S, Ownership

P0, P1 = TopicPartition("images", 0), TopicPartition("images", 1)


def make(max_records: int = 100, max_bytes: int = 10_000) -> Ownership[str]:
    ownership: Ownership[str] = Ownership(max_records=max_records, max_bytes=max_bytes)
    ownership.assign([P0, P1], "member")
    return ownership


def admit(
    ownership: Ownership[str], partition: TopicPartition, *offsets: int, size: int = 10
) -> list[InFlight[str]]:
    return ownership.admit(partition, [(offset, size) for offset in offsets])


def finish(ownership: Ownership[str], *entries: InFlight[str]) -> None:
    ownership.begin(entries)
    ownership.finish((entry, f"result {entry.offset}", 1) for entry in entries)


def offsets(prefixes: list[Prefix[str]]) -> dict[int, list[int]]:
    return {p.tag.partition.partition: [e.offset for e in p.entries] for p in prefixes}


def test_a_gap_holds_back_everything_behind_it() -> None:
    ownership = make()
    a, b, c = admit(ownership, P0, 5, 6, 9)
    finish(ownership, a, c)
    assert offsets(ownership.take(100)) == {0: [5]}
    finish(ownership, b)
    taken = ownership.take(100)
    assert offsets(taken) == {0: [5, 6, 9]}
    assert taken[0].next_offset == 10, "one past the last, over offsets that compaction removed"


def test_partitions_do_not_hold_each_other_back() -> None:
    ownership = make()
    admit(ownership, P0, 0)
    (other,) = admit(ownership, P1, 0)
    finish(ownership, other)
    assert offsets(ownership.take(100)) == {1: [0]}


def test_settled_events_are_never_taken_again() -> None:
    ownership = make()
    a, b = admit(ownership, P0, 0, 1)
    finish(ownership, a)
    ownership.settle(ownership.take(100))
    finish(ownership, b)
    assert offsets(ownership.take(100)) == {0: [1]}
    assert ownership.in_flight == (1, 1)


def test_unsettled_events_are_taken_again() -> None:
    ownership = make()
    finish(ownership, *admit(ownership, P0, 0))
    assert offsets(ownership.take(100)) == offsets(ownership.take(100)) == {0: [0]}


def test_the_limit_of_take_counts_all_partitions() -> None:
    ownership = make()
    finish(ownership, *admit(ownership, P0, 0, 1, 2), *admit(ownership, P1, 0, 1, 2))
    assert sum(len(prefix.entries) for prefix in ownership.take(4)) == 4


def test_a_result_from_before_a_rewind_is_dropped() -> None:
    ownership = make()
    (old,) = admit(ownership, P0, 0)
    ownership.discard()
    ownership.resume([P0], "member")
    (new,) = admit(ownership, P0, 0)
    finish(ownership, old)
    assert ownership.take(100) == []
    finish(ownership, new)
    assert ownership.take(100)[0].entries == (new,)


def test_a_prefix_taken_before_a_rewind_is_not_owned_after_it() -> None:
    ownership = make()
    finish(ownership, *admit(ownership, P0, 0))
    taken = ownership.take(100)
    assert ownership.still_owned(taken, "member") == taken
    ownership.discard()
    assert ownership.still_owned(taken, "member") == []
    ownership.settle(taken)
    assert ownership.in_flight == (0, 0), "settling stale work changes nothing"


def test_another_member_id_means_the_work_is_not_ours() -> None:
    ownership = make()
    finish(ownership, *admit(ownership, P0, 0))
    assert ownership.still_owned(ownership.take(100), "someone else") == []


def test_nothing_is_admitted_between_a_doubt_and_the_seek() -> None:
    ownership = make()
    ownership.discard()
    assert ownership.full
    assert admit(ownership, P0, 0) == []
    ownership.resume([P0], "member")
    assert not ownership.full
    assert len(admit(ownership, P0, 0)) == 1


def test_nothing_is_admitted_from_a_partition_that_is_not_ours() -> None:
    ownership = make()
    ownership.lose([P0])
    assert admit(ownership, P0, 0) == []


def test_lost_partitions_are_dropped_and_kept_ones_survive() -> None:
    ownership = make()
    finish(ownership, *admit(ownership, P0, 0), *admit(ownership, P1, 0))
    ownership.lose([P0])
    assert offsets(ownership.take(100)) == {1: [0]}
    assert ownership.in_flight == (1, 1)


def test_a_partition_kept_across_a_rebalance_keeps_its_tag() -> None:
    ownership = make()
    finish(ownership, *admit(ownership, P0, 0))
    taken = ownership.take(100)
    ownership.revoke([P1], deadline_s=0)
    ownership.assign([TopicPartition("images", 2)], "member")
    assert ownership.still_owned(taken, "member") == taken


def test_revocation_waits_for_begun_work_and_drops_the_rest() -> None:
    ownership = make()
    begun, queued = admit(ownership, P0, 0, 1)
    ownership.begin([begun])
    answers: list[bool] = []
    listener = threading.Thread(target=lambda: answers.append(ownership.revoke([P0], 20.0)))
    listener.start()
    wait_for(lambda: not ownership.is_current(queued), "the queued event to be dropped")
    assert ownership.is_current(begun)
    ownership.finish([(begun, "done", 1)])
    taken = ownership.take(100)
    assert offsets(taken) == {0: [0]}
    ownership.settle(taken)
    listener.join(20)
    assert answers == [True]
    assert ownership.in_flight[0] == 0


def test_revocation_returns_at_its_deadline_and_what_is_unfinished_is_never_committed() -> None:
    ownership = make()
    (begun,) = admit(ownership, P0, 0)
    ownership.begin([begun])
    assert ownership.revoke([P0], deadline_s=0.05) is False
    ownership.finish([(begun, "late", 1)])
    assert ownership.take(100) == []
    assert ownership.in_flight == (0, 0)


def test_full_at_either_limit_and_open_again_at_half_of_both() -> None:
    by_records = make(max_records=4)
    entries = admit(by_records, P0, 0, 1, 2, 3)
    assert by_records.full
    finish(by_records, entries[0])
    by_records.settle(by_records.take(100))
    assert by_records.full, "three of four are still above half"
    finish(by_records, entries[1])
    by_records.settle(by_records.take(100))
    assert not by_records.full

    by_bytes = make(max_bytes=100)
    (big,) = admit(by_bytes, P0, 0, size=100)
    assert by_bytes.full
    finish(by_bytes, big)
    assert not by_bytes.full, "a judged event lets go of its image before its commit"


def test_what_comes_after_a_pause_is_due_at_once_and_what_follows_after_the_interval() -> None:
    now = [0.0]
    ownership: Ownership[str] = Ownership(max_records=9, max_bytes=999, clock=lambda: now[0])
    ownership.assign([P0], "member")
    first, second, third, fourth = admit(ownership, P0, 0, 1, 2, 3)
    finish(ownership, first)
    ownership.wait_until_due(interval_s=99.0, records=50, timeout_s=999.0)
    assert offsets(ownership.take(100)) == {0: [0]}, "nothing was taken before"
    ownership.settle(ownership.take(100))

    finish(ownership, second)
    now[0] = 98.0
    waiting = threading.Thread(target=ownership.wait_until_due, args=(99.0, 50, 999.0), daemon=True)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive(), "99 s have not passed since something was taken"
    now[0] = 100.0
    finish(ownership, third)
    waiting.join(30.0)
    assert offsets(ownership.take(100)) == {0: [1, 2]}, "all that was finished meanwhile"

    finish(ownership, fourth)
    ownership.wait_until_due(interval_s=99.0, records=3, timeout_s=999.0)
    assert offsets(ownership.take(100)) == {0: [1, 2, 3]}, "so many are due at once"
    ownership.postpone()
    assert not ownership.wait_until_due(interval_s=99.0, records=3, timeout_s=0.0), "in a moment"
    now[0] += POSTPONED_S
    assert ownership.wait_until_due(interval_s=99.0, records=50, timeout_s=999.0)
    assert offsets(ownership.take(100)) == {0: [1, 2, 3]}, "what was not committed is due again"


def test_nothing_is_due_before_its_interval_however_often_it_is_asked_for() -> None:
    now = [0.0]
    ownership: Ownership[str] = Ownership(max_records=9, max_bytes=999, clock=lambda: now[0])
    ownership.assign([P0], "member")
    first, second = admit(ownership, P0, 0, 1)
    finish(ownership, first)
    ownership.settle(ownership.take(100))
    finish(ownership, second)
    for now[0] in (1.0, 50.0, 98.0):
        assert not ownership.wait_until_due(interval_s=99.0, records=50, timeout_s=0.0)
    now[0] = 99.0
    assert ownership.wait_until_due(interval_s=99.0, records=50, timeout_s=0.0)


def test_all_that_a_revocation_waits_for_is_due_as_it_is_finished() -> None:
    ownership: Ownership[str] = Ownership(max_records=9, max_bytes=999)
    ownership.assign([P0], "member")
    entries = admit(ownership, P0, 0, 1, 2)
    ownership.begin(entries)
    finish(ownership, entries[0])
    ownership.settle(ownership.take(100))
    revoking = threading.Thread(target=ownership.revoke, args=([P0], 60.0), daemon=True)
    revoking.start()
    for entry in entries[1:]:
        finish(ownership, entry)
        assert ownership.wait_until_due(interval_s=999.0, records=50, timeout_s=30.0)
        ownership.settle(ownership.take(100))
    revoking.join(30.0)
    assert not revoking.is_alive()

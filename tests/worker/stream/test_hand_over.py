"""A hand-over is bounded, keeps order, and gives all that waits at a time."""

import threading
from collections.abc import Callable

from tests.waiting import wait_for
from worker.stream.hand_over import HandOver


def on_a_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """A thread that does the work, and what it has come to."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def test_all_that_waits_is_taken_in_order_up_to_the_most() -> None:
    over: HandOver[int] = HandOver(10)
    for number in range(5):
        over.put(number)
    assert over.take(3) == [0, 1, 2]
    assert over.take(3) == [3, 4]


def test_a_lonely_item_is_taken_at_once_and_with_patience_its_followers_are_waited_for() -> None:
    over: HandOver[int] = HandOver(10)
    over.put(1)
    assert over.take(2) == [1]
    over.put(2)
    thread, taken = on_a_thread(lambda: over.take(2, patience_s=99.0))
    over.put(3)
    thread.join(30.0)
    assert taken == [[2, 3]]
    over.put(4)
    assert over.take(2, patience_s=0.01) == [4], "patience ends"
    over.put(5)
    assert over.take(2, patience_s=99.0, coming=lambda: False) == [5], "nothing follows"


def test_whoever_takes_waits_for_the_first_item() -> None:
    over: HandOver[int] = HandOver(10)
    thread, taken = on_a_thread(lambda: over.take(5))
    over.put(1)
    thread.join(30.0)
    assert taken == [[1]]


def test_whoever_puts_in_waits_until_there_is_room() -> None:
    over: HandOver[int] = HandOver(2)
    over.put(1)
    over.put(2)
    thread, put = on_a_thread(lambda: over.put(3))
    thread.join(0.05)
    assert put == []
    assert over.take(1) == [1]
    thread.join(30.0)
    assert put == [None]
    assert over.take(9) == [2, 3]


def test_bytes_bound_it_too_but_one_item_always_has_room() -> None:
    over: HandOver[str] = HandOver(9, most_bytes=10)
    over.put("larger than all", 11)
    thread, put = on_a_thread(lambda: over.put("small", 4))
    thread.join(0.05)
    assert put == []
    assert over.take(9) == ["larger than all"]
    thread.join(30.0)
    over.put("as small", 4)
    assert over.take(9) == ["small", "as small"]


def test_patience_ends_where_somebody_waits_to_put_in() -> None:
    over: HandOver[str] = HandOver(9, most_bytes=10)
    over.put("large", 9)
    putting, _ = on_a_thread(lambda: over.put("larger", 10))
    taking, taken = on_a_thread(lambda: over.take(9, patience_s=99.0))
    taking.join(30.0)
    putting.join(30.0)
    assert taken == [["large"]]


def test_the_last_that_was_coming_ends_patience() -> None:
    over: HandOver[int] = HandOver(9)
    left, asked = [2, 1, 0], threading.Event()

    def coming() -> bool:
        asked.set()
        return left[0] > 0

    over.put(1)
    taking, taken = on_a_thread(lambda: over.take(9, patience_s=99.0, coming=coming))
    assert asked.wait(30.0)
    for number in (2, 3):
        left.pop(0)
        over.put(number)
    taking.join(30.0)
    assert taken == [[1, 2, 3]]


def test_patience_ends_where_what_was_coming_is_given_up() -> None:
    over: HandOver[int] = HandOver(9)
    left, asked = [True], threading.Event()

    def coming() -> bool:
        asked.set()
        return left[0]

    over.put(1)
    taking, taken = on_a_thread(lambda: over.take(9, patience_s=99.0, coming=coming))
    assert asked.wait(30.0)
    left[0] = False
    over.look_again()
    taking.join(30.0)
    assert taken == [[1]]


def test_closing_ends_who_waits_on_either_side_and_nothing_is_taken_after_it() -> None:
    over, empty = HandOver[int](1), HandOver[int](1)
    over.put(1)
    putting, put = on_a_thread(lambda: over.put(2))
    taking, taken = on_a_thread(lambda: empty.take(1))
    over.close()
    empty.close()
    wait_for(lambda: not putting.is_alive() and not taking.is_alive(), "both threads")
    assert (put, taken) == ([None], [[]])
    over.put(3)
    assert over.take(1) == []

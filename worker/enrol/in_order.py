"""Work on several things at once, with the results in the order of the things."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Thing], Result], things: Iterable[Thing], workers: int
) -> Iterator[Result]:
    """`work(thing)` for each, on `workers` threads, the first thing's result first.

    At most twice `workers` things are taken ahead of the one whose result is asked for, so that
    neither things nor results pile up. What `work` raises is raised in its place, and ends all.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="in-order")
    ahead: deque[Future[Result]] = deque()
    try:
        for thing in things:
            ahead.append(pool.submit(work, thing))
            if len(ahead) >= 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)

"""What one thread hands to another: in order, bounded, and taken by all that waits at a time."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class HandOver(Generic[Item]):
    """Items on their way between threads, from any of them to one that takes.

    When it is full, whoever has more to put in waits. Whoever takes from it takes all that waits,
    so that batches grow where taking is slow.
    """

    def __init__(self, most: int, most_bytes: int | None = None) -> None:
        """It holds `most` items, and so many bytes; one item always, whatever its size."""
        lock = threading.Lock()
        self._filled = threading.Condition(lock)
        self._emptied = threading.Condition(lock)
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes
        self._waiting = 0  # to put in
        self._enough: Callable[[], bool] = lambda: True  # for the one that takes
        self._closed = False

    def put(self, item: Item, size: int = 0) -> None:
        """Hand an item over, of `size` bytes; waits while there is no room. Dropped once closed."""
        with self._filled:
            while not self._closed and not self._has_room(size):
                self._waiting += 1
                self._filled.notify()
                self._emptied.wait()
                self._waiting -= 1
            if self._closed:
                return
            self._items.append((item, size))
            self._bytes += size
            self._wake_if_enough()

    def look_again(self) -> None:
        """What was coming is not: who waits for it need not wait on."""
        with self._filled:
            self._wake_if_enough()

    def take(
        self, most: int, patience_s: float = 0.0, coming: Callable[[], bool] = lambda: True
    ) -> list[Item]:
        """Wait for an item, then take all that are there, `most` at most; empty once closed.

        With patience that long is waited for `most` of them, from the first one on, as long as
        `coming`, which must not wait, says that others are on their way.
        """
        with self._filled:
            self._filled.wait_for(lambda: self._closed or self._items)
            if patience_s:
                self._enough = lambda: (
                    self._closed or len(self._items) >= most or self._waiting > 0 or not coming()
                )
                self._filled.wait_for(self._enough, patience_s)
                self._enough = lambda: True
            if self._closed:
                return []
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self._bytes -= sum(size for _, size in taken)
            if self._waiting:
                self._emptied.notify_all()
            return [item for item, _ in taken]

    def close(self) -> None:
        """End both sides: nothing is put in or taken any more."""
        with self._filled:
            self._closed = True
            self._filled.notify_all()
            self._emptied.notify_all()

    def _wake_if_enough(self) -> None:
        """The lock is held."""
        if self._enough():  # to be woken for each item would cost more than the item
            self._filled.notify()

    def _has_room(self, size: int) -> bool:
        if not self._items:
            return True
        if len(self._items) >= self._most:
            return False
        return self._most_bytes is None or self._bytes + size <= self._most_bytes

"""What one thread hands to another: in order, bounded, and taken by all that waits at a time."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class HandOver(Generic[Item]):
    """Items on their way between threads; all methods may be called from any.

    When it is full, whoever has more to put in waits. Whoever takes from it takes all that waits,
    so that batches grow where taking is slow.
    """

    def __init__(self, most: int, most_bytes: int | None = None) -> None:
        """It holds `most` items, and so many bytes; one item always, whatever its size."""
        self._changed = threading.Condition()
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes
        self._closed = False

    def put(self, item: Item, size: int = 0) -> bool:
        """Hand an item over, of `size` bytes; waits while there is no room. False once closed."""
        with self._changed:
            while not self._closed and not self._has_room(size):
                self._changed.wait()
            if self._closed:
                return False
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()
            return True

    def take(
        self, most: int, patience_s: float = 0.0, coming: Callable[[], bool] = lambda: True
    ) -> list[Item]:
        """Wait for an item, then take all that are there, `most` at most; empty once closed.

        With patience that long is waited for `most` of them, from the first one on, as long as
        `coming` says that others are on their way.
        """
        with self._changed:
            while not self._closed and not self._items:
                self._changed.wait()
            end = time.monotonic() + patience_s if patience_s else 0.0
            while patience_s and not self._closed and len(self._items) < most:
                left_s = end - time.monotonic()
                if left_s <= 0 or not self._has_room(0) or not coming():
                    break
                self._changed.wait(left_s)
            if self._closed:
                return []
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self._bytes -= sum(size for _, size in taken)
            self._changed.notify_all()
            return [item for item, _ in taken]

    def close(self) -> None:
        """End both sides: nothing is put in or taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if not self._items:
            return True
        if len(self._items) >= self._most:
            return False
        return self._most_bytes is None or self._bytes + size <= self._most_bytes

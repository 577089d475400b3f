"""Room for fetched images, in bytes: taken before a fetch, let go when the image was answered."""

import threading


class Room:
    """So many bytes; one fetch may always go on, whatever it takes.

    What was fetched is let go by decode and inference, which wait for no fetch: nothing is stuck.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._taken = 0
        self._changed = threading.Condition()

    def take(self, size: int, timeout_s: float) -> "Hold | None":
        """Room for `size` bytes; None where there was none in time."""
        most = max(0, self._limit - size)
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken <= most, timeout_s):
                return None
            self._taken += size
            return Hold(self, size)

    def give(self, size: int) -> None:
        """So many bytes are free again."""
        with self._changed:
            self._taken -= size
            self._changed.notify_all()


class Hold:
    """What one fetch has taken."""

    def __init__(self, room: Room, size: int) -> None:
        self._room = room
        self._size = size

    def shrink(self, size: int) -> None:
        """It turned out to be `size` bytes, which are fewer."""
        self._room.give(self._size - size)
        self._size = size

    def release(self) -> None:
        """Let all of it go; may be called twice."""
        self.shrink(0)

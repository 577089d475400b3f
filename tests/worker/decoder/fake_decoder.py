"""A decoder without processes; `test_decoder_contract.py` holds it to the real one."""

import queue

import numpy as np

from worker.decoder.decode import DecodedImage, ImageFacts
from worker.errors import RejectError, RetryError

BROKEN = b"broken"
"""What neither the fake nor the real one can decode."""


class FakeDecoder:
    """Answers at once; raises what is put into `failures`, one a call, before anything else."""

    def __init__(self) -> None:
        self.failures: queue.SimpleQueue[Exception] = queue.SimpleQueue()
        self.starved = False
        self.closed = False

    def decode(self, data: bytes, sender: str = "") -> DecodedImage:
        """An image of one black crop."""
        if self.closed:
            raise RetryError("the decoder pool is closed")
        if self.starved:
            raise RetryError("no decoder child can be started")
        if not self.failures.empty():
            raise self.failures.get()
        if data == BROKEN:
            raise RejectError("decode.unsupported", "it is broken", stage="decode")
        facts = ImageFacts("0" * 64, len(data), "png", 1, 1, None, False, False, "0" * 64)
        crops = np.zeros((1, 3, 32, 32), np.uint8)
        return DecodedImage(facts, crops, np.zeros((1, 2), np.int32), None)

    def close(self) -> None:
        """As the pool's."""
        self.closed = True

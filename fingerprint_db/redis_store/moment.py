"""Several replies of one moment, while others write."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.exceptions import OutOfMemoryError

from fingerprint_db.errors import RegistryUnavailable
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.connection import reaching
from fingerprint_db.redis_store.keys import SpaceKeys

_ATTEMPTS = 100


def of_one_moment(
    client: Any, address: RedisAddress, keys: SpaceKeys, ask: Callable[[Any], None]
) -> tuple[Any, ...]:
    """The replies to what `ask` queues, all of one moment: in a MULTI.

    At its memory limit Redis denies even reads inside a MULTI. Then they are read without one,
    and the history's last change before and after them shows that nothing was written between.
    """
    with reaching(address):
        with client.pipeline(transaction=True) as pipe:
            ask(pipe)
            with suppress(OutOfMemoryError):
                return tuple(pipe.execute())
        for _ in range(_ATTEMPTS):
            with client.pipeline(transaction=False) as pipe:
                pipe.lindex(keys.history, -1)
                ask(pipe)
                pipe.lindex(keys.history, -1)
                before, *replies, after = pipe.execute()
            if before == after:
                return tuple(replies)
    raise RegistryUnavailable(
        f"{_ATTEMPTS} reads of space {keys.space[:12]}… at {address.shown} met a writer"
        " each time; try again later"
    )

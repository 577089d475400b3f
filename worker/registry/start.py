"""A worker joins its group only with a registry that it can read: judging blind is a choice.

Without it, a wrong password would turn a whole backlog into `undetermined`, committed for ever.
What a person must mend ends the start at once; what may recover is waited for.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from fingerprint_db.errors import RegistryError, RegistryUnavailable
from fingerprint_db.registry import Registry
from fingerprint_db.signing.keys import SigningKey
from worker.errors import StopError
from worker.registry.follower import RegistryFollower
from worker.settings.redis import RedisSettings

if TYPE_CHECKING:  # the client is imported by who opens a registry
    from fingerprint_db.redis_store.registry import RedisRegistry

_ASK_AGAIN_S = 1.0
_LOOK_S = 0.1
"""How long the main thread sleeps before it looks whether it was asked to stop."""


@contextmanager
def open_registry(
    settings: RedisSettings, key: SigningKey | None = None
) -> Iterator["RedisRegistry"]:
    """The registry in Redis, what is written signed by `key`; connected at the first call."""
    from fingerprint_db.redis_store.registry import RedisRegistry

    registry = RedisRegistry(settings.address(), key=key)
    try:
        yield registry
    finally:
        registry.close()


def await_redis(
    registry: Registry,
    settings: RedisSettings,
    stop: threading.Event,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return once Redis answers, or `stop` is set; for the start, before anything slow.

    Raises:
        StopError: with exit code 2 what a person must mend (credentials, rights, database, no
            Redis); with 3 after `redis.start_wait_s` out of reach. Neither where `redis.required`
            is false.
    """
    if settings.required:
        _await(registry.spaces, settings, stop, clock, sleep)


def start_following(
    follower: RegistryFollower,
    registry: Registry,
    space: str,
    settings: RedisSettings,
    stop: threading.Event,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Start the follower, with its first snapshot loaded; warns of one that holds nothing.

    Raises StopError as `await_redis` does; with exit code 2 also for a registry that the follower
    refuses (emptied, rolled back, damaged).
    """
    if settings.required:
        _await(follower.load, settings, stop, clock, sleep)
    follower.start()
    snapshot = follower.view().snapshot
    if snapshot is not None and (lack := emptiness(registry, space, snapshot.revision)):
        structlog.get_logger("registry").warning("registry_empty", reason=lack)


def emptiness(registry: Registry, space: str, revision: int) -> str | None:
    """What to say of a registry that holds nothing for this bundle; None where it holds some."""
    if revision > 0:
        return None
    try:
        spaces = registry.spaces()
    except RegistryError:
        spaces = ()
    others = [name[:12] for name in spaces if name != space]
    kept = []
    if space in spaces:
        kept.append("your own photographs for it")
    if others:
        kept.append(f"the spaces of other bundles: {', '.join(others)}")
    held = f"it holds {' and '.join(kept) or 'nothing at all'}"
    return (
        f"the registry holds no model for this bundle (space {space[:12]}), so that whatever is"
        f" synthetic is an unknown generator; {held}. Look at the database number of redis.url, or"
        " run `latentprint registry import` (for a bundle of your own: its BUNDLE/registry.export)"
        " or `latentprint register`"
    )


def _await(
    ask: Callable[[], object],
    settings: RedisSettings,
    stop: threading.Event,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    deadline = clock() + settings.start_wait_s
    told = False
    while not stop.is_set():
        try:
            ask()
        except RegistryUnavailable as error:
            if clock() >= deadline:
                raise StopError(
                    f"{error}. Nothing was read from Kafka: the worker waited"
                    f" {settings.start_wait_s:g} s (redis.start_wait_s). To judge without the"
                    " registry, all undetermined, set redis.required=false",
                    exit_code=3,
                ) from error
            if not told:
                structlog.get_logger("registry").warning(
                    "registry_awaited", reason=str(error), wait_s=settings.start_wait_s
                )
                told = True
        except RegistryError as error:
            raise StopError(
                f"{error}. Nothing was read from Kafka; to judge without the registry, all"
                " undetermined, set redis.required=false",
                exit_code=2,
            ) from error
        else:
            return
        again = min(deadline, clock() + _ASK_AGAIN_S)
        while clock() < again and not stop.is_set():
            sleep(_LOOK_S)  # never `stop.wait`: its handler runs on this very thread

"""The connection to Redis: its limits, and its errors turned into ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from fingerprint_db.errors import (
    RegistryCorrupt,
    RegistryForbidden,
    RegistryUnavailable,
    WrongSettings,
)
from fingerprint_db.settings import masked

SOCKET_TIMEOUT_S = 4.0  # so that a Redis that falls silent is noticed within 5 s
CONNECT_TIMEOUT_S = 2.0
BLOCK_SLICE_S = 2.0  # one XREAD blocks at most this long, so the socket never times out before it


def connect(url: str) -> Any:
    """A client that opens its connections at first use and sends nothing that 6.2 lacks.

    RESP2 and no driver information: with RESP3 redis-py asks for maintenance notifications, and
    CLIENT SETINFO came with 7.2. One retry, for a pooled connection that a restart has closed;
    none after a timeout: what answers nothing for `SOCKET_TIMEOUT_S` is out of reach.
    Typed Any: redis-py types every reply as bytes or str, whatever the client was told.
    """
    try:
        return redis.Redis.from_url(
            url,
            protocol=2,
            driver_info=None,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=Retry(
                ExponentialWithJitterBackoff(base=0.02, cap=0.2),
                1,
                supported_errors=(redis.ConnectionError,),
            ),
        )
    except ValueError as error:
        raise WrongSettings(
            f"the Redis address {masked(url)!r} cannot be used: {error};"
            " expected redis://HOST:PORT/DATABASE"
        ) from error


@contextmanager
def reaching(address: str) -> Iterator[None]:
    """Turns redis-py's errors into the registry's, by remedy; `address` is shown, so mask it."""
    try:
        yield
    except (AuthenticationError, AuthorizationError, NoPermissionError) as error:
        raise RegistryForbidden(
            f"Redis at {address} refuses: {error}; give a user and password with the rights that"
            " fingerprint_db/redis_store/keys.py lists, in the URL: redis://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from error
    except ResponseError as error:
        if "WRONGTYPE" in str(error):
            raise RegistryCorrupt(
                "a registry key", seen=str(error), expected="the type that keys.py declares"
            ) from error
        raise RegistryUnavailable(
            f"Redis at {address} could not do it: {error}; nothing was changed, try again later"
        ) from error
    except RedisError as error:
        raise RegistryUnavailable(
            f"Redis at {address} cannot be reached: {error}; check that it runs"
            " (`latentprint services up` starts a local one) and that the address is right"
        ) from error

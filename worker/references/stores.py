"""`s3:`, `gs:` and `az:`: an object as one address, signed with the provider's own credentials.

`obstore` knows the providers: their environment, their tokens, their signatures. What it signs is
fetched by `web.get` and not by itself, because it follows redirects to whatever host a store names
(0.12.1, tried), and `web.get` follows none. A signature lives shortly and is never shown.
"""

import re
import threading
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from worker.errors import RejectError
from worker.references.outages import UnavailableError
from worker.references.targets import STAGE, ObjectTarget, refused

SIGNED_FOR: Final = timedelta(seconds=300)
"""Beyond any try, and beyond what clocks differ by."""

Store = S3Store | GCSStore | AzureStore


class Stores:
    """One client a bucket, so that tokens are kept; may be used from any thread."""

    def __init__(self, *, s3_endpoint: str | None, timeout_s: float) -> None:
        self._s3_endpoint = s3_endpoint
        self._timeout = timedelta(seconds=timeout_s)
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()

    def address(self, target: ObjectTarget) -> str:
        """The address that fetches the object; a secret.

        Raises RejectError("fetch.forbidden") where the provider refuses the credentials,
        UnavailableError where there are none now.
        """
        try:
            return obstore.sign(self._store(target), "GET", target.key, SIGNED_FOR)
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise RejectError(
                "fetch.forbidden", "the provider refuses the credentials", stage=STAGE
            ) from error
        except ValueError as error:
            raise refused("the key cannot be addressed") from error
        except BaseError as error:
            raise UnavailableError(
                f"no credentials for {target.store} could be had: {_why(error)}",
                target.store,
            ) from error

    def _store(self, target: ObjectTarget) -> Store:
        with self._lock:
            if target.store not in self._stores:
                self._stores[target.store] = self._made(target)
            return self._stores[target.store]

    def _made(self, target: ObjectTarget) -> Store:
        options: dict[str, Any] = {
            "client_options": {"timeout": self._timeout, "connect_timeout": self._timeout},
            "retry_config": {"max_retries": 0},
        }
        if target.scheme == "gs":
            return GCSStore(target.bucket, **options)
        if target.scheme == "az":
            return AzureStore(target.bucket, **options)
        if self._s3_endpoint is not None:
            # Under both names: the second would win by AWS_ENDPOINT_URL_S3 in the environment.
            endpoint = self._s3_endpoint.rstrip("/")
            options["config"] = {"endpoint": endpoint, "aws_endpoint_url_s3": endpoint}
            plain = urlsplit(self._s3_endpoint).scheme == "http"
            options["client_options"]["allow_http"] = plain
        return S3Store(target.bucket, **options)


def _why(error: BaseError) -> str:
    """The status in an error of `obstore`, whose text may hold an address with a token in it."""
    found = re.search(r"status code: (\d{3})", str(error))
    return f"the provider says {found[1]}" if found else "the provider gives no answer"

"""From a target to the bytes of a file, by whichever way its scheme says."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from worker.decoder.file_kinds import describe
from worker.errors import RejectError
from worker.references.connection import Lookups, Way, tls_context
from worker.references.files import read_file
from worker.references.stores import Stores
from worker.references.targets import (
    STAGE,
    FileTarget,
    ObjectTarget,
    Rules,
    WebTarget,
    target_of,
)
from worker.references.web import Page, Request, get
from worker.settings.references import ReferenceSettings

_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_UNTOLD = ("", "application/octet-stream", "binary/octet-stream")
"""Media types that say nothing; the bytes alone count then."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """What fetches, built once for a process; `fetch` may be called from any thread."""

    rules: Rules
    way: Way
    stores: Stores
    timeout_s: float
    max_bytes: int

    @classmethod
    def of(cls, settings: ReferenceSettings, max_bytes: int) -> "Fetching":
        """As the settings say."""
        context = tls_context(str(settings.ca_file) if settings.ca_file else None)
        return cls(
            Rules.of(settings),
            Way(context, settings.networks(), Lookups()),
            Stores(s3_endpoint=settings.s3_endpoint, timeout_s=settings.timeout_s),
            settings.timeout_s,
            max_bytes,
        )

    def fetch(self, reference: str) -> bytes:
        """The bytes that the reference names.

        Raises RejectError with a code `fetch.*`, UnavailableError where there are none now.
        """
        target = target_of(reference, self.rules)
        match target:
            case FileTarget():
                return read_file(target, self.max_bytes)
            case ObjectTarget():
                return self._object(target).body
            case WebTarget():
                return image_of(self._page(target))

    def _page(self, target: WebTarget) -> Page:
        """The page, from an address that was looked at."""
        return get(
            Request(target.host, target.port, target.path_and_query, target.store),
            lambda deadline: self.way.to(target.host, target.port, deadline, checked=True),
            timeout_s=self.timeout_s,
            max_bytes=self.max_bytes,
        )

    def _object(self, target: ObjectTarget) -> Page:
        """The object, from the provider's host or the one in the settings: no event chose it."""
        address = urlsplit(self.stores.address(target))
        tls, host = address.scheme == "https", address.hostname or ""
        default_port = 443 if tls else 80
        port = address.port or default_port
        shown = f"[{host}]" if ":" in host else host
        return get(
            Request(shown, port, f"{address.path}?{address.query}", target.store, default_port),
            lambda deadline: self.way.to(host, port, deadline, checked=False, tls=tls),
            timeout_s=self.timeout_s,
            max_bytes=self.max_bytes,
        )


def image_of(page: Page) -> bytes:
    """The body of a page that says it is an image, and begins like one that is read."""
    named = page.media_type.startswith("image/") or page.media_type in _UNTOLD
    webp = page.body[:4] == b"RIFF" and page.body[8:12] == b"WEBP"
    if named and (webp or page.body.startswith(_STARTS)):
        return page.body
    raise RejectError(
        "fetch.not_an_image",
        f"the answer's type is {page.media_type[:60] or 'not named'!r} and {describe(page.body)};"
        " a JPEG, PNG or WebP is expected, and a type image/* or none",
        stage=STAGE,
    )

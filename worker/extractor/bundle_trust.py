"""Whether anybody vouches for a bundle, asked before its files are opened.

The bundle that comes with the program is vouched for by the program: its digest stands here, and
whoever could change the one could change the other. Any other needs a signature by a key that the
settings name.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path

import structlog

from fingerprint_db.signing.bundle_signature import DOCUMENT, bundle_problem
from fingerprint_db.signing.keys import PublicKey
from worker.errors import StopError
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.document import default_bundle_path
from worker.settings.trust import TrustSettings

BUILT_IN = "3e9de7ccc5a4d9aee70aa0b10d09ec194d3e6cdb677b0bd69adc73d313298530"
"""The digest of the bundle in `default_bundle`; a test compares them."""


def trusted_bundle(path: Path | None, trust: TrustSettings, *, local: bool) -> Bundle:
    """The bundle at `path`, verified; StopError (exit code 2) where nobody vouches for it.

    Where settings do not say, a signature is asked for unless all is `local` and no key is named.
    """
    folder, keys = path or default_bundle_path(), trust.of_bundle()
    required = trust.require_signatures
    if required is None:
        required = bool(keys) or not local
    vouched = vouched_digest(folder, keys, required=required)
    bundle = load_bundle(folder)
    if vouched not in (None, bundle.digest):
        raise StopError(f"bundle {folder} was changed while it was read; try again", exit_code=2)
    return bundle


def vouched_digest(folder: Path, keys: Collection[PublicKey], *, required: bool) -> str | None:
    """The digest that somebody vouches for; None where nobody does and that is `required` of none.

    A signature that does not hold is refused in any case: somebody changed what was signed.
    """
    try:
        document = (folder / DOCUMENT).read_bytes()
    except OSError:
        return None  # `load_bundle` says what is missing
    digest = hashlib.sha256(document).hexdigest()
    if digest == BUILT_IN:
        return digest
    problem = bundle_problem(folder, document, keys)
    if problem is None:
        return digest
    remedy = (
        "whoever made the bundle signs it with `latentprint trust sign`; name their public key in"
        " trust.bundle_keys, or set trust.require_signatures=false to judge with a bundle that"
        " nobody vouches for"
    )
    if "was changed after" in problem:
        remedy = (
            "take the bundle from its source again, or have it signed anew with `latentprint trust"
            " sign`"
        )
    if required or "was changed after" in problem:
        raise StopError(f"bundle {folder} (digest {digest[:12]}): {problem}; {remedy}", exit_code=2)
    structlog.get_logger("worker").warning("bundle_not_vouched_for", reason=f"{problem}; {remedy}")
    return None

"""Whether the decoders are confined well enough to be given strangers' images."""

import logging
from collections.abc import Mapping
from typing import Literal

from worker.decoder.confinement import OPTIONAL
from worker.errors import StopError

_log = logging.getLogger(__name__)


def check_posture(posture: Mapping[str, bool], sandbox: Literal["required", "warn"]) -> None:
    """Refuse to decode where a measure does not hold; with "warn" only say so.

    `posture` is `DecoderPool.posture()`. Raises StopError (exit code 2). A measure that only backs
    another one (`worker.decoder.confinement.OPTIONAL`) may be missing.
    """
    missing = gaps(posture)
    if not missing:
        return
    lacks = ", ".join(missing)
    if sandbox == "required":
        raise StopError(
            f"the decoder sandbox lacks {lacks} on this kernel, so a malicious image could do more"
            " than fail; run where seccomp is allowed (docs/decisions/0007-sandbox.md), or, for"
            " images you trust, set LATENTPRINT_DECODE__SANDBOX=warn",
            exit_code=2,
        )
    _log.warning("the decoder sandbox is incomplete", extra={"missing": missing})


def gaps(posture: Mapping[str, bool]) -> list[str]:
    """The measures that do not hold and must; where nothing is known, everything."""
    if not posture:
        return ["everything: no decoder has reported"]
    return sorted(name for name, holds in posture.items() if not holds and name not in OPTIONAL)

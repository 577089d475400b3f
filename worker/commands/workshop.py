"""What images are judged with, built from the settings in one place.

`run`, `scan` and `register` stand in the same workshop, so that the same settings give the same
crops, the same policy digest and the same verdict, on the stream and on local files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from worker.decoder.decode import DecodeLimits
from worker.decoder.pool import DecoderPool
from worker.decoder.posture import check_posture
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.extract import TorchExtractor
from worker.judge.pipeline import Pipeline
from worker.judge.policy import Policy, load_policy, undecidable
from worker.settings import MEBIBYTE, DecisionSettings, DecodeSettings, Settings


@dataclass(frozen=True, slots=True, eq=False)
class Workshop:
    """The verified bundle, its proven extractor, the policy, and the decoders that run."""

    bundle: Bundle
    extractor: TorchExtractor
    policy: Policy
    decoder: DecoderPool

    def pipeline(self) -> Pipeline:
        """Decoded images to verdicts by this bundle and policy, at the time of each call."""
        return Pipeline(self.extractor, self.bundle, self.policy, lambda: datetime.now(UTC))


@contextmanager
def open_workshop(settings: Settings) -> Iterator[Workshop]:
    """Load the bundle, prove it on its golden inputs, start the sandboxed decoders; end them after.

    Raises StopError (exit code 2) for a bundle, a policy, a device or a sandbox that will not do.
    """
    bundle = load_bundle(settings.extract.bundle)
    extractor = TorchExtractor(bundle, settings.extract.device)
    extractor.self_test()
    policy = decision_policy(settings.decision)
    _check_policy(policy, bundle)
    limits = decode_limits(settings.decode, extractor.limits)
    pool = DecoderPool(
        limits, settings.decode.processes, images_per_child=settings.decode.images_per_child
    )
    with pool as decoder:
        check_posture(decoder.posture(), settings.decode.sandbox)
        yield Workshop(bundle, extractor, policy, decoder)


def _check_policy(policy: Policy, bundle: Bundle) -> None:
    """Refuse a policy that decides nothing with this bundle; warn where it decides little."""
    log = structlog.get_logger("worker")
    small = undecidable(
        policy, {n: bundle.calibration.count(n) for n in bundle.calibration.reference}
    )
    if small:
        log.warning("undecidable_bins", bins=small, alpha=policy.alpha)
    if not policy.flag:
        log.warning("nothing_is_flagged", reason="flag=[] in the policy: no alert will be raised")


def decision_policy(settings: DecisionSettings) -> Policy:
    """The policy file, with what the settings say otherwise. Raises StopError (exit code 2)."""
    policy = load_policy(settings.policy)
    if settings.max_registry_age_s is None:
        return policy
    return policy.model_copy(update={"maximum_registry_age_s": settings.max_registry_age_s})


def decode_limits(settings: DecodeSettings, bundle: DecodeLimits) -> DecodeLimits:
    """How the bundle wants images cropped, and what one may cost by the settings."""
    return replace(
        bundle,
        max_image_bytes=settings.max_image_bytes,
        max_pixels=settings.max_pixels,
        memory_bytes=settings.memory_mib * MEBIBYTE,
        cpu_s=settings.cpu_s,
    )

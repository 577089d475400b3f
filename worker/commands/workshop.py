"""What images are judged with, built from the settings in one place.

`run`, `scan` and `register` stand in the same workshop, so that the same settings give the same
regions, the same policy digest and the same verdict, on the stream and on local files.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import structlog

from fingerprint_db.calibration import Calibration
from worker.decoder.decode import DecodeLimits
from worker.decoder.pool import DecoderPool
from worker.decoder.posture import check_posture
from worker.enrol.whole import WHOLE, Open, whole_picture
from worker.errors import RetryError, StopError
from worker.extractor.bundle import Bundle
from worker.extractor.bundle_trust import trusted_bundle
from worker.extractor.extract import ServingExtractor
from worker.extractor.on_device.choice import open_extractor
from worker.extractor.products import stay_on_this_thread
from worker.judge.photographs import Tenant, photograph_counts
from worker.judge.pipeline import Pipeline
from worker.judge.policy import Policy, load_policy, undecidable
from worker.judge.prepared import Preparer
from worker.loading import loading
from worker.metrics import Figures
from worker.seen.looks import count_kill
from worker.seen.spans import Spans
from worker.settings.group import MEBIBYTE
from worker.settings.images import DecisionSettings, DecodeSettings
from worker.settings.settings import Settings
from worker.watchdog import WATCHDOG_EXIT_CODE


@dataclass(frozen=True, slots=True, eq=False)
class Workshop:
    """The verified bundle, its proven extractor, the policy, and the decoders that run."""

    bundle: Bundle
    extractor: ServingExtractor
    policy: Policy
    decoder: DecoderPool

    def preparer(self) -> Preparer:
        """What makes a followed registry ready for `pipeline`, for every codec at once."""
        return Preparer(self.bundle.background, self.policy, every_codec=True)

    def pipeline(self, figures: Figures | None = None, spans: Spans | None = None) -> Pipeline:
        """Decoded images to verdicts by this bundle and policy, at the time of each call."""
        return Pipeline(
            self.extractor, self.bundle, self.policy, lambda: datetime.now(UTC), figures, spans
        )


@contextmanager
def open_workshop(
    settings: Settings,
    own: Callable[[str], Calibration | None] = lambda space: None,
    *,
    check_policy: bool = True,
    figures: Figures | None = None,
    decoders: int | None = None,
) -> Iterator[Workshop]:
    """Load the bundle, prove it on its golden pictures, start the sandboxed decoders, and end them.

    The decoders start while the bundle is proved. `own` gives the tenant's photographs of a space:
    they count where the policy is checked. `decoders` are fewer than the settings have, for who has
    fewer files. From here on numpy's products stay on the thread that asks. Raises StopError (exit
    code 2) for a bundle, a policy, a device or a sandbox that will not do, and for a bundle that
    nobody vouches for; with 75 for a device that fails.
    """
    counted = figures or Figures()
    with ExitStack() as ending:
        with loading():
            bundle = trusted_bundle(
                settings.extract.bundle, settings.trust, local=settings.is_local
            )
            pool = DecoderPool(
                decode_limits(settings.decode, DecodeLimits(bundle.reading)),
                decoders or settings.decode.children,
                images_per_child=settings.decode.images_per_child,
                on_kill=partial(count_kill, counted),
            )
            ending.callback(pool.close)
            started = ending.enter_context(ThreadPoolExecutor(1, "start")).submit(pool.start)
            extractor = _proven_extractor(bundle, settings)
        policy = decision_policy(settings.decision)
        if check_policy:
            _check_policy(policy, bundle, own(bundle.digest))
        started.result()
        check_posture(pool.posture(), settings.decode.sandbox)
        yield Workshop(bundle, extractor, policy, pool)


def _proven_extractor(bundle: Bundle, settings: Settings) -> ServingExtractor:
    """StopError with an exit code that a supervisor answers with a restart where a card fails."""
    try:
        extractor = open_extractor(bundle, settings.extract.device, settings.kafka.slot)
        extractor.self_test()
    except RetryError as error:
        raise StopError(
            f"{error}; nothing was judged yet, and a new process gets a new context on the device."
            " If this comes again, look at the GPU (nvidia-smi, dmesg), or set"
            " LATENTPRINT_EXTRACT__DEVICE=cpu meanwhile",
            exit_code=WATCHDOG_EXIT_CODE,
        ) from error
    stay_on_this_thread()
    structlog.get_logger("worker").info("extractor", where=extractor.where)
    return extractor


@contextmanager
def open_sample_reader(settings: DecodeSettings) -> Iterator[Open]:
    """Decoders that hand over whole pictures, confined as the others are; for `register`."""
    limits = decode_limits(settings, DecodeLimits(WHOLE))
    with DecoderPool(limits, settings.children) as pool:
        check_posture(pool.posture(), settings.sandbox)
        yield lambda received: whole_picture(pool.decode(received))


def _check_policy(policy: Policy, bundle: Bundle, own: Calibration | None) -> None:
    """Refuse a policy that decides nothing with this bundle; warn where it decides little."""
    log = structlog.get_logger("worker")
    tenant = Tenant(own, policy.alpha_name, policy.alpha_unknown) if own else None
    small = undecidable(policy, photograph_counts(bundle.background, tenant))
    if small:
        log.warning("undecidable_bins", bins=small, alpha=policy.alpha_name)
    if not policy.flag:
        log.warning("nothing_is_flagged", reason="flag=[] in the policy: no alert will be raised")


def decision_policy(settings: DecisionSettings) -> Policy:
    """The policy file, with what the settings say otherwise. Raises StopError (exit code 2)."""
    policy = load_policy(settings.policy)
    if settings.max_registry_age_s is None:
        return policy
    return policy.model_copy(update={"maximum_registry_age_s": settings.max_registry_age_s})


def decode_limits(settings: DecodeSettings, bundle: DecodeLimits) -> DecodeLimits:
    """What the bundle reads of images, and what one may cost by the settings."""
    return replace(
        bundle,
        max_image_bytes=settings.max_image_bytes,
        max_pixels=settings.max_pixels,
        memory_bytes=settings.memory_mib * MEBIBYTE,
        cpu_s=settings.cpu_s,
    )

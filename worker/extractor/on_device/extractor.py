"""A batch of pictures to fingerprints on the device, which is waited for once, at the end.

    launch:  JPEG and WebP: pixels to the card, all of its work behind them
             meanwhile, on threads: lossless files' earlier JPEG; then those pixels as well
    results: the kinds of pictures, from the threads; wait for the card; its copies

What is branches and few numbers stays on the processor, where it overlaps with the card's work: was
a lossless file a JPEG before, and what kind of picture it is (`nuisance`).
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import structlog
import torch
from numpy.typing import NDArray

from fingerprint_db.conditions import Codec, readings_of
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.errors import RejectError, StopError
from worker.extractor.arrival import Regions, arrival, file_codec
from worker.extractor.bundle import Bundle, check_golden, golden_arrays
from worker.extractor.document import GROUPS, Group, codecs_of, group_of
from worker.extractor.extract import ImageFingerprint, Reading, Told, as_decoded, fingerprint, told
from worker.extractor.fingerprint_map import Floats, block_statistics
from worker.extractor.on_device.canvas import batches, power_of_two
from worker.extractor.on_device.device_faults import NoRoomError, blaming_the_device
from worker.extractor.on_device.maps import GroupMaps
from worker.extractor.on_device.replay import Launcher
from worker.extractor.on_device.statistics import pooled, region_sums, sums_size
from worker.settings.cores import usable_cores

AGREEMENT = 5e-3
"""Deviations, by which a fingerprint may differ from that of the compiled loops; 1e-4 were met, of
a coefficient that rounding moved across a threshold."""
_MOST_THREADS = 4
_FEWEST_PLACES = 32
"""Of pictures in a group, which cost next to nothing while they are empty: batches of up to so
many are one kind of work to the launcher."""
_DRAWN = ((57, 91), (300, 411))
"""Pixels of what the self-test draws: odd sizes, one whose rows are thinned."""


@dataclass(frozen=True, slots=True, eq=False)
class _Flight:
    """One group's pictures on their way: the copies are there when the launcher has waited."""

    places: Sequence[int]
    codecs: Sequence[tuple[Codec, ...]]
    standard: torch.Tensor
    vectors: torch.Tensor


class Launched:
    """A batch that the device is at work on; `results` waits for it."""

    def __init__(
        self,
        bundle: Bundle,
        launcher: Launcher,
        flights: Sequence[_Flight],
        told: Sequence[Future[Told]],
    ) -> None:
        self._bundle = bundle
        self.launcher = launcher
        self._flights = flights
        self._told = told

    def results(self) -> list[ImageFingerprint | RejectError]:
        """One result per image, in order."""
        known = [one.result() for one in self._told]
        self.launcher.wait()
        readings: dict[int, tuple[Reading, ...]] = {}
        for flight in self._flights:
            readings |= zip(flight.places, _readings(flight), strict=True)
        return [fingerprint(self._bundle, one, readings[i]) for i, one in enumerate(known)]


class DeviceExtractor:
    """Runs a bundle's blocks and maps on one device; call from one thread only."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        self._bundle = bundle
        self._device = device
        # TF32 keeps 10 bits of each factor: no fingerprint would be what was calibrated.
        torch.set_float32_matmul_precision("highest")
        self.launcher = Launcher(device)
        self._maps = {group: GroupMaps(bundle.maps, group, device) for group in GROUPS}
        threads = min(_MOST_THREADS, usable_cores())
        self._threads = ThreadPoolExecutor(threads, "extract")

    @property
    def space(self) -> str:
        """The fingerprint space: the bundle's digest."""
        return self._bundle.digest

    @property
    def dimension(self) -> int:
        """D, the size of a fingerprint."""
        return self._bundle.document.dimension

    @property
    def where(self) -> str:
        """What computes, its version, and the device."""
        name = str(self._device)
        if self._device.type == "cuda":
            name = f"{torch.cuda.get_device_name(self._device)} ({name})"
        return f"torch {torch.__version__} on {name}"

    @property
    def limits(self) -> DecodeLimits:
        """How images must be decoded for this bundle."""
        return DecodeLimits(self._bundle.reading)

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """Fingerprints of a batch; an image whose numbers are not finite fails alone.

        A batch that the device has no memory for is halved. Raises RetryError where the device
        failed, or has no memory for one image.
        """
        if not images:
            return []
        try:
            with blaming_the_device(self._device, f"{len(images)} images"):
                return self.launch(images).results()
        except NoRoomError as full:
            if len(images) == 1:
                raise
            structlog.get_logger("worker").warning(
                "batch_halved", images=len(images), error=str(full)
            )
        # Not inside the handler, whose traceback still holds the tensors of the whole batch.
        with blaming_the_device(self._device, f"{len(images)} images"):
            self.launcher.forget()
        torch.cuda.empty_cache()
        half = len(images) // 2
        return [*self.extract(images[:half]), *self.extract(images[half:])]

    def launch(self, images: Sequence[DecodedImage]) -> Launched:
        """Hand all of the work out and return; the next batch may be launched meanwhile.

        Errors of torch come out as they are, here and in `results`.
        """
        seen = {
            i: self._threads.submit(arrival, image)
            for i, image in enumerate(images)
            if not image.facts.lossy
        }
        known = {
            i: self._threads.submit(_seen_and_told, image)
            for i, image in enumerate(images)
            if image.facts.lossy
        }
        # Of these no thread has anything to say of what is read.
        flights = [
            self._flight(
                "lossy", [(i, (file_codec(images[i].facts),), images[i].regions) for i in known]
            )
        ]
        found: Mapping[Group, list[tuple[int, tuple[Codec, ...], Regions]]] = {
            group: [] for group in GROUPS
        }
        for i, waiting in seen.items():
            one = waiting.result()
            found[group_of(one.codec)].append((i, readings_of(one.codec), one.regions))
            known[i] = self._threads.submit(told, images[i], one)
        flights += [self._flight(group, own) for group, own in found.items()]
        return Launched(
            self._bundle,
            self.launcher,
            [flight for flight in flights if flight is not None],
            [known[i] for i in range(len(images))],
        )

    def self_test(self) -> None:
        """Compute the golden fingerprints and compare; StopError where this machine differs.

        And drawn pictures, by the device and by the compiled loops; as often as it takes for the
        device's work to be captured and replayed. Raises RetryError where the device failed.
        """
        pictures, _ = golden_arrays(self._bundle)
        for picture in pictures:
            _seen_and_told(as_decoded(picture))
        with blaming_the_device(self._device, f"{len(pictures)} images"):
            for _ in range(self.launcher.runs_to_replay):
                check_golden(
                    self._bundle,
                    {codec: self._vectors(codec, [(own,) for own in pictures])
                     for group in GROUPS for codec in codecs_of(group)},
                )  # fmt: skip
                for group in GROUPS:
                    self._check_drawn(codecs_of(group)[0])

    def _check_drawn(self, codec: Codec) -> None:
        own = self._bundle.maps[codec]
        drawn = [(_drawn(height, width),) for height, width in _DRAWN]
        statistics = np.stack([block_statistics(regions, own.blocks) for regions in drawn])
        expected = own.fingerprint(own.standard(statistics))
        worst = float(np.abs(self._vectors(codec, drawn) - expected).max())
        if not worst <= AGREEMENT:
            raise StopError(
                f"self-test of {self.where}: fingerprints differ by {worst:.3g} from those of the"
                f" compiled loops, at most {AGREEMENT:g} is allowed; this device computes other"
                " fingerprints than were calibrated, so no verdict would hold: try"
                " LATENTPRINT_EXTRACT__DEVICE=cpu"
            )

    def _vectors(self, codec: Codec, pictures: Sequence[Regions]) -> Floats:
        """Fingerprints (N, D) of pictures as if their files were of this codec."""
        flight = self._flight(
            group_of(codec), [(i, (codec,), regions) for i, regions in enumerate(pictures)]
        )
        self.launcher.wait()
        assert flight is not None, "there are pictures"
        return np.stack([one.vector for (one,) in _readings(flight)])

    def _flight(
        self, group: Group, pictures: Sequence[tuple[int, tuple[Codec, ...], Regions]]
    ) -> _Flight | None:
        """All of the device's work for pictures of one group: places, codecs read, regions."""
        if not pictures:
            return None
        maps = self._maps[group]
        count = max(_FEWEST_PLACES, power_of_two(len(pictures)))
        places, codecs, regions = zip(*pictures, strict=True)
        with self.launcher.stream():
            sums = torch.zeros(
                (count, sums_size(maps.blocks)), dtype=torch.float64, device=self._device
            )
            for batch in batches(regions, pinned=self._device.type == "cuda"):
                work = partial(_sums, maps.blocks, batch.shape.thinned, count)
                key = (group, batch.shape, len(batch.facts), count)
                # What `run` gives holds until anything else is run: so it is read at once, here by
                # an operation behind it on the stream, below by copies.
                (own,) = self.launcher.run(key, work, (batch.pixels, batch.facts))
                sums = sums + own
            rows = torch.zeros((count, len(codecs[0])), dtype=torch.int64)
            rows[: len(codecs)] = torch.tensor(
                [[maps.codecs.index(codec) for codec in own] for own in codecs]
            )
            if self._device.type == "cuda":
                rows = rows.pin_memory()
            standard, vectors = self.launcher.run(
                (group, *rows.shape), maps.fingerprints, (sums, rows)
            )
            kept = len(codecs)
            return _Flight(
                places,
                codecs,
                self.launcher.fetch(standard[:kept]),
                self.launcher.fetch(vectors[:kept]),
            )


def _sums(
    blocks: Sequence[str],
    thinned: bool,
    pictures: int,
    pixels: torch.Tensor,
    facts: torch.Tensor,
) -> tuple[torch.Tensor]:
    sums = region_sums(pixels, facts[:, :2], blocks, thinned=thinned)
    return (pooled(sums, facts[:, 2], pictures),)


def _readings(flight: _Flight) -> list[tuple[Reading, ...]]:
    """Of each picture, in arrays of its own: the copies' memory is used again."""
    standard: Floats = flight.standard.numpy().copy()
    vectors: Floats = flight.vectors.numpy().copy()
    return [
        tuple(Reading(codec, vectors[row, k], standard[row, k]) for k, codec in enumerate(codecs))
        for row, codecs in enumerate(flight.codecs)
    ]


def _seen_and_told(image: DecodedImage) -> Told:
    return told(image, arrival(image))


def _drawn(height: int, width: int) -> NDArray[np.uint8]:
    """A picture (3, H, W): a slope, with noise that differs from pixel to pixel and with colour."""
    numbers = np.random.default_rng(height)
    slope = np.linspace(20, 230, width) + np.linspace(-15, 15, height)[:, None]
    noise = numbers.normal(0, 3, (3, height, width)) + numbers.normal(0, 3, (height, width))
    return (slope + noise).clip(0, 255).astype(np.uint8)

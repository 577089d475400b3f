"""Decode, extract and match, each alone, of synthetic JPEGs; and what the host does besides."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from PIL import Image

from benchmarks.blocks import encoded, picture
from benchmarks.decoder import processor_s
from benchmarks.pipeline import match_rate, rate
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.decoder.pool import DecoderPool
from worker.extractor.arrival import arrival
from worker.extractor.bundle import Bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint
from worker.extractor.nuisance import nuisance
from worker.extractor.on_device.extractor import DeviceExtractor
from worker.extractor.on_device.replay import Work

_DIFFERENT = 32
"""So many files are drawn; the others are the same again."""


def drawn(images: int, side: int) -> list[bytes]:
    """JPEGs of quality 90."""
    few = [
        encoded(Image.fromarray(picture(side, seed)), "JPEG")
        for seed in range(min(images, _DIFFERENT))
    ]
    return [few[i % len(few)] for i in range(images)]


def decode(
    files: Sequence[bytes], limits: DecodeLimits, children: int
) -> tuple[list[DecodedImage], dict[str, float]]:
    """All files by so many children; rate, and processor time an image, theirs and ours.

    The processor time of the children's start is measured apart and taken off.
    """
    before = processor_s()
    with DecoderPool(limits, children) as pool:
        pool.decode(files[0])
    start_s = processor_s() - before
    before = processor_s()
    with DecoderPool(limits, children) as pool, ThreadPoolExecutor(children) as threads:
        pool.decode(files[0])
        images: list[DecodedImage] = []
        per_s = rate(len(files), lambda: images.extend(threads.map(pool.decode, files)))
    spent = (processor_s() - before - start_s) / len(files)
    return images, {"children": children, "per_s": per_s, "processor_ms": round(1000 * spent, 2)}


def extract(
    extractor: DeviceExtractor, images: Sequence[DecodedImage], batch: int
) -> dict[str, float]:
    """Images a second in batches: one after the other, and each launched before the last is there.

    `host_ms` is what the calling thread spends on an image: laying out, launching, handing over.
    """
    batches = [images[start : start + batch] for start in range(0, len(images), batch)]
    for _ in range(extractor.launcher.runs_to_replay):
        extractor.extract(batches[0])
    per_s = rate(len(images), lambda: [extractor.extract(own) for own in batches])
    ahead_per_s = rate(len(images), lambda: _ahead(extractor, batches))
    return {
        "batch": batch,
        "per_s": per_s,
        "launched_ahead_per_s": ahead_per_s,
        "host_ms": round(_host_ms(extractor, batches[0]), 3),
    }


def match(bundle: Bundle, extractor: DeviceExtractor, images: Sequence[DecodedImage]) -> float:
    """Images a second of the matcher, against the zoo, in a batch of these."""
    found = extractor.extract(images)
    return match_rate(bundle, [one for one in found if isinstance(one, ImageFingerprint)], 20)


def on_the_processor(
    bundle: Bundle, image: DecodedImage, lossless: DecodedImage, rounds: int
) -> dict[str, float]:
    """Processor time an image in ms, one thread, least of some rounds.

    What stays on the processor beside a card, and the same work done without one: by the compiled
    loops, and by this room's operations on torch's CPU device.
    """
    torch.set_num_threads(1)
    loops, operations = BlockExtractor(bundle), DeviceExtractor(bundle, torch.device("cpu"))
    seen = arrival(image)
    parts: dict[str, Callable[[], object]] = {
        "lossy_beside_a_card": lambda: (arrival(image), nuisance(seen.planes, seen.facts)),
        "lossless_beside_a_card": lambda: (
            arrival(lossless),
            nuisance(seen.planes, lossless.facts),
        ),
        "loops": lambda: loops.extract([image]),
        "operations": lambda: operations.extract([image]),
    }
    least: dict[str, float] = {}
    for part in parts.values():
        part()
    for _ in range(rounds):
        for name, part in parts.items():
            began = time.process_time()
            part()
            spent = 1000 * (time.process_time() - began)
            least[name] = min(spent, least.get(name, spent))
    return {name: round(ms, 2) for name, ms in least.items()}


def _ahead(extractor: DeviceExtractor, batches: Sequence[Sequence[DecodedImage]]) -> None:
    under_way = None
    for own in batches:
        launched = extractor.launch(own)
        if under_way is not None:
            under_way.results()
        under_way = launched
    if under_way is not None:
        under_way.results()


def _host_ms(extractor: DeviceExtractor, images: Sequence[DecodedImage]) -> float:
    """Of the calling thread, an image; on torch's CPU device without what the device would do."""
    computed = 0.0
    run = extractor.launcher.run

    def timed(key: Any, work: Work, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        nonlocal computed
        began = time.thread_time()
        found = run(key, work, inputs)
        computed += time.thread_time() - began
        return found

    if not extractor.launcher.is_card:
        extractor.launcher.run = timed  # type: ignore[method-assign]
    try:
        began = time.thread_time()
        extractor.extract(images)
        spent = time.thread_time() - began
    finally:
        extractor.launcher.run = run  # type: ignore[method-assign]
    return 1000 * (spent - computed) / len(images)

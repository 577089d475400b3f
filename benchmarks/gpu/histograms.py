"""Ways to count codes on a device, timed beside one another, so that a card can say which serves.

All give the same counts. `rows` is what the worker does; which of them is best on a card had not
been measured when this was written. The codes are drawn as those of
photographs are: most of them one.
"""

import time
from collections.abc import Callable

import torch

from worker.extractor.blocks.residual_symbols import CODES, LEVELS
from worker.extractor.on_device.symbols import count_triples

_CODES = LEVELS**3
_MIDDLE = _CODES // 2
_MAPS = 162  # of a picture's Y, Cb and Cr
Way = Callable[[torch.Tensor], torch.Tensor]


def by_rows(codes: torch.Tensor) -> torch.Tensor:
    """Rows of a table added up, as symbols.count_triples does."""
    return count_triples(codes.clone())


def by_comparing(codes: torch.Tensor) -> torch.Tensor:
    """Each code compared with all places."""
    sizes = (codes - _MIDDLE).abs()
    counts = [(sizes == _MIDDLE - k).sum(dim=1) for k in range(CODES)]
    return torch.stack(counts, dim=1).float()


def by_histogram(codes: torch.Tensor) -> torch.Tensor:
    """One histogram a picture of all of its maps, which fits a multiprocessor's own memory."""
    maps = torch.arange(_MAPS, device=codes.device)[:, None] * _CODES
    found = []
    for start in range(0, len(codes), _MAPS):
        own = codes[start : start + _MAPS].to(torch.float32) + maps[: len(codes) - start]
        own += 0.5  # the middle of its bin, so that rounding moves none to the next
        found.append(torch.histc(own, _MAPS * _CODES, 0, _MAPS * _CODES))
    return _folded(torch.cat(found).view(-1, _CODES)[: len(codes)])


def by_adding(codes: torch.Tensor) -> torch.Tensor:
    """One added to each place's count, by all threads at once."""
    counts = torch.zeros((len(codes), _CODES), dtype=torch.int32, device=codes.device)
    ones = torch.ones((1, 1), dtype=torch.int32, device=codes.device).expand(codes.shape)
    counts.scatter_add_(1, codes.to(torch.int64), ones)
    return _folded(counts.float())


WAYS: dict[str, Way] = {
    "rows": by_rows,
    "comparing": by_comparing,
    "histogram": by_histogram,
    "adding": by_adding,
}


def drawn(pictures: int, places: int, device: torch.device) -> torch.Tensor:
    """Codes (pictures * 162, places) float16 of symbols that are mostly the middle one."""
    symbols = torch.randn((3, pictures * _MAPS, places), generator=torch.Generator().manual_seed(0))
    symbols = (symbols * 0.7).round_().clamp_(-2, 2) + 2
    codes = (symbols[0] * LEVELS + symbols[1]) * LEVELS + symbols[2]
    return codes.to(device, torch.float16)


def timed(device: torch.device, pictures: int, places: int, rounds: int) -> dict[str, float]:
    """Microseconds a picture, each way; the least of some rounds."""
    codes = drawn(pictures, places, device)
    least: dict[str, float] = {}
    with torch.inference_mode():
        for _ in range(rounds + 1):  # the first makes constants
            for name, way in WAYS.items():
                _wait(device)
                began = time.perf_counter()
                way(codes)
                _wait(device)
                spent = 1e6 * (time.perf_counter() - began) / pictures
                least[name] = min(spent, least.get(name, spent))
    return {name: round(spent, 1) for name, spent in least.items()}


def _folded(counts: torch.Tensor) -> torch.Tensor:
    """(A, 125) to (A, 63): a code and its negative together."""
    both = counts + counts.flip(1)
    both[:, _MIDDLE] = counts[:, _MIDDLE]
    return both[:, :CODES]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

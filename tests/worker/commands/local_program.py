"""`scan` and `register` run in this process, on a tiny bundle, with one decoder child."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import structlog
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from tests.worker.extractor.tiny_bundle import TinyBundle, made_png
from worker.commands import local_files


def varied_png(generator: str, number: int, side: int = 64) -> bytes:
    """As made_png, on a scene of its own: the tiny bundle's pictures are much alike."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    scene = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    made = np.asarray(Image.open(io.BytesIO(made_png(generator, number, side))), dtype=np.float64)
    mixed = made + 0.4 * (np.asarray(scene, dtype=np.float64) - 128)
    out = io.BytesIO()
    Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def run_local(bundle: TinyBundle, *arguments: str) -> Result:
    """The command's exit code, stdout and stderr; logs stay as they were."""
    app = typer.Typer()
    local_files.contribute(app)
    with in_local_environment(bundle) as environment:
        return CliRunner().invoke(app, list(arguments), env=environment)


@contextmanager
def in_local_environment(bundle: TinyBundle) -> Iterator[dict[str, str]]:
    """What the environment says of a tiny bundle and one decoder; logs stay as they were."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield {
            "LATENTPRINT_STATE": "/nonexistent/services.json",
            "LATENTPRINT_EXTRACT__BUNDLE": str(bundle.path),
            "LATENTPRINT_EXTRACT__DEVICE": "cpu",
            "LATENTPRINT_DECODE__PROCESSES": "1",
        }
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()

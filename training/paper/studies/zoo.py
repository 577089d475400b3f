"""The generators: trained where they are missing, drawn, and their quality.

Quality is the Frechet distance between images of a generator and the photographs that it was
trained on, in features that stand in for Inception's (`reference_features`): smaller is better. It
is no FID and compares models of this project only. The floor is what as many photographs that no
generator saw come to. Beside it stands the share of authentic images (`authenticity`), again with
that of unseen photographs.
"""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.lock import locked_when_free
from training.data.manifest import Split
from training.paper.images import SetUp, images_config
from training.paper.studies import authenticity
from training.paper.studies.authenticity import authentic_share
from training.paper.studies.frechet import frechet_distance
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result
from training.paper.studies.reference_features import FEATURES, reference_features
from training.zoo.generate import generate, load_generator
from training.zoo.train_set import lock_of, pictures, train_missing
from worker.errors import StopError

COMPARED = 300
"""Images of each generator in the comparison, as many as there are held-out faces."""

_SEED = 4_000_000
_SHOWN = 10
_QUALITY = 60
"""Of WebP."""


def train_zoo(lab: Lab, setup: SetUp) -> None:
    """Train what is missing of the generators of a set-up.

    What another process is training is waited for.
    """
    for _ in range(2):
        train_missing(setup.models, lab.manifest, lab.say, lab.place.device)
        for model in setup.models:
            if not model.weights.is_file():
                with locked_when_free(lock_of(model)):
                    pass  # the process that trained it has ended, well or not
    missing = [model.name for model in setup.models if not model.weights.is_file()]
    if missing:
        raise StopError(
            f"{', '.join(missing)} could not be trained; run `latentprint train zoo --set"
            f" {setup.which} --size {setup.size} --content {setup.content}` and read its message"
        )


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """The quality of every generator, and a sheet of samples."""
    config = {
        "images": images_config(setup),
        "compared": [COMPARED, _SEED],
        "features": FEATURES,
        "compared_at": authenticity.SIDE,
    }
    return [Measurement(f"zoo/{setup.name}", config, partial(_measure, lab, setup))]


def _measure(lab: Lab, setup: SetUp) -> Result:
    photographs = pictures(lab.manifest, setup.content, setup.side, "train")
    known = reference_features(photographs)
    held_out: tuple[Split, ...] = ("validation", "test")
    unseen = np.concatenate(
        [pictures(lab.manifest, setup.content, setup.side, split) for split in held_out]
    )
    spaced = np.linspace(0, len(unseen) - 1, min(COMPARED, len(unseen))).round().astype(int)
    result: Result = {
        "photographs": len(known),
        "floor": frechet_distance(known, reference_features(unseen[spaced])),
        "authentic": authentic_share(unseen[spaced], photographs),
        "models": {},
    }
    rows = []
    for model in setup.models:
        generator = load_generator(model.weights)
        images = generate(generator, COMPARED, _SEED)
        rows.append(images[:_SHOWN])
        result["models"][model.name] = {
            "distance": frechet_distance(known, reference_features(images)),
            "authentic": authentic_share(images, photographs),
            "parameters": sum(value.numel() for value in generator.network.parameters()),
            **{key: generator.facts.get(key) for key in ("iterations", "minutes", "date")},
        }
    draw_sheet(np.stack(rows), sheet_of(lab, setup))
    return result


def sheet_of(lab: Lab, setup: SetUp) -> Path:
    """The picture with a row of samples for each generator of a set-up, in their order."""
    return lab.figures / f"samples-{setup.name}.png"


def draw_sheet(rows: np.ndarray, path: Path) -> None:
    """uint8 (models, images, 3, R, R) as a picture, a row for each model.

    PNG, or WebP where size counts more than pixels: the file's name says which.
    """
    models, images, _, side, _ = rows.shape
    sheet = rows.transpose(0, 3, 1, 4, 2).reshape(models * side, images * side, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(sheet)).save(path, optimize=True, quality=_QUALITY)

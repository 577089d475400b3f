"""What the baselines are fitted on: the training images with flips, and smaller selections.

The network sees every training image left to right and right to left; the baselines see the real
ones so, which are the fewest.
"""

import numpy as np

from training.paper.images import LabelledImages


def with_flips(images: LabelledImages, label: int) -> LabelledImages:
    """The images, and behind those of source `label` the left-right flip of each of them.

    Labels ascend in the result, as in `load_images`.
    """
    groups = [images.of(place) for place in range(len(images.sources))]
    groups[label] = np.concatenate([groups[label], groups[label][..., ::-1]])
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return LabelledImages(np.concatenate(groups), labels, images.sources)


def some_of_each(images: LabelledImages, count: int) -> LabelledImages:
    """`count` images of every source, evenly spaced through them; all of a source that has fewer.

    Evenly, so that a source with flips behind its images gives some of both.
    """
    chosen = []
    for place in range(len(images.sources)):
        own = np.flatnonzero(images.labels == place)
        spaced = np.linspace(0, len(own) - 1, min(count, len(own))).round().astype(np.int64)
        chosen.append(own[spaced])
    places = np.concatenate(chosen)
    return LabelledImages(images.images[places], images.labels[places], images.sources)

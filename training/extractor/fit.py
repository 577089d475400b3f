"""Fitting the map from raw features to fingerprints, and the score of the real test.

The map is a linear discriminant analysis over all training sources: directions in which sources
differ most, measured against how the images of one source differ, so that the within-class
covariance of a fingerprint is near the identity. The effect of the codec is taken out first (its
mean over all sources), since attribution compares within one condition only.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import nn

from worker.extractor.networks import FingerprintNetwork

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FitRecipe:
    """`shrinkage` mixes the within-class covariance with its mean variance (0..1).

    `real_share` is the weight of real sources in the within-class covariance: they are few among
    the training sources and vary most, and a map blind to that flags unusual photos.
    `head_noise` is in within-class deviations: the head must not fit single views.
    """

    shrinkage: float = 0.4
    real_share: float = 0.5
    head_steps: int = 2000
    head_batch: int = 512
    head_learning_rate: float = 2e-3
    head_weight_decay: float = 0.1
    head_noise: float = 1.0
    seed: int = 0


def fit_projection(
    network: FingerprintNetwork,
    features: torch.Tensor,
    label: NDArray[np.int64],
    codec: tuple[str, ...],
    real: NDArray[np.bool_],
    recipe: FitRecipe,
) -> None:
    """Set `feature_mean`, `feature_scale` and `projection` of `network`.

    `features` is (N, F) raw; `label` (N,) the source of each view, `codec` its codec name and
    `real` (N,) whether the source is real.
    """
    rows = features.double().numpy()
    mean, scale = rows.mean(0), rows.std(0) + 1e-6
    standard = (rows - mean) / scale
    for name in set(codec):
        of_codec = np.array([c == name for c in codec])
        standard[of_codec] -= _balanced_mean(standard[of_codec], label[of_codec])
    _, between = scatter_matrices(standard, label)
    within_real, _ = scatter_matrices(standard[real], label[real])
    within_made, _ = scatter_matrices(standard[~real], label[~real])
    within = recipe.real_share * within_real + (1 - recipe.real_share) * within_made
    size = within.shape[0]
    within = (1 - recipe.shrinkage) * within + recipe.shrinkage * np.trace(within) / size * np.eye(
        size
    )
    dimension = network.sizes.dimension
    _, vectors = eigh(between, within, subset_by_index=[size - dimension, size - 1])
    network.feature_mean.copy_(torch.from_numpy(mean))
    network.feature_scale.copy_(torch.from_numpy(scale))
    network.projection.copy_(torch.from_numpy(vectors[:, ::-1].T.copy()))


def _balanced_mean(rows: Doubles, label: NDArray[np.int64]) -> Doubles:
    """The mean over sources of the sources' means, so that large sources do not decide it."""
    means = np.stack([rows[label == source].mean(0) for source in np.unique(label)])
    return np.asarray(means.mean(0))


def scatter_matrices(rows: Doubles, label: NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """Within-class and between-class covariance (F, F), every class weighing the same."""
    sources = np.unique(label)
    size = rows.shape[1]
    within = np.zeros((size, size))
    means = []
    for source in sources:
        own = rows[label == source]
        means.append(own.mean(0))
        centred = own - means[-1]
        within += centred.T @ centred / max(1, len(own) - 1)
    between = np.cov(np.stack(means).T, bias=True)
    return within / len(sources), between


def fit_score(
    network: FingerprintNetwork,
    vectors: torch.Tensor,
    real: NDArray[np.bool_],
    weight: NDArray[np.float64],
    recipe: FitRecipe,
) -> float:
    """Train `network.score_head` on fingerprints (N, D); returns the last running loss.

    `weight` (N,) is how often a view is drawn, so that neither class nor any source dominates.
    """
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    head = network.score_head.train()
    with torch.no_grad():
        for layer in head:
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
    optimiser = torch.optim.AdamW(
        head.parameters(), recipe.head_learning_rate, weight_decay=recipe.head_weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.head_steps)
    target = torch.from_numpy(~real).float()
    draw = torch.from_numpy(weight)
    running = 0.0
    for step in range(recipe.head_steps):
        chosen = torch.multinomial(draw, recipe.head_batch, replacement=True, generator=generator)
        noise = recipe.head_noise * torch.randn(len(chosen), vectors.shape[1], generator=generator)
        scores = network.score(vectors[chosen] + noise)
        loss = nn.functional.binary_cross_entropy_with_logits(scores, target[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        running = loss.item() if step == 0 else 0.99 * running + 0.01 * loss.item()
    head.eval()
    return running

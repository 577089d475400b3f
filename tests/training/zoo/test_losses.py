"""The losses of the four GANs, against slow and obvious loops."""

import math

import pytest
import torch
from torch import Tensor, nn

from training.zoo import cramergan, mmdgan, progan, sngan
from training.zoo.recipe import interpolate, slope_penalty

N, D = 5, 3


def vectors(seed: int) -> Tensor:
    """N random vectors of D dimensions, float64."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(N, D, generator=random, dtype=torch.float64)


def images(seed: int) -> Tensor:
    """N random images of 3x2x2 values."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(N, 3, 2, 2, generator=random)


class Embedding(nn.Module):
    """A critic that is easy to compute by hand: h(x) is the image's first D values, as a vector."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :D]


class Score(nn.Module):
    """A critic with one score: the image's first value."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, 0]


def slow_kernel(x: list[float], y: list[float]) -> float:
    """Rational quadratic mixture of two vectors."""
    distance = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    return sum((1 + distance / (2 * a)) ** -a for a in (0.2, 0.5, 1, 2, 5))


def slow_mmd_squared(x: list[list[float]], y: list[list[float]]) -> float:
    """Unbiased: pairs of a batch with itself leave out equal positions."""
    xx = [slow_kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    yy = [slow_kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    xy = [slow_kernel(a, b) for a in x for b in y]
    return sum(xx) / len(xx) + sum(yy) / len(yy) - 2 * sum(xy) / len(xy)


def length(x: list[float]) -> float:
    return math.sqrt(sum(a * a for a in x))


def minus(x: list[float], y: list[float]) -> list[float]:
    return [a - b for a, b in zip(x, y, strict=True)]


def test_the_mmd_kernel_is_the_paper_s_mixture() -> None:
    x, y = vectors(1), vectors(2)
    slow = [[slow_kernel(a, b) for b in y.tolist()] for a in x.tolist()]
    torch.testing.assert_close(mmdgan.kernel(x, y), torch.tensor(slow, dtype=torch.float64))


def test_mmd_squared_is_the_unbiased_estimate() -> None:
    x, y = vectors(3), vectors(4) + 1
    assert mmdgan.mmd_squared(x, y).item() == pytest.approx(
        slow_mmd_squared(x.tolist(), y.tolist())
    )


def test_mmd_critic_and_generator_pull_in_opposite_directions() -> None:
    real, fake = images(5), images(6)
    critic = mmdgan.critic_loss(Embedding(), real, fake)
    assert critic.item() == pytest.approx(-mmdgan.generator_loss(Embedding(), real, fake).item())


def test_the_cramer_losses_follow_algorithm_1() -> None:
    real, fake = images(7), images(8)
    reals = real.flatten(1)[:, :D].tolist()
    fakes = fake.flatten(1)[:, :D].tolist()
    energy, surrogate = 0.0, 0.0
    for i in range(N):
        r, g, other = reals[i], fakes[i], fakes[i - 1]
        energy += (length(minus(r, g)) + length(minus(r, other)) - length(minus(g, other))) / N
        f_real = length(minus(r, other)) - length(r)
        f_fake = length(minus(g, other)) - length(g)
        surrogate += (f_real - f_fake) / N
    generator = cramergan.generator_loss(Embedding(), real, fake).item()
    assert generator == pytest.approx(energy, rel=1e-4)
    critic = cramergan.critic_loss(Embedding(), real, fake).item()
    assert critic == pytest.approx(-surrogate, rel=1e-4)


def test_the_hinge_loss_ignores_what_is_beyond_the_margin() -> None:
    real, fake = 2 * images(9), 2 * images(10)
    slow = sum(max(0.0, 1 - r) for r in real.flatten(1)[:, 0].tolist()) / N
    slow += sum(max(0.0, 1 + f) for f in fake.flatten(1)[:, 0].tolist()) / N
    assert sngan.critic_loss(Score(), real, fake).item() == pytest.approx(slow, rel=1e-5)
    mean = sum(fake.flatten(1)[:, 0].tolist()) / N
    assert sngan.generator_loss(Score(), real, fake).item() == pytest.approx(-mean, rel=1e-5)


def test_the_wasserstein_loss_has_the_drift_term() -> None:
    real, fake = images(11), images(12)
    r, f = real.flatten(1)[:, 0].tolist(), fake.flatten(1)[:, 0].tolist()
    slow = sum(f) / N - sum(r) / N + 0.001 * sum(x * x for x in r) / N
    assert progan.critic_loss(Score(), real, fake).item() == pytest.approx(slow, rel=1e-5)


def test_the_slope_penalty_measures_the_distance_of_the_slope_from_one() -> None:
    at = images(13).requires_grad_(True)
    value = 3 * at.flatten(1)[:, 0] + 4 * at.flatten(1)[:, 1]  # its slope is 5 everywhere
    assert slope_penalty(value, at, weight=10.0).item() == pytest.approx(10 * (5 - 1) ** 2)


def test_interpolated_images_lie_between_real_and_fake() -> None:
    real, fake = images(14), images(15)
    between = interpolate(real, fake, torch.Generator().manual_seed(0))
    share = ((between - fake) / (real - fake)).detach()  # one number for each image
    assert between.requires_grad
    assert torch.all((share >= 0) & (share <= 1))
    torch.testing.assert_close(share, share[:, :1, :1, :1].expand_as(share), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("penalty", [cramergan.penalty, mmdgan.penalty, progan.penalty])
def test_penalties_reach_the_critic_s_weights(penalty: object) -> None:
    assert callable(penalty)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, D))
    single = nn.Sequential(critic, nn.Flatten(0)) if penalty is progan.penalty else critic
    if penalty is progan.penalty:
        critic[1] = nn.Linear(12, 1)
    penalty(single, images(16), images(17), torch.Generator().manual_seed(0)).backward()
    weight = critic[1].weight
    assert isinstance(weight, Tensor)
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0

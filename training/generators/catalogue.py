"""The list of all generators that can be made here and now, by role."""

from training.generators.gans import gan_generators
from training.generators.generator import Generator
from training.generators.roles import FAMILIES, Role
from training.generators.simulated import simulated_generator
from training.generators.super_resolution import network_generators
from training.generators.trained import trained_generators

MEMBERS = 24
"""Simulated generators listed of each family; any other seed can be drawn as well."""


def generators(role: Role) -> list[Generator]:
    """Every generator of a role: simulated ones, networks over photographs, the zoo's GANs, and
    what was trained without a critic.

    Networks are listed once `latentprint train data` has fetched them.

    What learns or is chosen takes "learn" alone, and leaves one family out at a time; "held_out" is
    for figures. The order is fixed: by kind, then family, then member.
    """
    found = [
        simulated_generator(family, seed)
        for family in FAMILIES["simulated"]
        for seed in range(MEMBERS)
    ]
    found += network_generators()
    found += gan_generators()
    found += trained_generators()
    return [generator for generator in found if generator.role == role]

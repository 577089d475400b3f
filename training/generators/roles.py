"""Which families are learned from and which are held out: a rule fixed before all measuring.

A family is an architecture, never a set of weights: seeds, noise levels and sizes of one
architecture are siblings and share its role. Within each kind the families are ranked by the
SHA-256 of their name; the first third, rounded up, is held out. Families that are to come are in
the list already, so that their roles are fixed before they exist.
"""

import hashlib
from typing import Literal, get_args

Role = Literal["learn", "held_out"]
Kind = Literal["simulated", "network", "gan", "trained"]

FAMILIES: dict[Kind, tuple[str, ...]] = {
    "simulated": (
        *("nearest_conv", "bilinear_conv", "bicubic_conv"),
        *("transposed_3", "transposed_4", "transposed_5"),
        *("pixel_shuffle", "zero_insertion", "fractional_resize", "antialiased"),
        *("codebook", "latent_8", "wavelet", "patches", "dithered", "denoiser"),
    ),
    "network": ("rrdb", "srvgg", "cunet", "upconv_7", "srmd", "span", "rdn"),
    "gan": ("progan", "sngan", "cramergan", "mmdgan"),
    "trained": ("vq_decoder", "ddpm", "flow"),
}
"""Every family: simulated generators, networks over photographs, the zoo's GANs, and decoders,
diffusion and flows trained here (training/likelihood)."""


def role_of(family: str) -> Role:
    """The role of a family, and so of all its members; ValueError for one that is not listed."""
    for families in FAMILIES.values():
        if family in families:
            ranked = sorted(families, key=lambda name: hashlib.sha256(name.encode()).digest())
            held_out = -(-len(families) // 3)
            return "held_out" if family in ranked[:held_out] else "learn"
    raise ValueError(f"{family!r} is no family of {', '.join(get_args(Kind))} generators")


def kind_of(family: str) -> Kind:
    """What kind of generators a family holds; ValueError for one that is not listed."""
    for kind, families in FAMILIES.items():
        if family in families:
            return kind
    raise ValueError(f"{family!r} is no family of {', '.join(get_args(Kind))} generators")

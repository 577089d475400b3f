"""Roles: whole families, by a rule that nothing measured can move."""

import hashlib
from typing import get_args

import pytest

from training.generators.roles import FAMILIES, Kind, kind_of, role_of

ALL = [family for families in FAMILIES.values() for family in families]


def test_family_names_belong_to_one_kind_each() -> None:
    assert len(set(ALL)) == len(ALL)
    assert set(FAMILIES) == set(get_args(Kind))
    assert all(kind_of(name) == kind for kind, names in FAMILIES.items() for name in names)


def test_who_is_held_out_has_not_changed() -> None:
    """Whoever changes this opens families that were to be measured on: new ones must be found."""
    held_out = {
        kind: sorted(name for name in names if role_of(name) == "held_out")
        for kind, names in FAMILIES.items()
    }
    assert held_out == {
        "simulated": [
            *("antialiased", "bilinear_conv", "dithered"),
            *("patches", "wavelet", "zero_insertion"),
        ],
        "network": ["rdn", "srvgg", "upconv_7"],
        "gan": ["cramergan", "mmdgan"],
        "trained": ["ddpm"],
    }


def test_the_first_third_by_the_hash_of_the_name_is_held_out() -> None:
    for names in FAMILIES.values():
        by_hash = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        roles = [role_of(name) for name in by_hash]
        assert roles == sorted(roles)  # "held_out" before "learn"
        assert len(names) / 3 <= roles.count("held_out") < len(names) / 3 + 1


def test_a_family_that_is_not_listed_has_no_role() -> None:
    with pytest.raises(ValueError, match="'stylegan' is no family"):
        role_of("stylegan")
    with pytest.raises(ValueError, match="'stylegan' is no family"):
        kind_of("stylegan")

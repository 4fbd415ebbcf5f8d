"""What goes wrong while a step runs is said with its code, and with the clause and line it comes from."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import taxo
from tests.compiler.agreement import PRIOR, compiled, delta, failure, noted
from tests.fidelity.nets import CLASSES, SAMPLES, batch, mlp

# What is not a number.

NANS = {
    "logits": f"perturb logits by log(u - 100) {{ {PRIOR} }}",
    "features": f"perturb features by log(x - 100) {{ {PRIOR} }}",
    "features at z": f"perturb features at z by sqrt(z - 100) {{ {PRIOR} }}",
    "loss": f"perturb loss by 1 / (loss - loss) {{ {PRIOR} }}",
    "weights": "perturb weights by log(w - 100) { direction mixed infer prior granularity corpus }",
    "an infinite loss": f"perturb loss by exp(1000 * loss + 1000) {{ {PRIOR} }}",
    "a start": (
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.1) via gradient(steps: 1, step: 1, start: log(x - 100)) }"
    ),
}


@pytest.mark.parametrize("text", NANS.values(), ids=list(NANS))
def test_a_perturbation_that_is_not_finite(text: str):
    """The name of the perturbation, and the line of its clause."""
    given = batch(dtype=torch.float32)
    found, note = noted(lambda: compiled(f"\n\n\n{text}", mlp())(*given))
    assert found.code == "T409"
    assert "is not finite" in found.message
    assert "<text>:4:1" in note


def test_inputs_that_are_not_finite():
    x, y, index = batch(dtype=torch.float32)
    x[0, 0, 0, 0] = math.nan
    found, note = noted(lambda: compiled(f"\n\nperturb logits by u {{ {PRIOR} }}", mlp())(x, y, index))
    assert (found.code, "`logits`" in found.message, "<text>:3:1" in note) == ("T409", True, True)


def test_gradients_that_are_not_finite_move_nothing():
    """A search skips the sample whose slope is none; the others are attacked."""

    class Rooted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x + (x - 0.5).sqrt())

    x, y, index = batch()
    x[1:] = 0.6 + 0.3 * x[1:]
    x[0] = 0.5
    step = compiled(
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.05) via pgd(steps: 2, step: 0.02) }",
        Rooted().double(),
    )
    assert bool(step(x, y, index).isfinite())
    d = delta(step, "d").flatten(1).abs().amax(1)
    assert float(d[0]) == 0
    assert bool((d[1:] > 0.01).all())


# Labels.


@pytest.mark.parametrize("form", ["0.5 * u", "clean.loss * (1 / C - y)", "y", "3 * (p - y) * clean.loss"])
def test_labels_off_the_simplex(form: str):
    """What the form shows is said when compiling; what it does not is looked at in every step."""
    found, note = noted(
        lambda: compiled(f"\nperturb labels by {form} {{ {PRIOR} }}", mlp())(*batch(dtype=torch.float32))
    )
    assert found.code == "T304"
    assert "<text>:2:" in note


def test_labels_that_stay_on_the_simplex_though_no_form_proves_it():
    step = compiled(f"perturb labels by (1 / C - y) * exp(-clean.loss) {{ {PRIOR} }}", mlp())
    step(*batch(dtype=torch.float32))
    assert float(delta(step, "labels").sum(1).abs().max()) < 1e-6


def test_targets_of_a_squared_error_may_leave_it():
    step = compiled(f"loss mse perturb labels by 3 * y {{ {PRIOR} }}", mlp())
    assert bool(step(*batch(dtype=torch.float32)).isfinite())


@pytest.mark.parametrize("label", [-1, CLASSES])
def test_a_label_out_of_range(label: int):
    x, y, index = batch(dtype=torch.float32)
    y[2] = label
    found = failure(lambda: compiled(f"perturb logits by u {{ {PRIOR} }}", mlp())(x, y, index))
    assert (found.code, str(label) in found.message) == ("T407", True)


# Places and widths.

KEPT = f"state s per sample = loss perturb loss by s {{ {PRIOR} }}"


@pytest.mark.parametrize("place", [-1, SAMPLES])
def test_an_index_out_of_range(place: int):
    x, y, index = batch(dtype=torch.float32)
    index[2] = place
    found = failure(lambda: compiled(KEPT, mlp())(x, y, index))
    assert (found.code, str(place) in found.message) == ("T406", True)


@pytest.mark.parametrize(
    "text",
    [
        KEPT,
        "perturb logits by v { direction positive granularity sample "
        "infer regularization minimize loss + l1(v) via joint(lr: 1) }",
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.1) via sign(step: 0.1, start: kept) }",
        "param a per sample = 0 perturb logits by a * u { direction mixed granularity sample } "
        "infer regularization over a minimize loss + a * a via joint(lr: 1)",
        f"perturb loss by index / N {{ {PRIOR} }}",
    ],
)
def test_an_index_that_is_missing(text: str):
    x, y, _ = batch(dtype=torch.float32)
    found = failure(lambda: compiled(text, mlp())(x, y))
    assert (found.code, "index" in found.message) == ("T406", True)
    missing = failure(lambda: compiled(text, mlp(), samples=None))
    assert (missing.code, missing.span is not None) == ("T401", True)


@pytest.mark.parametrize("outputs", [CLASSES - 1, CLASSES + 1])
def test_a_model_of_another_width(outputs: int):
    def run() -> object:
        return compiled(f"perturb logits by u {{ {PRIOR} }}", mlp(outputs))(*batch(dtype=torch.float32))

    found = failure(run)
    assert (found.code, found.message) == ("T405", f"the model returned [8, {outputs}], not [8, {CLASSES}]")


def test_more_outputs_than_classes_by_asking_for_them():
    text = f"needs outputs(C + 1) perturb logits by u {{ {PRIOR} }}"
    assert compiled(text, mlp(CLASSES + 1))(*batch(dtype=torch.float32)).dim() == 0
    assert failure(lambda: compiled(text, mlp(CLASSES))(*batch(dtype=torch.float32))).code == "T405"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"needs teacher perturb logits by teacher.u {{ {PRIOR} }}", "teacher"),
        (f"needs prior perturb logits by prior {{ {PRIOR} }}", "prior"),
        (
            f'needs corruption("blur", 2) perturb features by corrupted - x {{ {PRIOR} }}',
            "corruption",
        ),
    ],
)
def test_what_is_needed_and_was_not_given(text: str, name: str):
    found = failure(lambda: compiled(text, mlp()))
    assert (found.code, f"`{name}`" in found.message, found.span is not None) == ("T401", True, True)
    assert f"{name}=" in (found.help or "")


def test_a_learning_rate_without_an_optimizer():
    step = compiled(f"\nperturb logits by lr * u {{ {PRIOR} }}", mlp())
    found, note = noted(lambda: step(*batch(dtype=torch.float32)))
    assert (found.code, "attach" in (found.help or ""), "<text>:2:1" in note) == ("T401", True, True)


def test_the_file_and_line_of_a_clause(tmp_path: Path):
    path = tmp_path / "mine.taxo"
    path.write_text(
        f"method mine\n\nperturb logits by u {{ {PRIOR} }}\nperturb loss by log(-loss) {{ {PRIOR} }}\n"
    )
    step = taxo.compile(path, mlp(), classes=CLASSES)
    found, note = noted(lambda: step(*batch(dtype=torch.float32)))
    assert found.code == "T409"
    assert f"{path}:4:1" in note


def test_a_failure_of_the_model_in_a_search_names_the_search():
    class Narrow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp()

        def forward(self, x: Tensor) -> Tensor:
            if x.requires_grad:
                raise ZeroDivisionError("under attack")
            return self.net(x)

    step = compiled(
        "\nperturb logits by u { " + PRIOR + " }\n"
        "perturb features by d { direction negative granularity sample infer adversarial maximize loss "
        "within linf(0.1) via pgd(steps: 1, step: 0.1) }",
        Narrow(),
    )
    with pytest.raises(ZeroDivisionError, match="under attack") as caught:
        step(*batch(dtype=torch.float32))
    (note,) = caught.value.__notes__
    assert "<text>:3:1" in note

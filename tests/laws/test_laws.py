"""The laws that every shipped method keeps, whatever it perturbs."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.runtime.step import Step
from taxo.variants import variant
from tests.fidelity.nets import CLASSES, COUNTS, SAMPLES, conv, descend, mlp, weights
from tests.fidelity.nets import batch as images

SHIPPED = tuple(taxo.methods())
VARIANTS = (
    "damp(parts: 4)",
    'damp(sites: "*.weight")',
    "label_smoothing(lam: 0.4)",
    "logpert(lam: 1, eta: 0.8)",
    "mixpert(clean_share: 40%)",
    "mixpert(eps: 8/255)",
    "mixpert(eps: 8/255, pro: 0%)",
    "mixpert(eps: 8/255, pro: 45%)",
    "mixpert(eps: 8/255, clean_share: 40%)",
    "mixpert(eta: 0, eps: 8/255, clean_share: 40%)",
    "pgd_at(start: zero, steps: 3)",
    "sam(rho: 0.6)",
)
ROWS = 20  # 15% and 45% of it are whole numbers of samples
each = pytest.mark.parametrize("spec", [*SHIPPED, *VARIANTS])
Numbers = list[Tensor]


def batch(number: int) -> tuple[Tensor, Tensor, Tensor]:
    return images(ROWS, seed=number, dtype=torch.float32)


def given(seed: int = 5) -> dict[str, Any]:
    """What any method may need."""
    return {"classes": CLASSES, "samples": SAMPLES, "class_counts": COUNTS, "seed": seed}


def compiled(spec: str | taxo.Method, model: nn.Module | None = None, seed: int = 5) -> Step:
    return taxo.compile(spec, model or conv(), **given(seed))


def train(step: Step, numbers: range = range(3)) -> Numbers:
    """Some steps of gradient descent: the loss, the losses and the gradients of each."""
    found: Numbers = []
    for number in numbers:
        loss = step(*batch(number))
        slopes = torch.autograd.grad(loss, weights(step.model))
        descend(step.model, slopes)
        found += [loss.detach(), step.losses, *slopes]
    return found


def equal(found: Numbers, expected: Numbers) -> bool:
    """Bit for bit."""
    return len(found) == len(expected) and all(
        torch.equal(a, b) for a, b in zip(found, expected, strict=True)
    )


# Null: at the point that its file names, a method is plain training.


def at_null(spec: str) -> taxo.Method:
    method = taxo.load(spec)
    return variant(method, {setting.name.text: setting.value for setting in method.null})


def null_points() -> Iterator[str]:
    """The methods with a null point, but for variants that cut the batch: their norms see other batches."""
    for spec in (*SHIPPED, *VARIANTS):
        if taxo.load(spec).null and compiled(spec).parts == 1:
            yield spec


@pytest.mark.parametrize("spec", list(null_points()))
@pytest.mark.parametrize("net", [conv, mlp])
def test_null_is_plain(spec: str, net: Callable[[], nn.Module]):
    (plain,) = (name for name in SHIPPED if not list(taxo.load(name).perturbations()))
    assert equal(train(compiled(at_null(spec), net())), train(compiled(plain, net())))


@pytest.mark.parametrize("spec", list(null_points()))
def test_null_runs_the_program_of_plain(spec: str):
    step, plain = compiled(at_null(spec)), compiled("plain")
    assert body(step) == body(plain)
    assert step.plan == plain.plan
    assert step.deltas == {}


def body(step: Step) -> str:
    """What the class of a program does, and what is imported for it."""
    lines = step.source.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    def "))
    imports = [line for line in lines if line.startswith(("import", "from"))]
    return "\n".join([*imports, *lines[start:]])


@pytest.mark.parametrize("spec", SHIPPED)
def test_a_method_that_perturbs_names_its_null_point(spec: str):
    method = taxo.load(spec)
    assert bool(method.null) == bool(list(method.perturbations()))


# Text, JSON and printed program.


@each
def test_text_is_json(spec: str):
    method = taxo.load(spec)
    again = taxo.Method.from_json(method.to_json())
    assert again == method
    assert equal(train(compiled(again)), train(compiled(method)))


@each
def test_canonical_text_is_the_method(spec: str):
    method = taxo.load(spec)
    again = taxo.parse(str(method))
    assert str(again) == str(method)
    assert equal(train(compiled(again)), train(compiled(method)))


@each
def test_emitted_is_compiled(spec: str):
    step = compiled(spec)
    names: dict[str, object] = {"__name__": "printed"}
    exec(step.source, names)
    (program,) = (kind for kind in names.values() if isinstance(kind, type) and kind.__module__ == "printed")
    printed = program(conv(), **given())
    assert isinstance(printed, Step)
    assert equal(train(printed), train(step))


@each
def test_the_same_seed_gives_the_same_steps(spec: str):
    assert equal(train(compiled(spec)), train(compiled(spec)))


@each
def test_a_step_leaves_torchs_own_generator_alone(spec: str):
    step = compiled(spec)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    step(*batch(0)).backward()
    assert torch.equal(torch.get_rng_state(), before)


# Resume.


@each
@pytest.mark.parametrize("stop", [0, 1, 2])
def test_resumed_is_uninterrupted(spec: str, stop: int):
    whole, first = compiled(spec), compiled(spec)
    expected = train(whole, range(4))
    found = train(first, range(stop))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = compiled(spec, conv(seed=9))
    train(second, range(7, 8))  # has lived before
    second.load_state_dict(torch.load(file, weights_only=True))
    found += train(second, range(stop, 4))
    assert equal(found, expected)
    assert equal(list(tensors(second)), list(tensors(whole)))


def tensors(step: Step) -> Iterator[Tensor]:
    yield from (value for value in step.state_dict().values() if isinstance(value, Tensor))


# Clean exit.


def footprint(step: Step) -> list[object]:
    """Everything of a step that a forward must leave as it was."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    found: list[object] = []
    for name, module in step.named_modules():
        if module is step:
            continue
        lengths = [len(getattr(module, hook)) for hook in hooks]
        settings = [getattr(module, word, None) for word in ("track_running_stats", "momentum")]
        found.append((name, module.training, lengths, settings, sorted(vars(module))))
    for name, weight in step.named_parameters():
        found.append((name, weight.grad is None, weight.requires_grad))
    return found


def with_a_frozen_norm() -> nn.Module:
    """The net of the tests with its second batch norm in evaluation mode, as fine-tuning has it."""
    model = conv()
    model.get_submodule("4").eval()
    return model


@each
@pytest.mark.parametrize("making", [conv, with_a_frozen_norm])
@pytest.mark.parametrize("mode", [True, False])
def test_a_step_leaves_nothing_behind(spec: str, making: Callable[[], nn.Module], mode: bool):
    step = compiled(spec, making())
    if not mode:
        step.eval()
    before, values = footprint(step), [weight.detach().clone() for weight in step.parameters()]
    step(*batch(0))
    assert footprint(step) == before
    assert equal([weight.detach() for weight in step.parameters()], values)


class Failure(Exception):
    pass


@each
def test_a_failure_in_any_pass_leaves_nothing_behind(spec: str):
    whole = compiled(spec)
    with counted(whole.model) as passes:
        whole(*batch(0))
    total = len(passes.forward_rows)
    for number in random.Random(0).sample(range(total), min(total, 4)):
        model = conv()
        step, inner = compiled(spec, model), model.get_submodule("7")
        before, values = footprint(step), [weight.detach().clone() for weight in step.parameters()]
        handle = inner.register_forward_pre_hook(failing_at(number))
        with pytest.raises(Failure):
            step(*batch(0))
        handle.remove()
        assert footprint(step) == before
        assert equal([weight.detach() for weight in step.parameters()], values)
        assert bool(step(*batch(1)).isfinite())


def failing_at(number: int) -> Callable[..., None]:
    left = [number]

    def hook(*_: object) -> None:
        if left[0] == 0:
            raise Failure
        left[0] -= 1

    return hook


# Cost.


@dataclass
class Passes:
    """The rows of every forward, in order, with the mode of its norms, and those of every backward."""

    forward_rows: list[int]
    norms: list[str]
    backward_rows: list[int]


@contextmanager
def counted(model: nn.Module) -> Iterator[Passes]:
    passes = Passes([], [], [])
    norm = next((module for module in model.modules() if isinstance(module, nn.BatchNorm2d)), None)

    def leave(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        passes.forward_rows.append(len(inputs[0]))
        if norm is not None:
            passes.norms.append(
                "frozen" if not norm.training else "update" if norm.track_running_stats else "batch"
            )
        if output.requires_grad:
            output.register_hook(lambda slope: passes.backward_rows.append(len(slope)))

    handle = model.register_forward_hook(leave, prepend=True)
    try:
        yield passes
    finally:
        handle.remove()


@each
@pytest.mark.parametrize("net", [conv, mlp])
def test_the_plan_says_what_a_step_costs(spec: str, net: Callable[[], nn.Module]):
    step = compiled(spec, net())
    with counted(step.model) as passes:
        step(*batch(0)).backward()
    assert sum(passes.forward_rows) / ROWS == pytest.approx(step.plan.forwards)
    assert sum(passes.backward_rows) / ROWS == pytest.approx(step.plan.backwards)


@each
def test_passes_run_in_the_plans_order_with_its_norms(spec: str):
    step = compiled(spec)
    with counted(step.model) as passes:
        step(*batch(0))
    planned = [(one.norm, round(one.share * ROWS)) for one in step.plan.passes for _ in range(one.count)]
    parts = [(norm, rows // step.parts) for norm, rows in planned] * step.parts
    assert list(zip(passes.norms, passes.forward_rows, strict=True)) == parts


@pytest.mark.parametrize(
    ("spec", "forwards", "backwards"),
    [
        ("plain", 1, 1),
        ("label_smoothing", 1, 1),
        ("logit_adjustment", 1, 1),
        ("polyloss", 1, 1),
        ("logpert", 1, 1),
        ("damp", 1, 1),
        ("damp(parts: 4)", 1, 1),
        ("mixpert", 1, 1),
        ("mixpert(pro: 45%, clean_share: 40%)", 1, 1),
        ("mixpert(eps: 8/255)", 2 + 5 * 0.85, 1 + 5 * 0.85),
        ("mixpert(eps: 8/255, pro: 45%)", 2 + 5 * 0.55, 1 + 5 * 0.55),
        ("mixpert(eps: 8/255, pro: 0%)", 6, 6),
        ("mixpert(eps: 8/255, clean_share: 40%)", 2 + 5 * 0.85, 2 + 5 * 0.85),
        ("pgd_at", 11, 11),
        ("pgd_at(steps: 3)", 4, 4),
        ("sam", 2, 2),
    ],
)
def test_named_costs(spec: str, forwards: float, backwards: float):
    plan = compiled(spec).plan
    assert (plan.forwards, plan.backwards) == (pytest.approx(forwards), pytest.approx(backwards))


@each
def test_running_statistics_are_updated_once_a_part(spec: str):
    step = compiled(spec)
    norm = step.model.get_submodule("1")
    assert isinstance(norm, nn.BatchNorm2d)
    for number in (1, 2):
        step(*batch(number)).backward()
        assert norm.num_batches_tracked is not None
        assert int(norm.num_batches_tracked) == number * step.parts


@each
def test_running_statistics_start_as_those_of_clean_or_perturbed_images(spec: str):
    """The first norm's mean moves by a tenth of what enters it: nearly that of the clean images."""
    step, twin = compiled(spec), conv()
    step(*batch(0))
    for part in batch(0)[0].tensor_split(step.parts):
        twin(part)
    found, expected = (model.get_submodule("1").get_buffer("running_mean") for model in (step.model, twin))
    assert float((found - expected).abs().max()) < 0.1
    assert float(found.abs().max()) > 0


# Evaluation.


@each
def test_a_loss_can_be_had_without_gradients(spec: str):
    """The validation loss of a robust method, attack included."""
    step, twin = compiled(spec).eval(), compiled(spec).eval()
    with torch.no_grad():
        loss = step(*batch(0))
    assert torch.equal(loss, twin(*batch(0)).detach())


@each
def test_predict_gives_the_model_back_as_it_was(spec: str):
    step = compiled(spec, with_a_frozen_norm())
    before, values = footprint(step), [value.clone() for value in tensors(step)]
    logits = step.predict(batch(0)[0])
    assert footprint(step) == before
    assert equal(list(tensors(step)), values)
    assert not logits.requires_grad
    assert torch.equal(logits, deepcopy(step.model).eval()(batch(0)[0]))

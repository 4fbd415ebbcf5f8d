"""Each law is broken by a step that breaks it, and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.laws import written
from taxo.laws.judge import judged, toy_for
from taxo.laws.running import STEPS, resumed
from taxo.laws.subject import Subject
from taxo.laws.verdict import Outcome, Verdict
from taxo.laws.watch import equal, train
from taxo.runtime.bind import compile_step
from taxo.runtime.step import Step
from tests.laws.specs import TORCHS_OWN


def making(mixin: type) -> Callable[..., Step]:
    """What compiles a method to a step that goes wrong in one way."""

    def make(method: taxo.Method, model: nn.Module, **given: Any) -> Step:
        step = compile_step(method, model, **given)
        step.__class__ = type("Broken", (mixin, type(step)), {})
        return step

    return make


def verdict(law: str, mixin: type, spec: str = "label_smoothing") -> Verdict:
    method = taxo.load(spec)
    return judged(law, Subject(method, toy_for(method, law), make=making(mixin)))


class Sound:
    """Nothing is wrong with it."""


class NotNull(Step):
    """It keeps something of a perturbation that has gone."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        return super().run(x, y, index) * (1 + 1e-6 * bool(list(self.method.perturbations())))


class NotAsPrinted(Step):
    """It runs another program than it prints."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        return super().run(x, y, index) * 1.000001


class Coupled(Step):
    """A sample's loss depends on its neighbours."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        losses = super().run(x, y, index)
        return losses * losses.mean()


class Forgetful(Step):
    """It counts its steps, and does not save the count."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        self.count = getattr(self, "count", 0) + 1
        return super().run(x, y, index) * (1 + 0.01 * self.count)


class LosesDraws(Step):
    """It does not save where its random numbers are."""

    def get_extra_state(self) -> Tensor:
        return torch.tensor([3]).view(torch.uint8)


class LosesTables(Step):
    """It does not save its tables."""

    def load_state_dict(self, state: Any, *rest: Any, **more: Any) -> Any:
        kept = {name: value for name, value in self.state_dict().items() if "table" in name}
        return super().load_state_dict({**state, **kept}, *rest, **more)


class LosesEpoch(Step):
    """It does not go on in the epoch in which it was saved."""

    def load_state_dict(self, state: Any, *rest: Any, **more: Any) -> Any:
        return super().load_state_dict({**state, "epoch": torch.tensor(0)}, *rest, **more)


class Eager(Step):
    """It makes one pass more than it said."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        with torch.no_grad():
            self.model(x)
        return super().run(x, y, index)


class Backward(Step):
    """It sends a gradient back once more."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        torch.autograd.grad(super().run(x, y, index).sum(), list(self.parameters()))
        with torch.no_grad():
            super().run(x, y, index)
        return super().run(x, y, index)


class OtherWay(Step):
    """It adds the opposite of what was found."""

    def add(self, name: str, value: Tensor, delta: Any, *rest: Any, **more: Any) -> Tensor:
        return super().add(name, value, -delta, *rest, **more)


class LeavesHook(Step):
    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        self.model.register_forward_hook(lambda *_: None)
        return super().run(x, y, index)


class LeavesMode(Step):
    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        losses = super().run(x, y, index)
        self.model.train(not self.model.training)
        return losses


class LeavesGradient(Step):
    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        super().run(x, y, index).sum().backward()
        return super().run(x, y, index)


class LeavesWeight(Step):
    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        with torch.no_grad():
            next(self.model.parameters()).mul_(1.001)
        return super().run(x, y, index)


class LeavesHookOnError(Step):
    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        handle = self.model.register_forward_hook(lambda *_: None)
        losses = super().run(x, y, index)
        handle.remove()
        return losses


class Swallows(Step):
    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        try:
            return super().run(x, y, index)
        except BaseException:
            return torch.zeros(len(x))


BROKEN = [
    ("null", NotNull, "label_smoothing", "off the plain loss"),
    ("emitted = compiled", NotAsPrinted, "label_smoothing", "off by"),
    ("accumulate", Coupled, "label_smoothing", "apart"),
    ("resume", Forgetful, "label_smoothing", "off by"),
    ("resume", LosesDraws, "damp", "off by"),
    ("resume", LosesTables, "logpert", "off by"),
    ("cost", Eager, "label_smoothing", "2 F + 1 B, the plan says 1 F + 1 B"),
    ("cost", Backward, "polyloss", "3 F + 2 B, the plan says 1 F + 1 B"),
    ("direction", OtherWay, "polyloss", "negative `loss`: raises the loss of 0%"),
    ("direction", OtherWay, "pgd_at", "negative `d`: raises the loss of"),
    ("clean exit", LeavesHook, "label_smoothing", "a step in training leaves the hooks of `model`"),
    ("clean exit", LeavesMode, "label_smoothing", "leaves the mode of `model"),
    ("clean exit", LeavesGradient, "label_smoothing", "leaves the gradient of"),
    ("clean exit", LeavesWeight, "label_smoothing", "leaves the value of"),
    ("clean exit", LeavesHookOnError, "label_smoothing", "an error in pass 1 of 1 leaves the hooks of"),
    ("clean exit", Swallows, "label_smoothing", "an error swallowed"),
]


@pytest.mark.parametrize(("law", "mixin", "spec", "said"), BROKEN)
def test_a_broken_step_breaks_the_law(law: str, mixin: type, spec: str, said: str):
    found = verdict(law, mixin, spec)
    assert found.outcome is Outcome.FAILS
    assert said in found.measured
    assert verdict(law, Sound, spec).outcome is Outcome.HOLDS


def test_a_run_that_goes_on_in_another_epoch_breaks_the_law():
    form = "perturb loss by progress * loss { direction negative infer prior granularity sample }"
    method = taxo.parse(f"method mine\n{form}")
    one = Subject(method, make=making(LosesEpoch))
    whole = train(one, one.step(), range(STEPS))
    assert not equal(resumed(one, 3)[0], whole)
    assert equal(resumed(Subject(method), 3)[0], whole)


def test_a_spelling_that_loses_something_breaks_its_law(monkeypatch: pytest.MonkeyPatch):
    method = taxo.load("sam")
    forgetful = method.model_copy(update={"cite": ()})
    monkeypatch.setattr(written, "rebuilt", lambda _: forgetful)
    found = judged("text = builder = JSON", Subject(method))
    assert found.fails
    assert found.measured == "read again from its builder, it is another method"


def test_a_text_out_of_form_breaks_its_law(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(written, "formatted", lambda method, text: text + "\n")
    assert judged("text = builder = JSON", Subject(taxo.load("sam"))).fails


class OtherWhenCompiled(Step):
    """It takes a compiled model for another one."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        return super().run(x, y, index) * (1.01 if self.front.compiled else 1)


@pytest.mark.slow
@TORCHS_OWN
def test_a_step_that_differs_on_compiled_models_breaks_the_law():
    found = verdict("compile", OtherWhenCompiled)
    assert found.fails
    assert "apart" in found.measured


def make_coupled(method: taxo.Method, model: nn.Module, **given: Any) -> Step:
    return making(Coupled)(method, model, **given)


@pytest.mark.slow
def test_a_step_that_couples_samples_breaks_the_law_of_ranks():
    method = taxo.load("label_smoothing")
    found = judged("ranks", Subject(method, toy_for(method, "ranks"), make=make_coupled))
    assert found.fails
    assert "apart" in found.measured


def test_an_error_of_a_step_is_a_verdict():
    class Raises(Step):
        def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
            raise ValueError("no such thing")

    found = verdict("cost", Raises)
    assert (found.outcome, found.measured) == (Outcome.FAILS, "ValueError: no such thing")


def test_what_no_toy_has_is_no_fault_of_the_method():
    method = taxo.load('damp(sites: "encoder.*")')
    found = judged("cost", Subject(method))
    assert found.outcome is Outcome.EXEMPT
    assert "no parameter is called `encoder.*`" in found.measured

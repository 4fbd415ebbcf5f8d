"""Copies and pickles of a step: they go on as it would, and share nothing with it."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch

from taxo.catalog import load
from taxo.laws.subject import Subject, toys_for
from taxo.laws.watch import HOOKS, train
from taxo.runtime.step import Step

SPECS = ("uat", "isda", "logpert", "meta_logpert", "dlb", "augmix")


def elsewhere(step: Step) -> Step:
    """A step as another process takes it out of a pickle: one that has compiled nothing."""
    content = pickle.dumps(step)
    here = sys.modules.pop(step.program.filename)
    try:
        return pickle.loads(content)
    finally:
        sys.modules[step.program.filename] = here


@pytest.mark.parametrize("copied", [deepcopy, elsewhere])
@pytest.mark.parametrize("spec", SPECS)
def test_a_copy_goes_on_alone(spec: str, copied: Callable[[Step], Step]):
    subject = Subject(load(spec), toys_for(load(spec))[-1])
    step = subject.step()
    train(subject, step, range(2))  # what the last backward brought is still to be moved
    twin = copied(step)
    before = {name: one.clone() for name, one in step.state_dict().items()}
    assert twin.source == step.source
    later = train(subject, twin, range(2, 5))
    for name, one in step.state_dict().items():
        assert torch.equal(one, before[name]), name
    assert all(map(torch.equal, later, train(subject, step, range(2, 5))))
    for name, one in step.state_dict().items():
        assert torch.equal(one, twin.state_dict()[name]), name


@pytest.mark.parametrize("spec", ["sam", "isda", "cosface", "pgd_at(steps: 2)"])
def test_a_copy_of_the_model_is_no_part_of_the_step(spec: str):
    subject = Subject(load(spec), toys_for(load(spec))[-1])
    step = subject.step()
    train(subject, step, range(2))
    average = deepcopy(step.model)
    assert not any(getattr(part, name) for part in average.modules() for name in HOOKS)
    assert not any("forward" in vars(part) for part in average.modules())
    before = deepcopy(average.state_dict())
    train(subject, step, range(2, 4))
    assert all(torch.equal(one, before[name]) for name, one in average.state_dict().items())
    x = subject.batch(9)[0]
    average.load_state_dict(step.model.state_dict())
    assert torch.equal(average.eval()(x), step.predict(x))


def test_a_step_that_cannot_be_copied_says_what_of_it():
    step = Subject(load("corruption_training")).step()
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(step)

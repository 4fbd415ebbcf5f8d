"""What checks, and asks for nothing that this version cannot run, runs: on methods that nobody wrote."""

import os
from random import Random
from typing import Any

import torch

import taxo
from taxo.catalog import library_of, whole
from taxo.compiler import compile_program, refusals, simplify
from taxo.language.check import check, errors
from tests.language.invention import method

ONCE_WRONG = (100_985, 101_681, 102_392, 103_487)  # methods whose programs once were none, or did not run
SEEDS = (*ONCE_WRONG, *range(max(1000, int(os.environ.get("TAXO_CASES", "0")))))
BATCH, CLASSES = 8, 10


class Net(torch.nn.Module):
    """A model with modules of the names that invented methods use."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layer3 = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.BatchNorm2d(2))
        self.layer4 = torch.nn.ReLU()
        self.head = torch.nn.Linear(32, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer4(self.layer3(x)).flatten(1))


def given(made: taxo.Method, outputs: int) -> dict[str, Any]:
    """Whatever a method may ask for."""
    return {
        "classes": CLASSES,
        "samples": BATCH,
        "class_counts": [4] * CLASSES,
        "teacher": Net(outputs),
        "prior": [0.1] * CLASSES,
        "corruption": lambda x, name, severity: x.flip(-1) + 0 * severity,
    }


def runs(seed: int) -> bool:
    """Whether an invented method ran; what is wrong with the model or the data is told as such."""
    made = method(Random(seed))
    if errors(check(made, library=library_of(None))) or refusals(simplify(whole(made))):
        return False
    x, y = torch.rand(BATCH, 1, 4, 4), torch.arange(BATCH) % CLASSES
    try:
        outputs = compile_program(whole(made)).outputs(CLASSES)
        step = taxo.compile(made, Net(outputs), **given(made, outputs))
        step.attach(torch.optim.SGD(step.model.parameters(), lr=0.1))
        for _ in step.epochs(2):
            views = [x] * step.wanted_views if step.wanted_views > 1 else x
            loss = step(views, y, torch.arange(BATCH))
            if loss.requires_grad:
                loss.backward()
        step.predict(x)
    except taxo.TaxoError:
        pass
    except Exception as error:
        error.add_note(f"seed {seed}:\n{made}")
        raise
    return True


def test_what_checks_runs():
    torch.manual_seed(0)
    assert sum(map(runs, SEEDS)) > len(SEEDS) / 4

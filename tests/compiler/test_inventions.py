"""What checks, and asks for nothing that this version cannot run, runs: on methods that nobody wrote."""

import os
from random import Random

import pytest
import torch

import taxo
from taxo.catalog import library_of, whole
from taxo.compiler import refusals, simplify
from taxo.language.check import check, errors
from taxo.language.errors import TaxoError
from tests.language.invention import method

# One in fourteen of those invented runs; the others ask for what comes later.
SEEDS = range(max(1000, int(os.environ.get("TAXO_CASES", "0"))))
BATCH, CLASSES = 8, 10


def runs(seed: int) -> bool:
    """Whether an invented method ran; what is wrong with the model or the data is told as such."""
    made = method(Random(seed))
    if errors(check(made, library=library_of(None))) or refusals(simplify(whole(made))):
        return False
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, CLASSES))
    x, y = torch.rand(BATCH, 1, 4, 4), torch.arange(BATCH) % CLASSES
    try:
        step = taxo.compile(made, model, classes=CLASSES, samples=BATCH, class_counts=[4] * CLASSES)
        step(x, y, torch.arange(BATCH)).backward()
    except TaxoError:
        pass
    except Exception as error:
        error.add_note(f"seed {seed}:\n{made}")
        raise
    return True


def test_what_checks_runs():
    torch.manual_seed(0)
    assert sum(map(runs, SEEDS)) > len(SEEDS) / 30


@pytest.mark.parametrize("seed", [16782])
def test_what_once_did_not_run(seed: int):
    assert runs(seed)

"""Held-out batches: their order, their place after a resume, and what is no such thing."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import taxo
from taxo.runtime.held import HeldOut
from tests.fidelity.nets import CLASSES, batch, mlp

LIKE = torch.empty(0)


def batches(count: int = 3) -> list[tuple[Tensor, Tensor]]:
    return [(torch.full((2, 1), float(number)), torch.full((2,), number)) for number in range(count)]


def taken(held: HeldOut, count: int) -> list[int]:
    return [int(held.take(LIKE)[1][0]) for _ in range(count)]


def test_batches_come_one_after_another_over_and_over():
    assert taken(HeldOut(batches()), 7) == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("stop", [0, 1, 3, 5])
def test_a_saved_place_is_gone_on_from(stop: int):
    first, second = HeldOut(batches()), HeldOut(batches())
    taken(first, stop)
    taken(second, 2)
    second.set_extra_state(first.get_extra_state())
    assert taken(second, 4) == [number % 3 for number in range(stop, stop + 4)]


def test_inputs_take_the_type_of_those_that_are_trained_on():
    held = HeldOut([(torch.ones(2, 3), torch.zeros(2).long(), torch.arange(2))])
    x, y = held.take(torch.empty(0, dtype=torch.float64))
    assert (x.dtype, y.dtype) == (torch.float64, torch.int64)
    words = HeldOut([(torch.ones(2, 3).long(), torch.zeros(2).long())])
    assert words.take(LIKE)[0].dtype == torch.int64


def test_a_loader_is_taken_and_copies_go_their_own_way():
    from copy import deepcopy

    held = HeldOut(DataLoader(TensorDataset(torch.zeros(6, 1), torch.arange(6)), batch_size=2))
    assert taken(held, 2) == [0, 2]
    twin = deepcopy(held)
    assert taken(held, 2) == taken(twin, 2) == [4, 0]


TEXT = """
method looking
needs validation
param t = 0.3
perturb logits by t * p { direction mixed granularity sample }
infer meta over t minimize loss on validation via lookahead(lr: 0.1)
"""


def failure(validation: Any) -> str:
    def trained() -> object:
        given = {} if validation is None else {"validation": validation}
        return taxo.compile(taxo.parse(TEXT), mlp(), classes=CLASSES, **given)(*batch(8, dtype=torch.float32))

    with pytest.raises(taxo.TaxoError) as caught:
        trained()
    (found,) = caught.value.diagnostics
    assert found.help
    return f"{found.code} {found.message}"


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (None, "T401 `looking` needs `validation`"),
        (iter(batches()), "T401 `validation` is a `list_iterator`"),
        (3, "T401 `validation` is a `int`"),
        ([], "T401 `validation` gives no batch"),
        ([torch.zeros(3)], "T401 a batch of `validation` is a `Tensor`"),
        ([(torch.rand(2, 1, 6, 6), torch.tensor([0, CLASSES]))], "T407 label from 0 to 5"),
    ],
)
def test_what_is_no_held_out_data(validation: Any, message: str):
    assert message in failure(validation)


def test_the_place_and_what_was_learned_are_in_the_state_of_a_step():
    held = [batch(4, seed=seed, dtype=torch.float32)[:2] for seed in (1, 2, 3)]
    steps = [
        taxo.compile(taxo.parse(TEXT), mlp(), classes=CLASSES, validation=held, seed=seed) for seed in (1, 2)
    ]
    for seed in range(2):
        steps[0](*batch(8, seed=seed, dtype=torch.float32))
    file = io.BytesIO()
    torch.save(steps[0].state_dict(), file)
    file.seek(0)
    steps[1].load_state_dict(torch.load(file, weights_only=True))
    for step in steps:
        step(*batch(8, seed=9, dtype=torch.float32))
    saved = [step.state_dict() for step in steps]
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])

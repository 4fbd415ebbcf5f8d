"""No update waits for the device: on tensors that have no content, asking for one is an error."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from taxo.ops.carry import Carry
from taxo.ops.covariance import Covariance
from taxo.ops.flow import SmoothFlow
from taxo.ops.prototypes import Prototypes
from taxo.ops.recolor import Recolor
from taxo.ops.running import Deviation, Ema, Mean
from taxo.ops.sets import Linf
from taxo.ops.states import Held, State
from taxo.ops.tables import Table

N = 50
STATES: dict[str, Callable[[], State]] = {
    "held per sample": lambda: Held("sample", N),
    "held per sample and epoch": lambda: Held("sample", N, every="epoch"),
    "mean of an epoch": lambda: Mean("category", N, every="epoch"),
    "mean of few classes": lambda: Mean("category", 3),
    "window": lambda: Deviation("category", N, last=3),
    "deviation per sample": lambda: Deviation("sample", N, every="epoch"),
    "average": lambda: Ema("corpus", 1, decay=0.5),
    "covariance": lambda: Covariance("category", N),
    "covariance of few classes": lambda: Covariance("category", 3, every="epoch"),
    "variances": lambda: Covariance("corpus", 1, diagonal=True),
    "prototypes": lambda: Prototypes("category", N, count=2, most=3),
}


@pytest.mark.parametrize("name", STATES)
def test_states(name: str):
    state = STATES[name]()
    for _ in range(2):
        values, y = torch.randn(4, 3, device="meta"), torch.randint(0, 3, (4,), device="meta")
        state.update(values, y, y, y > 0)
        assert state.rows(y).device.type == state.value.device.type == "meta"
    state.turn()
    assert {buffer.device.type for buffer in state.buffers() if buffer.numel()} == {"meta"}


@pytest.mark.parametrize("store", ["device", "half"])
@pytest.mark.parametrize("granule", ["sample", "category", "corpus", "slot"])
def test_tables(granule: str, store: str):
    values, index = torch.randn(4, 3, device="meta"), torch.randint(0, 9, (4,), device="meta")
    table = Table(granule, 9, None, values, momentum=True, store=store, start=0.5)
    rows = table.rows(index, values)
    for dense in (False, True):
        table.descend_by(rows.detach(), rows, index, values.mean(), 0.9, dense, [Linf(0.5)])
    table.keep(rows, index)
    assert table.value.device.type == rows.device.type == "meta"


def test_the_previous_batch():
    carry, x = Carry(), torch.randn(4, 3, device="meta")
    for _ in range(2):
        carry.put((x, x), torch.randint(0, 3, (4,), device="meta"))
    assert carry.get() is not None


def test_a_question_would_be_noticed():
    with pytest.raises(RuntimeError, match="meta"):
        torch.ones((), device="meta").item()


def test_structured_sets():
    x, motion = torch.rand(4, 3, 6, 5, device="meta"), torch.rand(4, 2, 6, 5, device="meta")
    flow = SmoothFlow(10, 1)
    for found in (flow.furthest([motion]), flow.project([motion])):
        assert found[0].shape == motion.shape
    assert Recolor(x, 1, 0.1).furthest([x])[0].device.type == "meta"

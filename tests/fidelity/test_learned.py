"""The table of logit offsets learned beside the weights (Y&W Eq. 53), over several steps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.runtime.step import Step
from tests.fidelity import references as paper
from tests.fidelity.nets import CLASSES, SAMPLES, batch, close, descend, mlp, weights

DENSE = """
method dense
param eta = 3
perturb logits by v {
  direction positive
  infer regularization minimize loss + 0.3 * l1(v) via joint(lr: eta, momentum: 0.8, rows: dense)
  granularity sample
}
"""


def compiled(spec: str = "logpert", model: nn.Module | None = None) -> Step:
    return taxo.compile(spec, model or mlp().double(), classes=CLASSES, samples=SAMPLES)


def rows(step: Step) -> Tensor:
    """The one table of the step."""
    (table,) = (value for name, value in step.state_dict().items() if name.endswith("value"))
    return table


def by_hand(u: Tensor, v: Tensor, y: Tensor, lam: float) -> Tensor:
    """The gradient of mean_i CE(u_i + v_i) + lam |v_i|_1 in v: (p - onehot + lam sign v) / B."""
    p = (u + v).softmax(1)
    return (p - functional.one_hot(y, u.shape[1]) + lam * v.sign()) / len(u)


def test_three_steps_with_momentum():
    model, (x, y, index) = mlp().double(), batch()
    step = compiled("logpert(lam: 0.35, eta: 3)", model)
    u = model(x).detach()
    v, velocity = torch.zeros_like(u), torch.zeros_like(u)
    for _ in range(3):
        step(x, y, index)
        velocity = 0.9 * velocity + by_hand(u, v, y, 0.35)
        v = v - 3 * velocity
        close(rows(step)[index], v)


def test_rows_outside_the_batch_rest():
    model = mlp().double()
    step = compiled("logpert", model)
    first, second = batch(seed=1), batch(seed=2)
    apart = [i for i in range(SAMPLES) if i not in first[2]]
    step(*first)
    assert bool((rows(step)[first[2]] != 0).any(1).all())
    assert bool((rows(step)[apart] == 0).all())
    before = rows(step).clone()
    step(*second)
    rest = [i for i in range(SAMPLES) if i not in second[2]]
    assert torch.equal(rows(step)[rest], before[rest])


def test_dense_momentum_drags_rows_outside_the_batch():
    """The authors' code: one parameter [N, C] under torch's SGD, whose momentum moves absent rows too."""
    model = mlp().double()
    step = taxo.compile(taxo.parse(DENSE), model, classes=CLASSES, samples=SAMPLES)
    table = nn.Parameter(torch.zeros(SAMPLES, CLASSES, dtype=torch.float64))
    optimizer = torch.optim.SGD([table], lr=3, momentum=0.8)
    for seed in (1, 2, 3):
        x, y, index = batch(seed=seed)
        step(x, y, index)
        v = table[index]
        loss = functional.cross_entropy(model(x).detach() + v, y) + 0.3 * v.abs().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        close(rows(step), table.detach())


def test_a_sample_twice_in_a_batch_counts_twice():
    """A sampler with replacement repeats samples; the gradient of the shared row is the sum of both."""
    model = mlp().double()
    step = compiled("logpert(lam: 0.3, eta: 2)", model)
    x, y, _ = batch(rows=3)
    x, y = x[[0, 1, 1]], y[[0, 1, 1]]
    step(x, y, torch.tensor([4, 9, 9]))
    slopes = by_hand(model(x).detach(), torch.zeros(3, CLASSES, dtype=torch.float64), y, 0.3)
    close(rows(step)[4], -2 * slopes[0])
    close(rows(step)[9], -2 * (slopes[1] + slopes[2]))


@pytest.mark.parametrize("attach_first", [True, False])
def test_the_rate_follows_the_schedule(attach_first: bool):
    model, twin = mlp().double(), mlp().double()
    step = compiled("logpert", model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if attach_first:
        step.attach(optimizer)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 2], gamma=0.1)
    if not attach_first:
        step.attach(optimizer)
    reference = paper.logpert(0.3, 6.0, SAMPLES, lambda number: 0.1**number)
    for number in range(3):
        x, y, index = batch(seed=number)
        optimizer.zero_grad()
        loss = step(x, y, index)
        loss.backward()
        expected, slopes = reference(twin, x, y, index)
        close(loss.detach(), expected)
        descend(twin, slopes, lr=0.1 * 0.1**number)
        optimizer.step()
        schedule.step()
    close(weights(model), weights(twin))


def test_without_an_optimizer_the_rate_stays():
    step = compiled()
    assert step.schedule == 1.0


def test_evaluation_learns_nothing_and_predicts_without_the_table():
    model = mlp().double()
    step = compiled("logpert", model)
    x, y, index = batch()
    step(x, y, index)
    learned = rows(step).clone()
    step.eval()
    step(x, y, index)
    assert torch.equal(rows(step), learned)
    torch.testing.assert_close(step.predict(x), model(x).detach())


def test_the_table_is_no_parameter():
    step = compiled()
    assert not [name for name, _ in step.named_parameters() if not name.startswith("model.")]

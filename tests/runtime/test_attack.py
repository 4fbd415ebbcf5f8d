"""A model in the mode of attacks: the same values, the same slopes, and as it was afterwards."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import cast

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.runtime.attack import AttackMode
from taxo.runtime.hooks import norms


class Block(nn.Module):
    def __init__(self, width: int = 4, affine: bool = True, bias: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1, bias=bias)
        self.norm = nn.BatchNorm2d(width, affine=affine)
        self.head = nn.Sequential(nn.Conv2d(width, 5, 3, groups=1), nn.BatchNorm2d(5), nn.ReLU())
        self.out = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.conv(x)).relu()
        return self.out(self.head(h).mean((2, 3)))


class Both(Block):
    """Reads what the layer returns a second time."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv(x)
        h = (self.norm(h) + h).relu()
        return self.out(self.head(h).mean((2, 3)))


class Twice(Block):
    """Calls a norm for two layers."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.conv(x)) + self.norm(self.conv(-x))
        return self.out(self.head(h).mean((2, 3)))


class Fickle(Block):
    """Goes another way where the input says so, which torch cannot trace."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv(x)
        h = self.norm(h) if h.sum() > 0 else h
        return self.out(self.head(h).mean((2, 3)))


class Viewing(Block):
    """Asks for rows that lie one after another."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.conv(x)).relu()
        h = self.head(h)
        return self.out(h.view(h.shape[0], 5, -1).mean(2))


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x.flatten(2)).mean(2)


NORMS = nn.BatchNorm1d | nn.BatchNorm2d
X = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def trained(model: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A model whose norms have seen something, and have weights that differ."""
    torch.manual_seed(1)
    model = model.to(dtype)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    for _ in range(5):
        model(3 * X.to(dtype) + 1)
    return model


def seen(model: nn.Module) -> tuple[Tensor, Tensor]:
    """The output of a model, and the slope at its input."""
    x = X.to(next(model.parameters()).dtype).requires_grad_()
    output = model(x)
    (slope,) = torch.autograd.grad(output.tanh().sum(), x)
    return output.detach(), slope


def folded(model: nn.Module) -> list[nn.Module]:
    """The norms whose work is done elsewhere."""
    return [module for module in model.modules() if isinstance(module, NORMS) and "forward" in vars(module)]


@contextmanager
def attacked(mode: AttackMode, spared: Sequence[nn.Module] = ()) -> Generator[None]:
    with mode.open():
        mode.fold(spared)
        yield


@pytest.mark.parametrize(
    ("model", "folds"),
    [
        (Block(), 2),
        (Block(affine=False), 2),
        (Block(bias=True), 2),
        (Viewing(), 2),
        (Line(), 1),
        (Both(), 1),
        (Twice(), 1),
        (Fickle(), 0),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_and_slopes_are_the_same(model: nn.Module, folds: int, dtype: torch.dtype):
    model = trained(model, dtype)
    mode = AttackMode(model)
    with norms(model, "frozen"):
        expected = seen(model)
        with attacked(mode):
            assert len(folded(model)) == folds
            torch.testing.assert_close(seen(model), expected)


def bent(model: nn.Module) -> list[Tensor]:
    """How the slope at the input changes along each weight: second derivatives in both."""
    weights = list(model.parameters())
    x = X.double().requires_grad_()
    (slope,) = torch.autograd.grad(model(x).tanh().sum(), x, create_graph=True)
    return list(torch.autograd.grad(slope.square().sum(), weights, materialize_grads=True))


@pytest.mark.parametrize("model", [Block(), Block(affine=False), Block(bias=True), Line()])
def test_slopes_in_the_weights_are_the_same_where_it_is_live(model: nn.Module):
    model = trained(model)
    mode = AttackMode(model)
    with norms(model, "frozen"):
        expected = bent(model)
        assert any(part.any() for part in expected)
        with mode.open(live=True):
            mode.fold()
            assert folded(model)
            for _ in range(2):  # each pass has a graph of its own
                torch.testing.assert_close(bent(model), expected)
            next(model.parameters()).data.add_(1)
            found = seen(model)
        torch.testing.assert_close(found, seen(model))


def test_everything_is_given_back():
    model = trained(Block())
    modules, state = list(model.modules()), list(model.state_dict())
    weights = [weight.clone() for weight in model.parameters()]
    with pytest.raises(KeyError), norms(model, "frozen"), attacked(AttackMode(model)):
        raise KeyError
    assert folded(model) == []
    assert not any("forward" in vars(module) for module in model.modules())
    assert [id(module) for module in model.modules()] == [id(module) for module in modules]
    assert list(model.state_dict()) == state
    assert all(
        torch.equal(a, b) and a.requires_grad for a, b in zip(model.parameters(), weights, strict=True)
    )
    assert model.training


def test_it_follows_the_weights():
    model = trained(Block())
    mode = AttackMode(model)
    for _ in range(2):
        with norms(model, "frozen"):
            expected = seen(model)
            with attacked(mode):
                torch.testing.assert_close(seen(model), expected)
        with torch.no_grad():
            model.get_parameter("conv.weight").add_(1)
            model.get_parameter("norm.bias").add_(1)
        model(X.double())


def test_norms_of_the_batch_stay():
    model = trained(Block())
    with attacked(AttackMode(model)):
        assert folded(model) == []


def test_norms_without_statistics_stay():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)).eval()
    with attacked(AttackMode(model)):
        assert folded(model) == []


def test_sites_stay():
    model = cast(Block, trained(Block()).eval())
    with attacked(AttackMode(model), [model.conv]):
        assert len(folded(model)) == 1
        assert model.norm not in folded(model)


def test_hooks_see_what_they_always_saw():
    model = cast(Block, trained(Block()).eval())
    outputs: list[Tensor] = []
    handle = model.conv.register_forward_hook(lambda *call: outputs.append(call[2].detach()))
    seen(model)
    with attacked(AttackMode(model)):
        seen(model)
    torch.testing.assert_close(outputs[1], outputs[0])
    handle.remove()


def test_norms_that_are_exchanged():
    model = cast(Block, trained(Block()).eval())
    mode, first = AttackMode(model), model.norm
    with attacked(mode):
        pass
    for norm in (nn.BatchNorm2d(4).double().eval(), nn.Identity(), first):
        model.norm = cast(nn.BatchNorm2d, norm)
        expected = seen(model)
        with attacked(mode):
            torch.testing.assert_close(seen(model), expected)


class Views(nn.Module):
    """Asks for rows that lie one after another."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], -1)


@pytest.mark.parametrize(
    ("depth", "last", "layout"), [(4, nn.Flatten(), True), (4, Views(), False), (2, nn.Flatten(), False)]
)
def test_deep_models_take_another_layout_where_nobody_asks_for_it(depth: int, last: nn.Module, layout: bool):
    body = [part for _ in range(depth) for part in (nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3))]
    model = nn.Sequential(*body, last).eval()
    expected = seen(model)
    with attacked(AttackMode(model)):
        assert body[0](X).is_contiguous(memory_format=torch.channels_last) is layout
        torch.testing.assert_close(seen(model), expected)


def test_parametrised_layers_stay():
    model = cast(Block, trained(Block()).eval())
    nn.utils.parametrizations.weight_norm(model.conv)
    expected = seen(model)
    with attacked(AttackMode(model)):
        assert len(folded(model)) == 1
        torch.testing.assert_close(seen(model), expected)


def test_layers_with_a_forward_of_their_own_stay():
    model = cast(Block, trained(Block()).eval())
    usual = model.conv.forward
    model.conv.forward = lambda input: 2 * usual(input)
    expected = seen(model)
    with attacked(AttackMode(model)):
        assert len(folded(model)) == 1
        torch.testing.assert_close(seen(model), expected)
    torch.testing.assert_close(seen(model), expected)


class Noting(Block):
    """Keeps what it saw, counts its calls and draws numbers."""

    def __init__(self):
        super().__init__()
        self.calls, self.last = 0, torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last = super().forward(x + torch.rand(()))
        return self.last


def test_looking_at_a_model_leaves_no_trace():
    model = Noting().eval()
    with torch.random.fork_rng():
        before = torch.get_rng_state()
        with attacked(AttackMode(model)):
            assert len(folded(model)) == 2
        assert torch.equal(torch.get_rng_state(), before)
    assert (model.calls, float(model.last)) == (0, 0)


def test_it_is_open_till_the_outermost_end():
    model = trained(Block()).eval()
    mode = AttackMode(model)
    mode.fold()
    assert folded(model) == []
    with mode.open():
        with mode.open():
            mode.fold()
        assert len(folded(model)) == 2
    assert folded(model) == []


# Searches of compiled methods

ATTACK = """
perturb features by d {
  direction   negative
  infer       adversarial maximize loss within linf(0.1) via pgd(steps: 2, step: 0.05)
  granularity sample
}
"""
MOVED = """
perturb weights by 0.5 * w {
  direction   mixed
  infer       prior
  granularity corpus
}
"""
INSIDE = """
perturb features at "conv" by v {
  direction   negative
  infer       adversarial maximize loss within linf(0.1) via pgd(steps: 2, step: 0.05)
  granularity sample
}
"""


def deltas(text: str, folds: bool) -> tuple[dict[str, Tensor], set[int]]:
    """What a step found, and how many norms its passes had folded."""
    torch.manual_seed(0)
    model = trained(Block())
    step = taxo.compile(taxo.parse(f'method probe "A probe."\n{text}'), model, classes=3)
    if not folds:
        step.attack.fold = lambda spared=(): None
    counts: set[int] = set()
    with model.register_forward_hook(lambda *_: counts.add(len(folded(model)))):
        step(X.double(), torch.arange(6) % 3)
    return {name: found for name, found in step.deltas.items() if isinstance(found, Tensor)}, counts


@pytest.mark.parametrize(
    ("text", "counts"),
    [(ATTACK, {2, 0}), (MOVED + ATTACK, {0}), (INSIDE, {1, 0}), (ATTACK + INSIDE, {1, 0})],
)
def test_searches_find_the_same(text: str, counts: set[int]):
    found, seen_counts = deltas(text, True)
    expected, _ = deltas(text, False)
    assert seen_counts == counts
    assert found.keys() == expected.keys()
    for name, delta in expected.items():
        torch.testing.assert_close(found[name], delta, rtol=0, atol=1e-8)


def test_compiled_models_are_not_folded():
    model = trained(Block())
    compiled = cast(nn.Module, torch.compile(model, backend="eager"))
    step = taxo.compile(taxo.parse(f'method probe "A probe."\n{ATTACK}'), compiled, classes=3)
    with step.searching("frozen"):
        step.line(X.double(), torch.arange(6) % 3)
        assert folded(model) == []

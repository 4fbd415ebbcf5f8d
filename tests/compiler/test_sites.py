"""Where perturbations act: every site of the training line, in models of many makes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from tests.compiler.agreement import CE, PRIOR, agree, compiled, delta, failure, holds, hot, losses, wide
from tests.fidelity.nets import CLASSES, NETS, SIDE, Wrapped, batch, mlp

each_net = pytest.mark.parametrize("net", NETS)
CORPUS = "direction mixed infer prior granularity corpus"


class Deep(nn.Module):
    """Two layers of one name, a head of another, and a second module of the head's width before it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer1 = nn.Linear(SIDE**2, 6)
        self.layer2 = nn.Linear(6, CLASSES)
        self.out = nn.Linear(CLASSES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer2(self.layer1(x.flatten(1)).tanh()).tanh())

    def by_hand(self, x: Tensor, first: Any = None, second: Any = None, last: Any = None) -> Tensor:
        """The forward with what each inner value is sent through."""
        same: Callable[[Tensor], Tensor] = lambda h: h
        a = (first or same)(self.layer1(x.flatten(1)))
        b = (second or same)(self.layer2(a.tanh()))
        return self.out((last or same)(b.tanh()))


class Words(nn.Module):
    """A text model: word numbers, an embedding, a mean and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(9, 6)
        self.hidden = nn.Linear(6, 7)
        self.last = nn.Linear(7, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.after(self.table(tokens))

    def after(self, embedded: Tensor) -> Tensor:
        """The logits of embedded words."""
        return self.last(self.hidden(embedded.mean(1)).tanh())


def sentences(rows: int = 8, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    dice = torch.Generator().manual_seed(seed)
    _, y, index = batch(rows, seed=seed)
    return torch.randint(9, (rows, 4), generator=dice), y, index


# Inside the model.


@each_net
def test_the_input(net: str):
    holds(
        f"perturb features by 0.3 * sin(x) {{ {PRIOR} }}",
        NETS[net](),
        lambda model, x, y, index: CE(model(x + 0.3 * x.sin()), y),
    )


def test_a_pattern_that_one_module_matches():
    holds(
        f'perturb features at "layer2" by 0.3 * h * h {{ {PRIOR} }}',
        Deep(),
        lambda model, x, y, index: CE(model.by_hand(x, second=lambda h: h + 0.3 * h * h), y),
    )


def test_a_pattern_that_several_modules_match():
    """The form is computed anew from each module's own output."""

    def moved(h: Tensor) -> Tensor:
        return h + 0.3 * h * h

    step = holds(
        f'perturb features at "layer*" by 0.3 * h * h {{ {PRIOR} }}',
        Deep(),
        lambda model, x, y, index: CE(model.by_hand(x, moved, moved), y),
    )
    assert [one.kind for one in step.plan.passes] == ["train"]


def test_outer_features_come_before_inner_ones_whatever_the_source_says():
    """Acting follows the line: the input, then what is inside; within a place the source."""
    holds(
        f'perturb features at "layer1" by h * h {{ {PRIOR} }} perturb features by x * x {{ {PRIOR} }} '
        f'perturb features at "layer1" by 0.5 * h {{ {PRIOR} }}',
        Deep(),
        lambda model, x, y, index: CE(model.by_hand(x + x * x, lambda h: 1.5 * (h + h * h)), y),
    )


def test_the_heads_input():
    holds(
        f"perturb features at z by 0.3 * z * z {{ {PRIOR} }}",
        Deep(),
        lambda model, x, y, index: CE(model.by_hand(x, last=lambda z: z + 0.3 * z * z), y),
    )


def test_a_value_inside_is_read_behind_it():
    """`z` after what acted there; `h("layer1")` of this pass, live."""
    holds(
        f'perturb features at z by z {{ {PRIOR} }} perturb loss by l2(z) + l1(h("layer1")) {{ {PRIOR} }}',
        Deep(),
        lambda model, x, y, index: (
            losses(model.by_hand(x, last=lambda z: 2 * z), y)
            + 2 * model.layer2(model.layer1(x.flatten(1)).tanh()).tanh().norm(dim=1)
            + model.layer1(x.flatten(1)).abs().sum(1)
        ).mean(),
    )


def test_an_embedding():
    holds(
        f"perturb features at embedding by 0.5 * h * h {{ {PRIOR} }}",
        Words(),
        lambda model, x, y, index: CE(model.after((e := model.table(x)) + 0.5 * e * e), y),
        sentences(),
    )


def test_an_attack_on_an_embedding():
    """Miyato et al. 2017: r = eps g / |g| for each text, g the slope at its embedded words."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        e = model.table(x).detach().requires_grad_()
        (slope,) = torch.autograd.grad(CE(model.after(e), y, reduction="sum"), e)
        r = 0.4 * slope / wide(slope.flatten(1).norm(dim=1), slope)
        return CE(model.after(model.table(x) + r), y)

    step = holds(
        "perturb features at embedding by d { direction negative granularity sample "
        "infer adversarial maximize loss within l2(0.4) via linearized }",
        Words(),
        expected,
        sentences(),
        sentences(seed=2),
    )
    assert delta(step, "d").shape == (8, 4, 6)


def test_a_permutation_of_embedded_texts_and_labels():
    """Mixup of sentences: one permutation and one share, of embeddings and of labels."""
    model = Words().double()
    twin = deepcopy(model)
    step = compiled(
        "draw lam ~ uniform(0, 1) per batch draw pair ~ permutation per batch "
        f"perturb features at embedding by (1 - lam) * (h[pair] - h) {{ {PRIOR} }} "
        f"perturb labels by (1 - lam) * (y[pair] - y) {{ {PRIOR} }}",
        model,
        seed=5,
    )
    dice = torch.Generator().manual_seed(5)
    lam = torch.empty(()).uniform_(generator=dice)
    pair = torch.randperm(8, generator=dice)

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        e = model.table(x)
        return CE(model.after(lam * e + (1 - lam) * e[pair]), lam * hot(y) + (1 - lam) * hot(y[pair]))

    agree(step, twin, expected, sentences())


@pytest.mark.parametrize("numbers", [1, 2, 3, 4])
def test_a_layer_drawn_anew(numbers: int):
    """The input or one of the layers: a module of the pattern for each batch."""
    model, (x, y, index) = Deep().double(), batch(seed=numbers)
    step = compiled(
        f'draw place ~ module("layer*") per batch perturb features at place by h * h {{ {PRIOR} }}',
        model,
        seed=numbers,
    )
    found = float(step(x, y, index).detach())

    def squared(h: Tensor) -> Tensor:
        return h + h * h

    cases = [model.by_hand(x + x * x), model.by_hand(x, squared), model.by_hand(x, None, squared)]
    near = [abs(float(CE(u, y).detach()) - found) < 1e-10 for u in cases]
    assert sum(near) == 1


# Logits, labels, loss, with hard and soft labels.


def soft_batch(seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    x, _, index = batch(seed=seed)
    y = torch.rand(8, CLASSES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x, y / y.sum(1, keepdim=True), index


ENDS: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "logits": (
        f"perturb logits by 0.5 * u * u - y {{ {PRIOR} }}",
        lambda u, q: CE(u + 0.5 * u * u - q, q),
    ),
    "labels": (
        f"perturb labels by 0.3 * (softmax(2 * u) - y) {{ {PRIOR} }}",
        lambda u, q: -((0.7 * q + 0.3 * (2 * u).softmax(1)) * u.log_softmax(1)).sum(1).mean(),
    ),
    "the predicted labels": (
        f"perturb labels at p by 0.3 * (y - p) {{ {PRIOR} }}",
        lambda u, q: -(q * (0.7 * u.softmax(1) + 0.3 * q).log()).sum(1).mean(),
    ),
    "the predicted labels, then the given ones": (
        f"perturb labels by 0.5 * (1 / C - y) {{ {PRIOR} }} "
        f"perturb labels at p by 0.3 * (1 / C - p) {{ {PRIOR} }}",
        lambda u, q: -((0.5 * q + 0.5 / CLASSES) * (0.7 * u.softmax(1) + 0.3 / CLASSES).log()).sum(1).mean(),
    ),
    "the predicted labels, twice": (
        f"perturb labels at p by 0.5 * (1 / C - p) {{ {PRIOR} }} "
        f"perturb labels at p by 0.3 * (y - p) {{ {PRIOR} }}",
        lambda u, q: -(q * (0.7 * (0.5 * u.softmax(1) + 0.5 / CLASSES) + 0.3 * q).log()).sum(1).mean(),
    ),
    "the loss": (
        f"perturb loss by loss * loss + u[y] + p[y] {{ {PRIOR} }}",
        lambda u, q: (
            (own := -(q * u.log_softmax(1)).sum(1)) + own * own + (q * u).sum(1) + (q * u.softmax(1)).sum(1)
        ).mean(),
    ),
    "the loss reads the labels as they were moved": (
        f"perturb labels by 0.3 * (1 / C - y) {{ {PRIOR} }} perturb loss by u[y] {{ {PRIOR} }}",
        lambda u, q: ((m := 0.7 * q + 0.3 / CLASSES) * u - m * u.log_softmax(1)).sum(1).mean(),
    ),
}


@pytest.mark.parametrize("kind", ["hard", "soft"])
@each_net
@pytest.mark.parametrize(("text", "expected"), ENDS.values(), ids=list(ENDS))
def test_the_end_of_the_line(text: str, expected: Callable[[Tensor, Tensor], Tensor], net: str, kind: str):
    given = batch() if kind == "hard" else soft_batch()
    holds(
        text,
        NETS[net](),
        lambda model, x, y, index: expected(model(x), hot(y) if kind == "hard" else y),
        given,
    )


# Weights.


@pytest.mark.parametrize("pattern", ["*", "*.weight", "layer1.*", "*.bias"])
def test_weights_by_name(pattern: str):
    """dw = 0.3 w^2 of the parameters that match, a constant for the gradient."""
    words = pattern.replace("*", "")

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        changed = {name: w + 0.3 * w.detach() ** 2 for name, w in model.named_parameters() if words in name}
        return CE(functional_call(model, changed, (x,)), y)

    holds(f'perturb weights at "{pattern}" by 0.3 * w * w {{ {CORPUS} }}', Deep(), expected)


@each_net
def test_the_heads_weight_is_the_perturbed_one(net: str):
    """`W` read behind the logits is what the pass went through; its gradient reaches the parameter."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        changed = {name: w + 0.5 * w.detach() for name, w in model.named_parameters()}
        head = [changed[name] for name, _ in model.named_parameters() if name.endswith(".weight")][-1]
        return CE(functional_call(model, changed, (x,)), y) + head.norm()

    holds(
        f"perturb weights by 0.5 * w {{ {CORPUS} }} perturb loss by l2(W) {{ {PRIOR} }}",
        NETS[net](),
        expected,
    )


def test_the_heads_weight_before_the_logits():
    """Read at the head's input it is the one that the weights' perturbation has made."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        changed = {name: w + 0.5 * w.detach() for name, w in model.named_parameters()}
        z = functional_call(model.layer2, plain(changed, "layer2"), (model_first(changed, x),)).tanh()
        return CE(functional_call(model.out, plain(changed, "out"), (z + changed["out.weight"][y],)), y)

    holds(
        f"perturb weights by 0.5 * w {{ {CORPUS} }} perturb features at z by W[y] {{ {PRIOR} }}",
        Deep(),
        expected,
    )


def plain(changed: dict[str, Tensor], owner: str) -> dict[str, Tensor]:
    """The parameters of one module, by their own names."""
    return {name.removeprefix(f"{owner}."): w for name, w in changed.items() if name.startswith(f"{owner}.")}


def model_first(changed: dict[str, Tensor], x: Tensor) -> Tensor:
    return functional.linear(x.flatten(1), changed["layer1.weight"], changed["layer1.bias"]).tanh()


# Heads.

CENTRE = f"perturb features at z by 0.5 * (W[y] - z) {{ {PRIOR} }}"


def test_the_head_is_the_last_layer_of_the_classes_width():
    """`layer2` has as many outputs, but `out` comes after it."""
    holds(
        CENTRE,
        Deep(),
        lambda model, x, y, index: CE(
            model.by_hand(x, last=lambda z: 0.5 * z + 0.5 * model.out.weight[y]), y
        ),
    )


def test_a_head_that_is_named():
    """`head=` says otherwise: then `z` is what enters `layer2`."""

    class Same(Deep):
        def __init__(self) -> None:
            super().__init__()
            self.layer1 = nn.Linear(SIDE**2, CLASSES)
            self.layer2 = nn.Linear(CLASSES, CLASSES)

    model = Same().double()
    twin = deepcopy(model)

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        z = model.layer1(x.flatten(1)).tanh()
        return CE(model.out(model.layer2(0.5 * z + 0.5 * model.layer2.weight[y]).tanh()), y)

    agree(compiled(CENTRE, model, head=model.layer2), twin, expected)


def test_a_model_without_such_a_layer():
    found = failure(lambda: compiled(CENTRE, nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 7))))
    assert (found.code, found.span is not None) == ("T404", True)
    assert "head=" in (found.help or "")


@pytest.mark.parametrize("scale", [1, 30])
def test_a_cosine_head(scale: int):
    """u_c = s cos(z, w_c) on the same weight, without the bias."""

    def expected(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        z = model.layer2(model.layer1(x.flatten(1)).tanh()).tanh()
        w = model.out.weight
        u = scale * (z @ w.T) / z.norm(dim=1, keepdim=True) / w.norm(dim=1)
        return CE(u - 0.3 * scale * hot(y), y) + 0 * model.out.bias.sum()

    model = Deep().double()
    twin = deepcopy(model)
    step = compiled(
        f"needs cosine_head(s) param s = {scale} perturb logits by -0.3 * s * y {{ {PRIOR} }}", model
    )
    (x, y, index) = batch()
    loss, other = step(x, y, index), expected(twin, x, y, index)
    torch.testing.assert_close(loss, other, atol=1e-8, rtol=0.0)
    found = torch.autograd.grad(loss, [model.layer1.weight, model.out.weight])
    expected_slopes = torch.autograd.grad(other, [twin.layer1.weight, twin.out.weight])
    torch.testing.assert_close(found, expected_slopes, atol=1e-8, rtol=0.0)
    torch.testing.assert_close(step.predict(x), model(x))


# Models of many makes.


WRAPPINGS: dict[str, Callable[[Tensor], object]] = {
    "tuple": lambda u: (u, "kept"),
    "object": lambda u: SimpleNamespace(logits=u, hidden="kept"),
    "mapping": lambda u: {"hidden": "kept", "logits": u},
}
MANY_SITES = (
    f"perturb weights by 0.1 * w {{ {CORPUS} }} perturb features by 0.1 * x {{ {PRIOR} }} "
    f'perturb features at "*layer1" by 0.1 * h {{ {PRIOR} }} perturb features at z by 0.1 * z {{ {PRIOR} }} '
    f"perturb logits by 0.1 * u {{ {PRIOR} }} perturb labels by 0.1 * (1 / C - y) {{ {PRIOR} }} "
    f"perturb loss by 0.1 * loss {{ {PRIOR} }}"
)


def at_many_sites(model: Any, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """The reference of `MANY_SITES` on the model that is behind whatever wraps it."""
    del index
    changed = {name: w + 0.1 * w.detach() for name, w in model.named_parameters()}
    a = 1.1 * functional.linear(1.1 * x.flatten(1), changed["layer1.weight"], changed["layer1.bias"])
    z = 1.1 * functional.linear(a.tanh(), changed["layer2.weight"], changed["layer2.bias"]).tanh()
    u = 1.1 * functional.linear(z, changed["out.weight"], changed["out.bias"])
    return 1.1 * CE(u, y, label_smoothing=0.1)


@pytest.mark.parametrize("kind", WRAPPINGS)
def test_every_site_whatever_the_model_returns(kind: str):
    inner = Deep().double()
    agree(compiled(MANY_SITES, Wrapped(inner, WRAPPINGS[kind])), deepcopy(inner), at_many_sites)


class Parallel(nn.Module):
    """A wrapper that puts its model under `module`, as torch's parallel ones do."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)


PREFIXES: dict[str, Callable[[nn.Module], Any]] = {
    "module": Parallel,
    "module twice": lambda model: Parallel(Parallel(model)),
    "_orig_mod": lambda model: torch.compile(model, backend="eager"),
    "module._orig_mod": lambda model: Parallel(torch.compile(model, backend="eager")),
}


@pytest.mark.parametrize("kind", PREFIXES)
def test_prefixes_of_wrappers_are_no_part_of_a_name(kind: str):
    inner = Deep().double()
    text = MANY_SITES.replace("*layer1", "layer1").replace("weights by", 'weights at "[lo]*" by')
    agree(compiled(text, PREFIXES[kind](inner)), deepcopy(inner), at_many_sites)


# Sites that match nothing.


@pytest.mark.parametrize(
    ("text", "word", "near"),
    [
        (f'perturb features at "layer9" by h {{ {PRIOR} }}', "layer9", "`layer1`"),
        (f'perturb features at "laier*" by h {{ {PRIOR} }}', "laier*", "`layer1`"),
        (f'perturb weights at "layer9.weight" by w {{ {CORPUS} }}', "layer9.weight", "`layer1.weight`"),
        (f'param where_to = "lay" perturb features at where_to by h {{ {PRIOR} }}', "lay", "`layer1`"),
        (
            f'draw m ~ module("leyer*") per batch perturb features at m by h {{ {PRIOR} }}',
            "leyer*",
            "`layer1`",
        ),
        (f'perturb loss by l2(h("layr2")) {{ {PRIOR} }}', "layr2", "`layer2`"),
    ],
)
def test_a_site_that_is_not_there(text: str, word: str, near: str):
    """The clause that names it, and the names that come near."""
    found = failure(lambda: compiled(text, Deep()))
    assert (found.code, f"`{word}`" in found.message) == ("T404", True)
    assert near in (found.help or "")
    assert found.span is not None
    assert found.span.line == 1


def test_a_model_that_embeds_nothing():
    found = failure(lambda: compiled(f"perturb features at embedding by h {{ {PRIOR} }}", mlp()))
    assert (found.code, found.span is not None) == ("T404", True)


def test_a_model_without_trainable_parameters():
    model = mlp().requires_grad_(False)
    found = failure(lambda: compiled(f"perturb weights by w {{ {CORPUS} }}", model))
    assert (found.code, found.span is not None) == ("T404", True)


def test_modules_three_deep_go_by_their_whole_name():
    inner = Deep().double()
    model = nn.Sequential(OrderedDict(body=nn.Sequential(OrderedDict(net=inner))))
    twin = deepcopy(inner)
    step = compiled(f'perturb features at "body.net.layer1" by h {{ {PRIOR} }}', model)
    agree(step, twin, lambda twin, x, y, index: CE(twin.by_hand(x, first=lambda h: 2 * h), y))

"""What shows no sooner than a model and data are there ends in taxo's own error, at its clause."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import taxo
from tests.compiler.agreement import PRIOR, compiled, delta, failure, losses
from tests.fidelity.nets import CLASSES, SAMPLES, batch, close, mlp

ATTACK = "direction negative granularity sample infer adversarial maximize loss within"


def refused(text: str, **given: object) -> tuple[str, str]:
    """The code of what is refused when a step is made, and the stretch of the text it points at."""
    found = failure(lambda: compiled(text, mlp(), **given))
    return found.code, "" if found.span is None else found.span.text


# Numbers made of counts.


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"perturb logits by p[99] {{ {PRIOR} }}", "p[99]"),
        (f"perturb logits by p[C - 99] {{ {PRIOR} }}", "p[C - 99]"),
        (f"param k = {CLASSES} let a = onehot(k) perturb logits by a {{ {PRIOR} }}", "onehot(k)"),
        (f"perturb loss by class_prior[{CLASSES}] {{ {PRIOR} }}", f"class_prior[{CLASSES}]"),
        (f"perturb features by d {{ {ATTACK} linf(1) via pgd(steps: C * 1e9, step: 1) }}", "C * 1e9"),
        (f"perturb features by d {{ {ATTACK} linf(C - 99) via sign(step: 1) }}", "C - 99"),
        (f"draw r ~ bernoulli(C) per sample perturb loss by r {{ {PRIOR} }}", "C"),
        (f"state s per corpus = ema(loss, decay: 2 * C) perturb loss by s {{ {PRIOR} }}", "2 * C"),
        (f"state s per corpus = mean(loss, last: N * 1e5) perturb loss by s {{ {PRIOR} }}", "N * 1e5"),
        (f"needs outputs(C * 1e5) perturb logits by u {{ {PRIOR} }}", "C * 1e5"),
    ],
)
def test_a_number_that_the_counts_put_out_of_bounds(text: str, place: str):
    assert refused(text) == ("T206", place)


def test_classes_are_counted_up_to_the_last():
    text = f"needs outputs(C + 1) perturb logits by p[C] + p[C - 1] + onehot(0) {{ {PRIOR} }}"
    assert compiled(text, mlp(CLASSES + 1))(*batch(dtype=torch.float32)).dim() == 0


# What meets in a clause.


def test_layers_that_have_no_shape_in_common():
    text = f'\nperturb logits by sum(h("0") * h("1")) {{ {PRIOR} }}'
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES))
    model[0] = nn.Sequential(nn.Flatten(), nn.Linear(16, 16))
    x = torch.rand(8, 16)
    found = failure(lambda: compiled(text, model)(x, torch.zeros(8, dtype=torch.long)))
    assert (found.code, found.span is not None and found.span.line) == ("T413", 2)
    assert "size of tensor" in found.message


@pytest.mark.parametrize("text", ["1 / (C - N)", "log(C - N)", "exp(C * 1e9)"])
def test_arithmetic_that_has_no_such_number(text: str):
    """Counts are Python's own numbers, which have no infinity of this kind."""
    given = batch(dtype=torch.float32)
    step = compiled(f"\nperturb loss by {text} {{ {PRIOR} }}", mlp(), samples=CLASSES)
    found = failure(lambda: step(given[0][:2], given[1][:2], torch.arange(2)))
    assert (found.code, found.span is not None and found.span.line) == ("T413", 2)


def test_a_state_that_cannot_be_computed_at_the_end_of_an_epoch():
    text = f"\nstate s per corpus = 1 / (C - N) every epoch perturb loss by s {{ {PRIOR} }}"
    step = compiled(text, mlp(), samples=CLASSES)
    found = failure(lambda: list(step.epochs(1)))
    assert (found.code, found.span is not None and found.span.line) == ("T413", 2)


def test_a_prediction_that_cannot_be_computed():
    text = f'\nperturb logits by sum(h("0") * h("1")) {{ during eval {PRIOR} }}'
    model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, CLASSES))
    found = failure(lambda: compiled(text, model).predict(torch.rand(8, 16)))
    assert (found.code, found.span is not None and found.span.line) == ("T413", 2)


def test_an_error_of_the_model_stays_the_models():
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1) @ x.flatten(1)

    with pytest.raises(RuntimeError, match="mat1"):
        compiled(f"perturb logits by u {{ {PRIOR} }}", Broken())(*batch(dtype=torch.float32))
    with pytest.raises(RuntimeError, match="mat1"):  # in torch's own module
        compiled(f"perturb logits by u {{ {PRIOR} }}", nn.Linear(99, CLASSES))(*batch(dtype=torch.float32))


def test_a_network_that_is_given_another_number_of_numbers():
    text = """needs validation param n = mlp(2, 3, 1) perturb loss by n(loss, y) * loss {
    direction mixed granularity sample }
    infer meta over n minimize loss on validation via lookahead(lr: 1)"""
    held = [batch(dtype=torch.float32)[:2]]
    found = failure(lambda: compiled(text, mlp(), validation=held)(*batch(dtype=torch.float32)))
    assert found.code == "T204"
    assert f"{CLASSES + 1}" in found.message
    assert found.span is not None


# What weighs the losses.


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            f"branch weight 1 {{ perturb loss by 1 {{ {PRIOR} }} }} branch weight 1 / (loss - loss) {{ }}",
            "1 / (loss - loss)",
        ),
        (
            f"branch a weight max(exp(1e4 * u)) {{ perturb loss by 0 * loss {{ {PRIOR} }} }}",
            "max(exp(1e4 * u))",
        ),
        (
            f"loss cross_entropy + l2(W) / step perturb loss by 0 * loss {{ {PRIOR} }}",
            "cross_entropy + l2(W) / step",
        ),
    ],
)
def test_a_weight_that_is_not_finite(text: str, place: str):
    found = failure(lambda: compiled(text, mlp())(*batch(dtype=torch.float32)))
    assert (found.code, found.span and found.span.text) == ("T409", place)


# What once ended in an error of torch, and has a value.


def test_norms_of_whole_numbers():
    def expected(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return index.double() + 2

    step = compiled(f"perturb loss by l2(index) + l2(argmax(onehot(2))) {{ {PRIOR} }}", mlp().double())
    given = batch()
    step(*given)
    close(delta(step, "loss").double(), expected(*given))


def test_the_sigmoid_of_a_number_far_below_zero():
    step = compiled(
        f"param a = sigmoid(-1e4) perturb loss by loss * a + sigmoid(C - 1e4) {{ {PRIOR} }}", mlp()
    )
    step(*batch(dtype=torch.float32))
    assert float(delta(step, "loss").abs().max()) == 0


def test_a_price_that_reads_the_label():
    """The labels are classes where the price is computed, and distributions in the language."""
    text = """perturb logits by v { direction positive granularity sample
    infer regularization minimize loss + sum(y) * l1(v) via closed_form }"""
    step, same = (compiled(one, mlp().double()) for one in (text, text.replace("sum(y)", "1")))
    close(step(*batch()).detach(), same(*batch()).detach())


def test_a_search_that_starts_at_one_number_for_each_sample():
    text = f"perturb logits by v {{ {ATTACK} linf(9) via gradient(steps: 1, step: 0, start: 0.1 * index) }}"
    step, given = compiled(text, mlp().double()), batch()
    step(*given)
    close(delta(step, "v"), (given[2] / 10)[:, None].expand(-1, CLASSES).clamp(max=9).double(), 1e-6)


def test_a_condition_on_names_and_the_time():
    text = """perturb weights by w { where not named("*bias") and epoch >= 0
    direction mixed infer prior granularity corpus }"""
    step = compiled(text, mlp().double())
    step(*batch())
    moved = step.deltas["weights"]
    assert isinstance(moved, dict)
    assert moved
    assert not [name for name in moved if name.endswith("bias")]


def test_an_average_of_nothing_of_the_batch_over_an_epoch():
    step = compiled(
        f"state s per corpus = mean(sum(onehot(2))) every epoch perturb loss by s {{ {PRIOR} }}",
        mlp().double(),
    )
    x, y, index = batch()
    for _ in step.epochs(2):
        step(x, y, index)
    added = step(x, y, index) - losses(step.model(x), y).mean()
    close(added.detach(), torch.ones(()).double())


def test_no_more_samples_are_made_for_a_condition_that_never_holds():
    text = f"state s per category = mean(p, where: 0) from 0.5 perturb loss by s[y][y] {{ {PRIOR} }}"
    step = compiled(text, mlp().double())
    for _ in range(2):
        step(*batch())
        close(delta(step, "loss"), torch.full((8,), 0.5).double())


@pytest.mark.parametrize("start", ["progress", "lr", "step"])
def test_a_state_starts_from_what_is_known_when_it_is_made(start: str):
    text = f"state s per corpus = mean(p) from {start} perturb logits by s {{ {PRIOR} }}"
    assert refused(text) == ("T210", start)
    text = f"state s per sample = p from clean.p perturb logits by s {{ {PRIOR} }}"
    assert refused(text) == ("T210", "clean.p")


def test_a_goal_that_the_parameters_make_a_number():
    attack = ATTACK.replace("loss", "a * loss")
    text = f"param a = 0 in {{0, 1}} perturb features by d {{ {attack} linf(1) via sign(step: 1) }}"
    assert refused(text) == ("T208", "maximize a * loss")


def test_a_line_over_pairs_of_names_is_not_broken_between_them():
    text = f"""draw r ~ truncated_normal(0, 1, low: sum(2 / 255 + lr0, 0.001 if epoch > 8 else N),
    high: sum(2 / 255 + lr0, 0.001 if epoch > 8 else N) + 8) per batch like w
    perturb weights by r {{ {PRIOR.replace("sample", "corpus")} }}"""
    assert "for name, w in self.weights().items()" in compiled(text, mlp(), samples=SAMPLES).source
    assert taxo.parse(f"method m {text}")


# What a method learns on held-out data, beside what another one learns.


LOOKS_AHEAD = """needs validation perturb logits by v { direction mixed granularity sample
    infer meta minimize loss on validation via lookahead(lr: 0.5) }"""


def moved(text: str, name: str) -> float:
    """How far what is kept under a name has come after three steps."""
    held = [batch(dtype=torch.float32)[:2]]
    step = compiled(f"{text} {LOOKS_AHEAD}", mlp(), validation=held)
    for _ in range(3):
        step(*batch(dtype=torch.float32)).backward()
    return float(step.state_dict()[f"table_{name}.value"].abs().max())


def test_what_descends_beside_a_look_ahead_descends():
    text = """perturb features by e { direction positive granularity category
    infer regularization minimize loss + 0.1 * l2(e) via joint(lr: 0.1) }"""
    assert moved(text, "e") > 0


@pytest.mark.parametrize("objective", ["cross_entropy", "hinge", "kmeans(5)"])
def test_an_objective_of_straight_pieces_is_looked_ahead_of_too(objective: str):
    """How the weights depend on an offset of the logits is a second derivative, which a hinge has not."""
    assert moved(f"loss {objective}", "v") > 0

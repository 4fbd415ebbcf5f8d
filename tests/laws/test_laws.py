"""The laws that every shipped method keeps, and every legal pair, whatever it perturbs."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import nn

import taxo
from taxo.catalog import source_of, whole
from taxo.laws.judge import FUNCTIONS, QUICK, judged, toy_for
from taxo.laws.pools import simple
from taxo.laws.reasons import LAWS, SLOW, no_null
from taxo.laws.running import STEPS, clean_exit, resumed
from taxo.laws.subject import Subject, outputs, toys_for, unchanged
from taxo.laws.toys import CLASSES, CONV, MLP, Toy
from taxo.laws.verdict import Outcome
from taxo.laws.watch import counted, equal, footprint, tensors, train
from taxo.laws.written import at_null, plain, standalone
from taxo.runtime.step import Step
from tests.laws.specs import ALL, PAIRS, SHIPPED, TORCHS_OWN, VARIANTS

torch.set_num_threads(1)  # the nets are too small to gain from more, and the machine is shared

each = pytest.mark.parametrize("spec", [*SHIPPED, *VARIANTS])
each_law = pytest.mark.parametrize("law", QUICK)
ROWS = 20  # 15% and 45% of it are whole numbers of samples


def subject(spec: str, toy: Toy = CONV, change: Callable[[nn.Module], nn.Module] = unchanged) -> Subject:
    method = taxo.load(spec)
    toys = toys_for(method)
    return Subject(method, toy if toy in toys else toys[0], rows=ROWS, change=change)


def compiled(spec: str) -> Step:
    return subject(spec).step()


# Every law.


@each
@each_law
def test_a_law_holds_or_is_waived_for_the_reason_read_off_the_method(spec: str, law: str):
    reason = LAWS[law].reason(taxo.load(spec))
    for toy in (MLP, CONV):
        verdict = judged(law, subject(spec, toy))
        assert not verdict.fails, (toy.name, verdict.measured)
        if toy == toy_for(taxo.load(spec), law):
            assert (verdict.outcome is Outcome.EXEMPT) == (reason is not None)
            assert reason is None or verdict.measured == reason.what


@pytest.mark.parametrize("spec", PAIRS)
def test_every_law_holds_for_a_pair(spec: str):
    verdicts = {law: judged(law, subject(spec, toy_for(taxo.load(spec), law))) for law in QUICK}
    assert {law: one.measured for law, one in verdicts.items() if one.fails} == {}


@pytest.mark.slow
@TORCHS_OWN
@pytest.mark.parametrize("law", SLOW)
@pytest.mark.parametrize("spec", [*SHIPPED, *PAIRS] if ALL else ["label_smoothing"])
def test_a_slow_law_holds(spec: str, law: str):
    verdict = judged(law, subject(spec, toy_for(taxo.load(spec), law)))
    assert not verdict.fails, verdict.measured


def test_the_laws_are_those_of_the_table():
    assert set(FUNCTIONS) == set(LAWS)
    assert set(QUICK) == set(LAWS) - set(SLOW)


# Null.


@pytest.mark.parametrize("spec", [one for one in (*SHIPPED, *VARIANTS) if not no_null(taxo.load(one))])
def test_null_runs_the_program_of_plain(spec: str):
    one = subject(spec)
    step, nothing = one.step(method=at_null(one.method)), one.step(method=plain(one.method))
    assert body(step) == body(nothing)
    wider = one.method.loss is not None or outputs(one.method) != CLASSES
    headed = any(call.name.text == "cosine_head" for call in one.method.needs)
    assert wider or headed or body(step) == body(compiled("plain"))
    assert step.plan == nothing.plan
    step(*one.batch(0))
    assert step.deltas == {}


def body(step: Step) -> str:
    """What the class of a program does, and what is imported for it."""
    lines = step.source.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    def "))
    imports = [line for line in lines if line.startswith(("import", "from"))]
    return "\n".join([*imports, *lines[start:]])


@pytest.mark.parametrize("spec", SHIPPED)
def test_a_method_that_perturbs_names_its_null_point_or_says_why_not(spec: str):
    method = taxo.load(spec)
    excused = "\n# No null point: " in source_of(spec).text
    assert bool(method.null) != (excused or not whole(method).clauses)


# Text, JSON and printed program.


@each
def test_a_method_read_again_takes_the_same_steps(spec: str):
    one = subject(spec)
    expected = train(one, one.step())
    for again in (taxo.parse(str(one.method)), taxo.Method.from_json(one.method.to_json())):
        assert equal(train(one, one.step(method=again)), expected)


@each
def test_the_printed_program_is_a_step(spec: str):
    assert issubclass(standalone(compiled(spec).source), Step)


@each
def test_the_same_seed_gives_the_same_steps(spec: str):
    one = subject(spec)
    assert equal(train(one, one.step()), train(one, one.step()))


@each
def test_a_step_leaves_torchs_own_generator_alone(spec: str):
    one = subject(spec)
    step = one.step()
    torch.manual_seed(11)
    before = torch.get_rng_state()
    step(*one.batch(0)).backward()
    assert torch.equal(torch.get_rng_state(), before)


# Resume.


@each
@pytest.mark.parametrize("stop", [0, 1, 2])
def test_resumed_is_uninterrupted(spec: str, stop: int):
    one = subject(spec)
    whole = one.step()
    expected = train(one, whole, range(STEPS))
    found, second = resumed(one, stop)
    assert equal(found, expected)
    assert equal(list(tensors(second)), list(tensors(whole)))


# Clean exit.


def with_a_frozen_norm(model: nn.Module) -> nn.Module:
    """The net with its second batch norm in evaluation mode, as fine-tuning has it."""
    model.get_submodule("layer2.1").eval()
    return model


@each
def test_nothing_is_left_behind_where_a_norm_is_frozen(spec: str):
    verdict = clean_exit(subject(spec, change=with_a_frozen_norm))
    assert verdict.outcome is Outcome.HOLDS, verdict.measured


# Cost.


@each
def test_passes_run_in_the_plans_order_with_its_norms(spec: str):
    one = subject(spec)
    step = one.step()
    step(*one.batch(1))  # what is carried from batch to batch is there from the second on
    with counted(step.model) as passes:
        step(*one.batch(0))
    # second norms look like others; what is learned goes backwards only; in the first epoch some passes wait
    modes = {"auxiliary": "update"}
    planned = [
        (modes.get(one.norm, one.norm), round(one.share * ROWS))
        for one in step.plan.passes
        if one.kind != "teacher" and not one.timed
        for _ in range(one.count * one.forwards)
    ]
    parts = [(norm, rows // step.parts) for norm, rows in planned] * step.parts
    assert list(zip(passes.norms, passes.forward_rows, strict=True)) == parts


@pytest.mark.parametrize(
    ("spec", "forwards", "backwards"),
    [
        ("plain", 1, 1),
        ("label_smoothing", 1, 1),
        ("logit_adjustment", 1, 1),
        ("polyloss", 1, 1),
        ("logpert", 1, 1),
        ("damp", 1, 1),
        ("damp(parts: 4)", 1, 1),
        ("mixpert", 1, 1),
        ("mixpert(pro: 45%, clean_share: 40%)", 1, 1),
        ("mixpert(eps: 8/255)", 2 + 5 * 0.85, 1 + 5 * 0.85),
        ("mixpert(eps: 8/255, pro: 45%)", 2 + 5 * 0.55, 1 + 5 * 0.55),
        ("mixpert(eps: 8/255, pro: 0%)", 6, 6),
        ("mixpert(eps: 8/255, clean_share: 40%)", 2 + 5 * 0.85, 2 + 5 * 0.85),
        ("pgd_at", 11, 11),
        ("pgd_at(steps: 3)", 4, 4),
        ("sam", 2, 2),
    ],
)
def test_named_costs(spec: str, forwards: float, backwards: float):
    plan = compiled(spec).plan
    assert (plan.forwards, plan.backwards) == (pytest.approx(forwards), pytest.approx(backwards))


@each
def test_running_statistics_are_updated_once_a_part(spec: str):
    one = subject(spec)
    step = one.step()
    norm = step.model.get_submodule("layer1.1")
    assert isinstance(norm, nn.BatchNorm2d)
    for number in (1, 2):
        step(*one.batch(number)).backward()
        assert norm.num_batches_tracked is not None
        assert int(norm.num_batches_tracked) == number * step.parts


@each
def test_running_statistics_start_as_those_of_clean_or_perturbed_images(spec: str):
    """The first norm's mean moves by a tenth of what enters it: nearly that of the clean images."""
    one = subject(spec)
    step, twin = one.step(), one.net()
    step(*one.batch(0))
    for part in zip(*(view.tensor_split(step.parts) for view in views_of(one)), strict=True):
        twin(torch.cat(part) if step.wanted_views > 1 else part[0])
    found, expected = (
        model.get_submodule("layer1.1").get_buffer("running_mean") for model in (step.model, twin)
    )
    assert float((found - expected).abs().max()) < 0.1
    assert float(found.abs().max()) > 0


def views_of(one: Subject) -> tuple[torch.Tensor, ...]:
    """The views of the first batch."""
    x = one.batch(0)[0]
    return (x,) if isinstance(x, torch.Tensor) else x


# Evaluation.


@each
def test_a_loss_can_be_had_without_gradients(spec: str):
    """The validation loss of a robust method, attack included."""
    one = subject(spec)
    step, twin = one.step().eval(), one.step().eval()
    with torch.no_grad():
        loss = step(*one.batch(0))
    assert torch.equal(loss, twin(*one.batch(0)).detach())


@each
def test_predict_gives_the_model_back_as_it_was(spec: str):
    one = subject(spec, change=with_a_frozen_norm)
    step = one.step()
    before, values = footprint(step), [value.clone() for value in tensors(step)]
    x = views_of(one)[0]
    logits = step.predict(x)
    assert list(footprint(step)) == list(before)
    assert equal(list(tensors(step)), values)
    assert not logits.requires_grad
    if type(step).predicted is Step.predicted:
        assert torch.equal(logits, deepcopy(step.model).eval()(x))


def test_what_is_left_at_the_null_point_perturbs_nothing():
    for spec in SHIPPED:
        if no_null(taxo.load(spec)) is None:
            assert list(simple(at_null(taxo.load(spec))).perturbations()) == []

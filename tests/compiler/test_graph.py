"""The graph and the plan: in what order acts act, which passes they share, what a step costs."""

from __future__ import annotations

import pytest

import taxo
from taxo.catalog import load
from taxo.compiler import Graph, Plan, compile_program, lower, schedule, simplify

PRIOR = "direction mixed infer prior granularity sample"
ATTACK = (
    "direction negative granularity sample infer adversarial maximize loss within linf(0.1), box "
    "via pgd(steps: {steps}, step: 0.05)"
)
CLIMB = "direction negative granularity corpus infer adversarial maximize loss within l2(0.1) via linearized"
PULL = (
    "direction positive granularity sample infer adversarial minimize loss within linf(1) "
    "via gradient(steps: 1, step: 1)"
)


def graph(text: str) -> Graph:
    return lower(simplify(taxo.parse(f"method m {text}")))


def plan(text: str) -> Plan:
    return schedule(graph(text))


def test_acts_follow_the_line_then_the_source():
    """Language: weights, features, logits, labels, loss; within one target, source order."""
    found = graph(
        f"perturb loss by loss {{ {PRIOR} }} perturb labels by 0.1 * (1 / C - y) {{ {PRIOR} }} "
        f"perturb logits by u {{ {PRIOR} }} perturb features by 0.1 * x {{ {PRIOR} }} "
        f"perturb weights by 0.1 * w {{ direction mixed infer prior granularity corpus }} "
        f"perturb logits by 2 * u {{ {PRIOR} }} perturb features by 0.2 * x {{ {PRIOR} }}"
    )
    (line,) = found.lines
    order = ["weights", "features", "features2", "logits", "logits2", "labels", "loss"]
    assert [act.key for act in line.in_order()] == order
    sources = ["loss", "labels", "logits", "features", "weights", "logits2", "features2"]
    assert [act.key for act in found.acts()] == sources


def test_every_edge_goes_down_the_line():
    import networkx

    found = graph(f"perturb features by 0.1 * x {{ {PRIOR} }} perturb logits by u {{ {PRIOR} }}")
    assert networkx.is_directed_acyclic_graph(found.net)
    features, logits = found.acts()
    assert found.upstream(logits, 0) == {"features"}
    assert found.upstream(features, 0) == set()


def test_clean_values_are_shared_where_nothing_acts_before_the_logits():
    shared = graph(f"perturb logits by u {{ where clean.loss > 1 {PRIOR} }}")
    apart = graph(f"perturb features by 0.1 * x {{ where clean.loss > 1 {PRIOR} }}")
    assert shared.clean_is_shared()
    assert not apart.clean_is_shared()
    assert [one.kind for one in schedule(shared).passes] == ["train"]
    assert [one.kind for one in schedule(apart).passes] == ["clean", "train"]


def test_an_inference_inside_the_training_pass_costs_nothing():
    assert plan(f"perturb logits by v {{ {PULL} }}").cost == "1 F + 1 B"


def test_an_attack_below_does_not_reach_the_logits_above():
    """Inferring follows the source: the pull is found without the attack that is written below it."""
    attack = f"perturb features by d {{ {ATTACK.format(steps=3)} }}"
    pull = f"perturb logits by v {{ {PULL} }}"
    assert [one.kind for one in plan(f"{pull} {attack}").passes] == ["reach", "infer", "train"]
    assert [one.kind for one in plan(f"{attack} {pull}").passes] == ["infer", "train"]
    assert plan(f"{pull} {attack}").cost == "5 F + 4 B"
    assert plan(f"{attack} {pull}").cost == "4 F + 4 B"


@pytest.mark.parametrize(
    ("where", "share"),
    [
        ("", 1.0),
        ("where clean.loss in top(25%)", 0.25),
        ("where not clean.loss in top(25%)", 0.75),
        ("where clean.loss > 1", 1.0),
        ("where clean.loss in top(25%) and clean.correct", 1.0),
    ],
)
def test_a_selection_of_known_size_is_all_that_is_attacked(where: str, share: float):
    found = plan(f"perturb features by d {{ {where} {ATTACK.format(steps=4)} }}")
    (attack,) = (one for one in found.passes if one.kind == "infer")
    assert (attack.count, attack.share, attack.norm) == (4, share, "frozen")
    assert found.backwards == 1 + 4 * share


def test_an_attack_on_moved_images_runs_on_the_whole_batch():
    found = plan(
        f"perturb features by 0.1 * x {{ {PRIOR} }} "
        f"perturb features by d {{ where clean.loss in top(25%) {ATTACK.format(steps=2)} }}"
    )
    assert [one.share for one in found.passes] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "kinds", "norms", "cost"),
    [
        (f"perturb weights by v {{ {CLIMB} }}", ["infer", "train"], ["update", "batch"], "2 F + 2 B"),
        (
            f"perturb features by d {{ {ATTACK.format(steps=2)} }} perturb weights by v {{ {CLIMB} }}",
            ["infer", "infer", "train"],
            ["frozen", "update", "batch"],
            "4 F + 4 B",
        ),
        (
            f"perturb weights by v {{ {CLIMB} }} perturb features by d {{ {ATTACK.format(steps=2)} }}",
            ["infer", "infer", "train"],
            ["update", "frozen", "batch"],
            "4 F + 4 B",
        ),
        (
            f"perturb weights by abs(w) * v {{ {CLIMB} }}",
            ["infer", "train"],
            ["update", "batch"],
            "2 F + 2 B",
        ),
    ],
)
def test_plans(text: str, kinds: list[str], norms: list[str], cost: str):
    found = plan(text)
    assert [one.kind for one in found.passes] == kinds
    assert [one.norm for one in found.passes] == norms
    assert found.cost == cost


# what is learned, and what looks ahead from a training pass, comes behind it
BEHIND = ("learn", "look ahead", "held out", "invert", "look back", "teacher")


@pytest.mark.parametrize(
    "spec", [*taxo.methods(), "mixpert(eps: 8/255)", "mixpert(eps: 8/255, clean_share: 40%)"]
)
def test_exactly_one_pass_updates_the_running_statistics(spec: str):
    passes = compile_program(load(spec)).plan.passes
    assert [one.norm for one in passes].count("update") == 1
    assert [one.kind for one in passes if one.kind not in BEHIND][-1] == "train"


def test_a_plan_in_words():
    passes = [str(one) for one in compile_program(load("mixpert(eps: 8/255)")).plan.passes]
    assert passes == [
        "clean: forward, norm batch",
        "infer d: 5 x (forward + backward) on 85% of the rows, norm frozen",
        "train: forward + backward, norm update",
    ]
    assert compile_program(load("mixpert(eps: 8/255)")).plan.cost == "6.25 F + 5.25 B"

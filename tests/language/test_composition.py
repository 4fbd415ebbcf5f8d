"""Methods that use others: one method in the end, conflicts said, and pairs worth a thought pointed out."""

from pathlib import Path

import pytest
import torch

import taxo
from taxo.catalog import library_for, load, look, whole
from taxo.compiler import compile_program, lower, schedule, simplify
from taxo.language.check import check
from taxo.language.errors import TaxoError
from taxo.language.scope import Scope
from taxo.variants import split_reference, variant

SMOOTH = "perturb labels by lam * (1 / C - y) { direction mixed infer prior granularity category }"
SHAKE = "perturb weights by w * xi { direction mixed infer prior granularity corpus }"
BY_HAND = f"method both param lam = 0.1 draw xi ~ normal(0, 0.2) per batch like w {SMOOTH} {SHAKE}"
MIX = """
draw lam ~ uniform(0, 1) per batch
draw k ~ permutation per batch
perturb features by lam * (x[k] - x) { direction mixed infer prior granularity sample }
perturb labels by lam * (y[k] - y) { direction mixed infer prior granularity sample }
"""
ATTACK = """
perturb {target} by d {{
  direction {direction} granularity {grain}
  infer adversarial {goal} loss within {region} via linearized
}}
"""


def write(folder: Path, name: str, text: str) -> str:
    (folder / f"{name}.taxo").write_text(f"method {name}\n{text}")
    return str(folder / f"{name}.taxo")


def said(reference: str) -> list[tuple[str, str]]:
    """Codes and messages of what is found in a composition."""
    method = load(reference)
    found = check(method, library=library_for(method))
    return [(one.code, one.message) for one in found]


def test_it_is_the_method_written_by_hand():
    x, y = torch.rand(6, 5), torch.arange(6) % 3

    def after(method: str | taxo.Method) -> torch.Tensor:
        torch.manual_seed(0)
        model = torch.nn.Linear(5, 3)
        return taxo.compile(method, model, classes=3, seed=7)(x, y)

    by_hand = after(taxo.parse(BY_HAND))
    torch.testing.assert_close(after("label_smoothing+damp"), by_hand)
    torch.testing.assert_close(after("damp+label_smoothing"), by_hand)


def test_names_are_the_owners_own():
    method = whole(load("label_smoothing+damp"))
    assert [param.name.text for param in method.params][:2] == ["label_smoothing.lam", "damp.sigma"]
    assert [setting.name.text for setting in method.null] == ["label_smoothing.lam", "damp.sigma"]
    assert [item.target.text for item in method.perturbations()] == ["labels", "weights"]


def test_values_are_set_in_brackets_and_by_dotted_names():
    brackets = load("label_smoothing(lam: 0.3)+damp")
    dotted = variant(load("label_smoothing+damp"), {"label_smoothing.lam": 0.3}, library_for(brackets))
    assert whole(brackets) == whole(dotted)
    step = taxo.compile("label_smoothing+damp", torch.nn.Linear(4, 3), classes=3, params={"damp.sigma": 0.1})
    assert "damp__sigma = 0.1" in step.program.text


@pytest.mark.parametrize("name", ["damp.sgma", "dmap.sigma", "sigma"])
def test_a_wrong_dotted_name_is_told(name: str):
    method = load("label_smoothing+damp")
    with pytest.raises(TaxoError, match="T403"):
        variant(method, {name: 0.1}, library_for(method))


def test_source_order_says_what_an_inference_sees():
    def passes(reference: str) -> list[str]:
        return [str(one) for one in schedule(lower(simplify(whole(load(reference))))).passes]

    assert passes("pgd_at(steps: 2)+sam") != passes("sam+pgd_at(steps: 2)")
    assert passes("pgd_at(steps: 2)+label_smoothing")[-1] == passes("label_smoothing+pgd_at(steps: 2)")[-1]


def test_text_and_json_keep_the_uses(tmp_path: Path):
    path = write(tmp_path, "mine", "use label_smoothing(lam: 0.2)\nuse damp\n")
    method, findings = look(path)
    assert findings == []
    assert taxo.parse(str(method)) == method == taxo.Method.from_json(method.to_json())
    built = taxo.method("mine").use("label_smoothing(lam: 0.2)").use("damp").build()
    assert built == method


def test_neighbours_come_before_shipped_methods(tmp_path: Path):
    write(tmp_path, "damp", "perturb loss by loss { direction negative infer prior granularity corpus }")
    mine = load(write(tmp_path, "mine", "use damp\n"))
    assert [item.target.text for item in whole(mine).perturbations()] == ["loss"]


def test_paths_can_be_composed(tmp_path: Path):
    path = write(
        tmp_path, "mine", "perturb loss by loss { direction negative infer prior granularity corpus }"
    )
    method = load(f"{path}+label_smoothing")
    assert method.name.text == "mine_label_smoothing"
    assert [item.target.text for item in whole(method).perturbations()] == ["loss", "labels"]
    assert said(f"{path}+label_smoothing") == []


def test_a_used_method_may_use_others(tmp_path: Path):
    write(tmp_path, "inner", "use label_smoothing(lam: 0.3)\n")
    outer = whole(load(write(tmp_path, "outer", "use inner\nuse sam\n")))
    names = {param.name.text: str(param.default) for param in outer.params}
    assert "inner.label_smoothing.lam" in names
    assert "compiled by taxo" in compile_program(outer).text


@pytest.mark.parametrize("name", ["mine", "other"])
def test_circles_of_uses_are_found(name: str, tmp_path: Path):
    write(tmp_path, "mine", "use other\n")
    write(tmp_path, "other", "use mine\n")
    with pytest.raises(TaxoError, match="T215"):
        load(str(tmp_path / f"{name}.taxo"))


def test_a_wrong_neighbour_is_named(tmp_path: Path):
    write(tmp_path, "inner", "perturb loss by q { direction mixed infer prior granularity sample }")
    with pytest.raises(TaxoError, match="`inner` is wrong itself: nothing declares `q`"):
        load(write(tmp_path, "outer", "use inner\n"))


CLAIMS = {
    "split": ("split 2\n", "split 3\n"),
    "base objective": ("loss mse\n", "loss hinge\n"),
    "head": ("needs cosine_head(16)\n", "needs outputs(C + 1)\n"),
    "branches": ("branch a weight 1 { }\n", "branch b weight 1 { }\n"),
}


@pytest.mark.parametrize("thing", CLAIMS)
def test_two_owners_of_one_thing_are_told_with_both_clauses(thing: str, tmp_path: Path):
    first, second = (write(tmp_path, f"m{n}", text) for n, text in enumerate(CLAIMS[thing]))
    with pytest.raises(TaxoError) as raised:
        load(f"{first}+{second}")
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("T212", f"`m0` and `m1` both claim the {thing}")
    assert [one.span.source.name for one in found.related] == [first, second]
    assert CLAIMS[thing][0].split()[-1].strip("}") in str(found)


def test_equal_claims_go_together(tmp_path: Path):
    clauses = "direction negative infer prior granularity sample"
    text = f"loss mse\nneeds teacher\nperturb loss by ce(teacher.u, y) {{ {clauses} }}"
    first, second = (write(tmp_path, f"m{n}", text) for n in range(2))
    assert "T212" not in [code for code, _ in said(f"{first}+{second}")]


STRICT = """
param strict = false in {false, true}
perturb loss by loss { where correct or not strict direction negative infer prior granularity sample }
"""


@pytest.mark.parametrize("truth", ["true", "false"])
def test_a_use_sets_a_truth(truth: str, tmp_path: Path):
    """Of a parameter that is one of two truths, the other one of which its domain lists."""
    write(tmp_path, "inner", STRICT)
    method = load(write(tmp_path, "outer", f"use inner(strict: {truth})\n"))
    (param,) = whole(method).params
    assert Scope(whole(method)).word(param.default) == truth


def test_a_use_sets_a_text(tmp_path: Path):
    """Which is no word of a domain, and not looked for among those."""
    method = whole(load(write(tmp_path, "outer", 'use dropconnect(sites: "head.*")\n')))
    (item,) = method.perturbations()
    assert item.at is not None
    assert Scope(method).word(item.at) == "head.*"


@pytest.mark.parametrize("other", ["label_smoothing", "esp"])
def test_labels_of_classes_do_not_fit_more_logits(other: str):
    """A form that spreads mass over the classes knows nothing of a logit for abstention."""
    for spec in (f"dac+{other}", f"{other}+dac"):
        with pytest.raises(TaxoError, match="T304"):
            load(spec)


@pytest.mark.parametrize("other", ["soft_bootstrapping", "cutmix", "adversarial_label_smoothing"])
def test_labels_of_as_many_entries_as_logits_fit(other: str):
    assert "T304" not in [code for code, _ in said(f"dac+{other}")]


def test_opposite_searches_at_one_place_are_doubtful(tmp_path: Path):
    texts = [
        ATTACK.format(target="logits", direction=direction, grain="sample", goal=goal, region="linf(1)")
        for direction, goal in (("positive", "minimize"), ("negative", "maximize"))
    ]
    first, second = (write(tmp_path, f"m{n}", text) for n, text in enumerate(texts))
    assert ("T306", "`m0` and `m1` pull the logits in opposite directions") in said(f"{first}+{second}")


def test_labels_read_before_they_are_mixed_are_doubtful(tmp_path: Path):
    mix = write(tmp_path, "mix", MIX)
    adjust = "perturb logits by -class_prior[y] * y { direction negative infer prior granularity category }"
    margin = write(tmp_path, "margin_of_class", adjust)
    wanted = ("T306", "`margin_of_class` reads `y` before `mix` has mixed the labels")
    assert wanted in said(f"{mix}+{margin}")
    assert wanted in said(f"{margin}+{mix}")


def test_the_order_of_two_on_one_value_is_noted(tmp_path: Path):
    mix = write(tmp_path, "mix", MIX)
    assert ("T307", "`mix` reads the `y` that both write: their order matters") in said(
        f"label_smoothing+{mix}"
    )
    assert [code for code, _ in said("label_smoothing+damp")] == []
    assert [code for code, _ in said("pgd_at+sam")] == []


def test_files_of_two_folders_cannot_be_composed(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = write(tmp_path / "a", "one", ""), write(tmp_path / "b", "two", "")
    with pytest.raises(TaxoError, match="lie in different folders"):
        load(f"{first}+{second}")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("a+b", ["a", "b"]),
        ("a(x: 1 + 2) + b", ["a(x: 1 + 2)", "b"]),
        ('a(x: "p+q")+b', ['a(x: "p+q")', "b"]),
        ("a+", ["a", ""]),
    ],
)
def test_references_are_split_where_they_are_joined(text: str, parts: list[str]):
    assert split_reference(text) == parts

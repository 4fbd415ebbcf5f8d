"""What couples the samples of a batch is found in the text, with its line."""

import pytest

import taxo
from taxo.language.method import Method
from taxo.laws.pools import chances, pools, simple
from taxo.laws.reasons import LAWS, coupled, no_null, unclaimed

TEXTS = {
    "perturb loss by 0.1 * loss { direction negative infer prior granularity sample }": [],
    """draw a ~ uniform(0, 1) per batch
    perturb loss by a * loss { direction negative infer prior granularity sample }""": [
        "2: `a` is drawn once for the batch"
    ],
    """draw a ~ uniform(0, 1) per sample
    perturb loss by a * loss { direction negative infer prior granularity sample }""": [],
    """draw a ~ permutation per batch
    perturb features by (x[a] - x) / 2 { direction mixed infer prior granularity sample }""": [
        "2: `a` is an order of the batch"
    ],
    """let hard = clean.loss in top(20%)
    perturb logits by u / 2 { where hard direction mixed infer prior granularity sample }""": [
        "2: `in top` ranks the samples of the batch"
    ],
    """perturb loss by mean_batch(stop(loss)) { direction negative infer prior granularity sample }""": [
        "2: `mean_batch` is a mean over the batch"
    ],
    """let tau = quantile(clean.loss, 0.5)
    perturb logits by u / 2 { where clean.loss > tau direction mixed infer prior granularity sample }""": [
        "2: `quantile` is a quantile of the batch"
    ],
    """state mean_loss per corpus = ema(mean_batch(loss), 0.9)
    perturb loss by loss * mean_loss { direction negative infer prior granularity sample }""": [
        "2: the state `mean_loss` is updated with every batch",
        "2: `mean_batch` is a mean over the batch",
    ],
    """state soft per category = mean(p, where: correct) every epoch from 1 / C
    perturb labels by 0.1 * (soft[y] - y) { direction mixed infer prior granularity category }""": [],
    """split 2
    perturb loss by 0.1 * loss { direction negative infer prior granularity sample }""": [
        "2: `split` cuts the batch into parts"
    ],
    """split 1
    perturb loss by 0.1 * loss { direction negative infer prior granularity sample }""": [],
    """perturb weights by v {
      direction negative infer adversarial maximize loss within l2(0.1) via linearized granularity corpus
    }""": ["3: `v` is found from the gradient of the batch"],
    """perturb features by d {
      direction negative granularity corpus
      infer adversarial maximize loss within linf(0.1) via sign(step: 0.1, start: kept)
    }""": [
        "3: the samples of a batch share `d`",
        "4: `d` starts where it ended in an earlier batch",
    ],
    """perturb logits by v {
      direction positive granularity sample
      infer regularization minimize loss + 0.3 * l1(v) via joint(lr: 6)
    }""": ["4: `joint` moves `v` once a batch"],
    """perturb loss by step / 100 * loss { direction negative infer prior granularity sample }""": [
        "2: `step` counts the batches"
    ],
    """param step = 2
    perturb loss by step * loss { direction negative infer prior granularity sample }""": [],
    """needs validation
    param tau = 1
    perturb logits by tau * log(class_prior) { direction mixed granularity corpus }
    infer meta over tau minimize loss on validation via lookahead(lr: 0.1)""": [
        "5: `tau` takes a step with every batch"
    ],
    """needs validation
    param tau = 1
    param rho = 1
    perturb logits by tau * log(class_prior) + rho { direction mixed granularity corpus }
    infer meta over tau, rho minimize loss on validation via lookahead(lr: 0.1)""": [
        "6: `tau`, `rho` take a step with every batch"
    ],
    """needs views(2)
    branch now weight 50% { }
    branch again on carry(view: 1) weight 50% { }""": ["4: `on carry` passes the batch before this one"],
}


def method(text: str) -> Method:
    return simple(taxo.parse(f"method mine\n{text}"))


@pytest.mark.parametrize("text", TEXTS)
def test_pools_name_the_clause(text: str):
    found = [str(one).removeprefix("<text>:") for one in pools(method(text))]
    assert found == TEXTS[text]


def test_what_parameters_leave_idle_couples_nothing():
    assert pools(simple(taxo.load("mixpert(pro: 0%)"))) == []
    assert pools(simple(taxo.load("sam(rho: 0)"))) == []
    assert pools(simple(taxo.load("damp(sigma: 0)"))) == []


def test_chances_are_draws_and_starts():
    assert [one.what for one in chances(simple(taxo.load("pgd_at")))] == ["`d` starts at random"]
    assert chances(simple(taxo.load("pgd_at(start: zero)"))) == []
    assert [one.what for one in chances(simple(taxo.load("damp")))] == ["`xi` is drawn anew for every batch"]
    made = [one.what for one in chances(simple(taxo.load("adversarial_kd")))]
    assert made == ["`generator` is made of noise for every batch"]


def test_reasons_of_compositions():
    found = coupled(taxo.load("label_smoothing+sam"))
    assert str(found) == "sam.taxo:11: `sam.v` is found from the gradient of the batch"
    assert no_null(taxo.load("label_smoothing+sam")) is None
    assert unclaimed(taxo.load("label_smoothing+sam")) is None
    assert unclaimed(taxo.load("label_smoothing+damp")) is not None


def test_a_part_without_a_null_point_waives_the_law(tmp_path):
    text = "method mine\nperturb loss by loss { direction negative infer prior granularity corpus }\n"
    (tmp_path / "mine.taxo").write_text(text)
    found = no_null(taxo.load(f"{tmp_path / 'mine.taxo'}+sam"))
    assert found is not None
    assert found.what == "`mine` names no null point"


def test_a_split_waives_the_null_law():
    found = no_null(taxo.load("damp(parts: 4)"))
    assert found is not None
    assert found.what == "`split` shows the norms other batches"


def test_a_claim_about_held_out_samples_is_no_claim_about_the_batch():
    text = """method mine
    perturb features by d {
      every round append direction positive on guide granularity sample
      infer meta minimize loss on guide(5%) via influence(step: 0.005)
    }"""
    found = unclaimed(taxo.parse(text))
    assert found is not None
    assert found.what == "`positive on guide` is about other samples"


def test_every_law_has_a_meaning():
    assert all(law.meaning[0].islower() and law.meaning[-1] != "." for law in LAWS.values())

"""What a program could not compute, or is given and cannot take, is told with a hint, not by Python."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import taxo
from taxo.compiler import compile_program
from tests.compiler.test_review import BATCH, SAMPLE, batch, step_of

REFUSED = {
    "a state in a search": """state seen per corpus = mean(clean.loss) before
      perturb features by d { direction negative granularity sample
        infer adversarial maximize loss * seen within linf(0.1) via pgd(steps: 1, step: 0.1) }""",
    "another batch": """branch old on carry weight 1 {}
      branch now weight 1 { perturb loss by l1(old.p - p) {
        direction negative infer prior granularity sample } }""",
    "classes and outputs": """needs outputs(C + 1)
      perturb logits by log(class_prior) { direction mixed infer prior granularity category }""",
    "half a view": """needs views(2)
      perturb features by view(0.5) - x { direction mixed infer prior granularity sample }""",
    "a view of predictions": """needs views(2)
      perturb features by view(1) - x { during always direction mixed infer prior granularity sample }""",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_not_there_where_it_is_read_is_refused(text: str):
    with pytest.raises(taxo.TaxoError, match="T210"):
        compile_program(taxo.parse(f'method m "A test."\n{text}'))


def test_a_draw_is_not_read_before_what_it_is_like():
    with pytest.raises(taxo.TaxoError, match="drawn like `u`"):
        step_of("""draw e ~ normal(0, 1) per sample like u
      perturb weights by max(mean_batch(e)) * w { direction mixed infer prior granularity corpus }""")


def test_integers_are_not_moved_in_silence():
    x, y, index = batch()
    step = step_of("perturb features by 0.1 { direction mixed infer prior granularity corpus }")
    with pytest.raises(taxo.TaxoError, match="at embedding"):
        step(x.long(), y, index)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"y": [0] * BATCH}, "`y` is a `list`"),
        ({"x": "image"}, "`x` is a `str`"),
        ({"index": torch.zeros(BATCH, 1)}, "T406"),
    ],
)
def test_a_batch_of_the_wrong_kind_is_told(given: dict[str, Any], told: str):
    x, y, index = batch()
    step = step_of(f"""perturb logits by v {{ direction positive {SAMPLE}
      infer regularization minimize loss + 0.1 * l2(v) via joint(lr: 1) }}""")
    with pytest.raises(taxo.TaxoError, match=told):
        step(**{"x": x, "y": y, "index": index, **given})


def test_a_pattern_of_several_modules_is_no_place_of_one_unknown():
    with pytest.raises(taxo.TaxoError, match="several modules"):
        step_of("""perturb features at "*" by d { direction negative granularity sample
          infer adversarial maximize loss within l2(1) via pgd(steps: 1, step: 1) }""")


def test_an_output_is_not_read_before_its_module_has_run():
    x, y, index = batch()
    step = step_of(
        'perturb features at "0" by mean(h("2")) { direction mixed infer prior granularity sample }'
    )
    with pytest.raises(taxo.TaxoError, match="has not run"):
        step(x, y, index)

"""What methods show beside where Table 1 of the survey files them (Yao & Wu, arXiv 2107.11921).

The paper's table was not at hand when this was written. Its rows here are those of which the project's own
design notes say where the paper files the method: a target (robust regression, deep self-learning), a
direction (soft bootstrapping), a manner (PolyLoss) or a granularity (label smoothing, AutoBalance). The rest
of each row is the design's, which notes no other difference; `?` stands where it says nothing of the paper's
direction. The paper's other methods are not in this table, and nothing is claimed of them.
"""

import pytest

import taxo
from tests.language.coordinates import Shown, derived, verdicts

TABLE_ONE = {
    "autobalance": "logits · ? · meta · corpus",
    "deep_self_learning": "loss · ? · prior · sample",
    "label_smoothing": "labels · ? · prior · sample",
    "polyloss": "loss · ? · prior · sample",
    "robust_regression": "features · ? · regularization · sample",
    "soft_bootstrapping": "labels · positive · prior · sample",
}
COORDINATES = ("target", "direction", "manner", "granularity")

# Which coordinate of which method differs, what its form shows, and why.
DIFFERENCES = {
    ("autobalance", "granularity"): ("category", "each class has a factor and an offset of its own"),
    ("deep_self_learning", "target"): ("labels", "cross entropy is linear in the label that it corrects"),
    ("label_smoothing", "granularity"): ("category", "samples of one label get the same one"),
    ("polyloss", "manner"): ("tuning", "its factor has a domain and is chosen on held-out data"),
    ("polyloss", "granularity"): ("corpus", "what is tuned is one factor for all samples"),
    ("robust_regression", "target"): ("labels", "what is taken off is an error of the target"),
    ("soft_bootstrapping", "direction"): (
        "mixed",
        "the entropy of a prediction can exceed the loss of a label that it believes in",
    ),
}


def shown(stem: str) -> Shown:
    """What the one perturbation of a method shows; random logits say the direction that its form does not."""
    (form,) = derived(stem)
    (tried,) = verdicts(stem) or ["?"]
    return Shown(
        form.target, tried if form.direction == "?" else form.direction, form.manner, form.granularity
    )


@pytest.mark.parametrize("stem", TABLE_ONE)
def test_a_method_differs_from_the_paper_where_the_table_says_why(stem: str):
    paper, form = Shown.of(TABLE_ONE[stem]), shown(stem)
    pairs = {name: (getattr(paper, name), getattr(form, name)) for name in COORDINATES}
    found = {(stem, name): mine for name, (theirs, mine) in pairs.items() if theirs not in ("?", mine)}
    listed = {key: mine for key, (mine, _) in DIFFERENCES.items() if key[0] == stem}
    assert found == listed


def test_every_listed_difference_is_about_a_row_and_has_a_reason():
    assert {stem for stem, _ in DIFFERENCES} <= set(TABLE_ONE)
    assert set(TABLE_ONE) <= set(taxo.methods())
    assert all(reason for _, reason in DIFFERENCES.values())

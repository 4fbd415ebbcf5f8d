"""Methods built in Python equal those written as text."""

import pytest

import taxo


def test_a_built_method_equals_its_file():
    built = (
        taxo.method(
            "logpert",
            title=taxo.load("logpert").title,
            summary=taxo.load("logpert").summary,
            cite=taxo.load("logpert").cite,
            null={"lam": float("inf")},
        )
        .param("lam", 0.3, choices=[0.175, 0.3, 0.35])
        .param("eta", 6, choices=[1.5, 3, 6, 12])
        .perturb(
            "logits",
            by="v",
            direction="positive",
            infer=taxo.regularization(minimize="loss + lam * l1(v)", via="joint(lr: eta)"),
        )
    )
    assert built.build() == taxo.load("logpert")
    assert hash(built.build()) == hash(taxo.load("logpert"))
    assert str(built) == str(taxo.load("logpert"))
    assert taxo.Method.from_json(built.to_json()) == built.build()


def test_branches_draws_lets_and_sites():
    built = (
        taxo.method("mine", split=2)
        .param("share", "40%", low=0, high=1)
        .draw("xi", "normal(0, 0.1)", per="batch", like="w")
        .let("hard", "clean.loss in top(share)")
        .branch("still", weight="share")
        .branch("moved", weight="1 - share")
        .perturb(
            "features",
            by="d",
            where="not hard",
            direction="negative",
            infer=taxo.adversarial(
                maximize="loss", within=["linf(0.1)", "box"], via="pgd(steps: 2, step: 0.1)"
            ),
            branch="moved",
        )
        .perturb("weights", at='"*"', by="w * xi", direction="mixed", infer="prior", granularity="corpus")
    )
    assert taxo.parse(str(built)) == built.build()


def test_a_builder_is_not_changed_by_its_calls():
    first = taxo.method("mine")
    first.param("unread", 1)
    assert str(first) == "method mine\n"


def test_the_checker_has_the_last_word():
    wrong = taxo.method("mine").perturb("logitz", by="v", direction="up", infer="prior")
    with pytest.raises(taxo.TaxoError, match="did you mean `logits`") as caught:
        wrong.build()
    assert {found.code for found in caught.value.diagnostics} >= {"T205"}


def test_a_goal_is_up_or_down():
    with pytest.raises(TypeError, match="either `minimize` or `maximize`"):
        taxo.regularization(via="joint(lr: 1)")


def test_a_built_method_compiles():
    import torch

    smooth = taxo.method("smooth").param("lam", 0.1, low=0, high=1)
    smooth = smooth.perturb("labels", by="lam * (1 / C - y)", direction="mixed", infer="prior")
    model = torch.nn.Linear(4, 3)
    x, y = torch.rand(8, 4), torch.arange(8) % 3
    ours = taxo.compile(smooth, model, classes=3)(x, y)
    theirs = taxo.compile("label_smoothing", model, classes=3)(x, y)
    assert torch.equal(ours, theirs)


def test_the_schema_names_the_words():
    schema = str(taxo.schema())
    for word in ("features", "adversarial", "corpus", "maximize"):
        assert f"'{word}'" in schema

"""Toys, batches, and what a method is given."""

import torch
from torch import nn

import taxo
from taxo.laws.subject import Subject, batch_norm, given_for, outputs, toys_for
from taxo.laws.toys import CLASSES, CONV, MLP, READER, SAMPLES
from taxo.laws.watch import changed, difference, footprint

FORM = "perturb loss by 0.1 * loss { direction negative infer prior granularity sample }"
WORDS = "perturb features at embedding by d { direction negative granularity sample \
infer adversarial maximize loss within linf(0.1) via linearized }"


def test_a_method_of_words_is_tried_on_words():
    assert toys_for(taxo.parse(f"method mine\n{WORDS}")) == (READER,)
    assert toys_for(taxo.load("sam")) == (MLP, CONV)


def test_every_toy_takes_its_batch():
    for toy in (MLP, CONV, READER):
        x, y, index = toy.batch(8, 3)
        assert toy.net(CLASSES, 0)(x).shape == (8, CLASSES)
        assert y.max() < CLASSES
        assert len(set(index.tolist())) == 8
        assert index.max() < SAMPLES
        again = toy.batch(8, 3)[0]
        assert torch.equal(x, again)
        assert not torch.equal(x, toy.batch(8, 4)[0])


def test_making_a_toy_leaves_torchs_own_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert torch.equal(next(CONV.net(5, 1).parameters()), next(CONV.net(5, 1).parameters()))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_is_as_wide_as_the_method_asks():
    method = taxo.parse(f"method mine\nneeds outputs(C + 1)\n{FORM}".replace("loss }", "loss }"))
    assert outputs(method) == CLASSES + 1
    assert Subject(method).net()(CONV.batch(2, 0)[0]).shape == (2, CLASSES + 1)
    assert outputs(taxo.load("sam")) == CLASSES


def test_only_what_compile_takes_is_given():
    assert {"classes", "samples", "class_counts", "seed"} <= set(given_for(taxo.load("sam"), CONV))


def test_batch_norm_in_training_couples_a_batch():
    found = batch_norm(CONV.net(5, 0))
    assert found is not None
    assert "`layer1.1`" in found.what
    assert batch_norm(CONV.net(5, 0).eval()) is None
    assert batch_norm(MLP.net(5, 0)) is None


def test_difference_is_infinite_between_unlike_things():
    one = torch.ones(3)
    assert difference([one], [one, one]) == float("inf")
    assert difference([one], [torch.ones(4)]) == float("inf")
    assert difference([one * float("nan")], [one]) == float("inf")
    assert difference([one], [one]) == 0
    assert difference([one * 11], [one * 10]) == 0.1


def test_a_footprint_names_what_changed():
    step = Subject(taxo.load("sam")).step()
    before = footprint(step)
    assert changed(before, footprint(step)) == ""
    step.model.get_submodule("fc").register_forward_hook(lambda *_: None)
    assert changed(before, footprint(step)) == "the hooks of `model.fc`"
    other = Subject(taxo.load("sam")).step()
    other.model.get_submodule("fc").add_module("more", nn.Identity())
    assert changed(before, footprint(other)) == "the hooks of `model.fc.more`"

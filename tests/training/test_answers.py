"""What a trained model answers, against the numbers written out."""

from __future__ import annotations

import pytest
import torch

from taxo.training.answers import answers, calibration_error, rarest
from taxo.training.choices import CORRUPTION_NAMES
from taxo.training.questions import questions
from taxo.training.run import prepare
from taxo.training.settings import change, sensible
from taxo.training.subject import Subject


@pytest.fixture(scope="module")
def subject() -> Subject:
    """A little trained, so that it errs on some of the samples."""
    run = prepare("plain", change(sensible(), {"model": "mlp", "imbalance": "exp:10", "lr": "0.1"}))
    for rows in torch.arange(len(run.data.train)).split(30):
        run.step(run.data.train.x[rows], run.data.train.y[rows], rows).backward()
        run.optimizer.step()
        run.optimizer.zero_grad()
    return Subject(run.step, run.data, 0)


def asked(subject: Subject, text: str) -> dict[str, list[float]]:
    (found,) = answers(subject, questions(text, "--evaluate")).values()
    return {name: list(values) for name, values in found.items()}


def outcomes(subject: Subject) -> list[tuple[int, list[float]]]:
    """The label and the logits of each test sample."""
    logits = subject.step.predict(subject.test.x).double()
    return list(zip(subject.test.y.tolist(), logits.tolist(), strict=True))


def test_accuracy_whole_and_by_class(subject: Subject):
    right = [(y, u.index(max(u)) == y) for y, u in outcomes(subject)]
    share = sum(hit for _, hit in right) / len(right)
    assert 0.3 < share < 0.95
    assert asked(subject, "accuracy") == {"accuracy": [pytest.approx(share)]}
    by_class = asked(subject, "classes")
    assert list(by_class) == [str(label) for label in range(10)]
    for label in range(10):
        hits = [hit for y, hit in right if y == label]
        assert by_class[str(label)] == [pytest.approx(sum(hits) / len(hits))]


@pytest.mark.parametrize(("k", "most"), [(1, 1), (3, 3), (5, 5), (100, 10)])
def test_the_label_among_the_first(subject: Subject, k: int, most: int):
    hits = [y in sorted(range(10), key=lambda c, u=u: -u[c])[:most] for y, u in outcomes(subject)]
    assert asked(subject, f"top(k: {k})") == {"top": [pytest.approx(sum(hits) / len(hits))]}


def test_the_tail_is_the_rarest_classes_in_training(subject: Subject):
    right = [(y, u.index(max(u)) == y) for y, u in outcomes(subject)]
    tail, rest = ([hit for y, hit in right if (y in (7, 8, 9)) == rare] for rare in (True, False))
    assert asked(subject, "tail") == {
        "tail": [pytest.approx(sum(tail) / len(tail))],
        "rest": [pytest.approx(sum(rest) / len(rest))],
    }
    assert asked(subject, "tail(share: 1)")["rest"] == []


def test_which_classes_are_rarest():
    assert rarest([5, 1, 9, 1], 0.5) == [3, 1]
    assert rarest([4, 4, 4], 1 / 3) == [2]
    assert rarest([4, 4, 3], 0.01) == [2]


def test_calibration_by_hand():
    # two bins: 0.1 and 0.5 in the first, 0.6 and 1.0 in the second
    confidence, hits = torch.tensor([0.1, 0.5, 0.6, 1.0]), torch.tensor([False, True, True, True])
    expected = 0.5 * abs(0.3 - 0.5) + 0.5 * abs(0.8 - 1.0)
    assert calibration_error(confidence, hits, 2) == pytest.approx(expected, abs=1e-7)
    assert calibration_error(confidence, hits, 1) == pytest.approx(abs(0.55 - 0.75), abs=1e-7)
    assert calibration_error(torch.ones(3), torch.ones(3, dtype=torch.bool), 15) == 0
    assert calibration_error(torch.ones(4), torch.tensor([True, False, False, False]), 15) == 0.75


def test_calibration_of_a_model(subject: Subject):
    bins: dict[int, list[float]] = {}
    for y, u in outcomes(subject):
        p = torch.tensor(u, dtype=torch.float64).softmax(0)
        bins.setdefault(min(int(float(p.max()) * 10), 9), []).append(float(p.max()) - (int(p.argmax()) == y))
    expected = sum(abs(sum(gaps)) for gaps in bins.values()) / len(subject.test)
    found = asked(subject, "calibration(bins: 10)")
    assert found["error"] == [pytest.approx(expected)]
    gaps = [a - b for a, b in zip(found["confidence"], found["accuracy"], strict=True)]
    assert found["share"] == pytest.approx([len(bins[place]) / len(subject.test) for place in sorted(bins)])
    assert gaps == pytest.approx([sum(bins[place]) / len(bins[place]) for place in sorted(bins)])


def test_what_became_of_wrong_labels():
    run = prepare("plain", change(sensible(), {"model": "mlp", "noise": "pair:20%"}))
    subject = Subject(run.step, run.data, 0)
    train, said = run.data.train, run.step.predict(run.data.train.x).argmax(1).tolist()
    wrong = [
        (y, c, u) for y, c, u in zip(train.y.tolist(), train.clean.tolist(), said, strict=True) if y != c
    ]
    assert len(wrong) == round(0.2 * len(train))
    assert asked(subject, "memorisation") == {
        "given": [pytest.approx(sum(y == u for y, _, u in wrong) / len(wrong))],
        "right": [pytest.approx(sum(c == u for _, c, u in wrong) / len(wrong))],
    }


def test_margins(subject: Subject):
    margins = [u[y] - max(value for c, value in enumerate(u) if c != y) for y, u in outcomes(subject)]
    found = asked(subject, "margins")
    assert found["mean"] == [pytest.approx(sum(margins) / len(margins))]
    tenths = found["tenths"]
    assert (tenths[0], tenths[10]) == (pytest.approx(min(margins)), pytest.approx(max(margins)))
    assert tenths == sorted(tenths)


def test_an_attack_of_no_radius_is_clean_accuracy(subject: Subject):
    clean = asked(subject, "accuracy")["accuracy"]
    assert asked(subject, "attack(eps: 0, steps: 2)") == {"FGSM": clean, "PGD": clean}
    found = asked(subject, "attack(eps: 16/255)")
    assert found["PGD"] <= found["FGSM"] < clean


def test_corruptions_each_at_five_severities(subject: Subject):
    found = asked(subject, "corruptions")
    assert list(found) == list(CORRUPTION_NAMES)
    assert {len(errors) for errors in found.values()} == {5}
    assert found["contrast"][4] > found["contrast"][0]
    assert asked(subject, "corruptions") == found  # the draws are the seed's


def test_without_any_change_corruptions_have_the_clean_error(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("taxo.training.answers.corrupt", lambda x, name, severity, dice: x)
    clean = 1 - asked(subject, "accuracy")["accuracy"][0]
    for errors in asked(subject, "corruptions").values():
        assert errors == [pytest.approx(clean)] * 5


def test_asking_leaves_the_step_as_it_was(subject: Subject):
    before = {name: value.clone() for name, value in subject.step.state_dict().items()}
    random = torch.get_rng_state()
    subject.step.train()
    answers(subject, questions("attack(steps: 2), corruptions, margins", "--evaluate"))
    assert subject.step.training
    assert torch.equal(torch.get_rng_state(), random)
    after = subject.step.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(weight.grad is None for weight in subject.step.model.parameters())

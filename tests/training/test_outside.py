"""What methods ask for from outside and the trainer gives: a teacher, views, corruptions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from taxo.training import checkpoint
from taxo.training.data import load
from taxo.training.held import held_batches
from taxo.training.run import prepare
from taxo.training.settings import change, sensible

from .conftest import press_ctrl_c
from .test_train import SHORT, lines, same

SPECS = {
    "taught": """
needs teacher

perturb loss by kl(softmax(teacher.u), p) - loss {
  direction   mixed
  infer       prior
  granularity sample
}""",
    "viewed": """
needs views(2)

perturb features by view(1) - x {
  direction   mixed
  infer       prior
  granularity sample
}""",
    "foresighted": """
needs validation

param t per category = 0.1

perturb logits by t[y] * p {
  direction   mixed
  granularity sample
}

infer meta over t minimize loss on validation via lookahead(lr: lr, optimizer: adam(0.01))
""",
    "taught_by_a_learner": """
needs teacher, validation

perturb loss by ce(u, teacher.p) - loss {
  direction   mixed
  granularity sample
}

infer meta over teacher minimize loss on validation via lookahead(lr: lr, optimizer: sgd(lr, momentum: 0.9))
""",
    "foggy": """
needs corruption(kind, 2)

param kind = "gaussian_noise"

perturb features by corrupted - x {
  direction   mixed
  infer       prior
  granularity sample
}""",
}


@pytest.fixture
def spec(tmp_path: Path):
    """The file name of a method that asks for something."""

    def write(name: str) -> str:
        text = f'method {name}\n  "A test"\n  "It asks for something."\n{SPECS[name]}\n'
        (tmp_path / f"{name}.taxo").write_text(text)
        return f"{name}.taxo"

    return write


@pytest.mark.parametrize("name", SPECS)
def test_what_is_asked_for_is_given_and_resumed_bit_for_bit(
    run_command, tmp_path: Path, trouble, spec, name: str
):
    words = [spec(name), *SHORT, "--quiet"]
    if "taught" in name:
        assert run_command("train", "plain", *SHORT, "--quiet", "--output", "teacher") == 0
        words += ["--teacher", "teacher"]
    if "infer meta" in SPECS[name]:
        words += ["--clean-validation", "150", "--batch-size", "64"]
    assert run_command("train", *words, "--output", "whole") == 0
    patch = trouble(press_ctrl_c, 8, name)
    assert run_command("train", *words, "--output", "a") == 130
    patch.undo()
    assert run_command("train", "--resume", "a", "--quiet") == 0
    assert same(tmp_path / "whole", tmp_path / "a")
    assert lines(tmp_path / "whole") == lines(tmp_path / "a")


def test_the_teacher_is_the_best_model_of_its_run(run_command, tmp_path: Path, spec):
    assert run_command("train", "plain", *SHORT, "--quiet", "--output", "runs/of-0", "--seed", "0") == 0
    settings = change(sensible(), {"model": "linear", "teacher": "runs/of-{seed}"})
    run = prepare(spec("taught"), settings)
    assert run.step.teaching is not None
    taught = run.step.teaching[0]
    best = checkpoint.load(tmp_path / "runs" / "of-0" / "best").part("step.model")
    assert all(torch.equal(value, best[name]) for name, value in taught.state_dict().items())
    assert not any(weight.requires_grad for weight in taught.parameters())
    data = run.data.train
    u = run.step.model.train()(data.x[:50]).double()
    with torch.no_grad():
        p = taught.eval()(data.x[:50]).double().softmax(1)
    expected = (p * (p.log() - u.log_softmax(1))).sum(1).mean()
    assert float(run.step(data.x[:50], data.y[:50]).detach()) == pytest.approx(
        float(expected.detach()), rel=1e-4
    )


def test_a_teacher_that_is_learned_begins_as_the_best_model_and_moves(run_command, tmp_path: Path, spec):
    assert run_command("train", "plain", *SHORT, "--quiet", "--output", "teacher") == 0
    given = {"model": "linear", "teacher": "teacher", "clean_validation": "150"}
    run = prepare(spec("taught_by_a_learner"), change(sensible(), given))
    best = checkpoint.load(tmp_path / "teacher" / "best").part("step.model")
    kept = {name: value for name, value in run.step.state_dict().items() if name.startswith("teacher.")}
    assert {name.removeprefix("teacher.") for name in kept} >= set(best)
    assert all(torch.equal(kept[f"teacher.{name}"], value) for name, value in best.items())
    run.step(run.data.train.x[:50], run.data.train.y[:50])
    assert not all(torch.equal(run.step.state_dict()[f"teacher.{name}"], best[name]) for name in best)


def test_a_module_that_makes_inputs_is_for_loops_of_ones_own(run_command, capsys):
    assert run_command("train", "adversarial_kd", *SHORT, "--teacher", "nothing") == 2
    error = capsys.readouterr().err
    assert "error[T503]: `adversarial_kd` needs a generator, which `taxo train` has not" in error


def test_the_prior_is_how_often_training_samples_have_each_class():
    run = prepare("zla", change(sensible(), {"model": "linear", "imbalance": "exp:10"}))
    train = run.data.train
    prior = train.y.bincount() / len(train)
    u = run.step.model(train.x[:20])
    expected = torch.nn.functional.cross_entropy(u + prior.log(), train.y[:20])
    torch.testing.assert_close(run.step(train.x[:20], train.y[:20]), expected)


def test_clean_samples_are_set_apart_whatever_is_done_to_the_others():
    words = {"noise": "random:50%", "imbalance": "exp:10", "clean_validation": "100"}
    data = load(change(sensible(), words), torch.device("cpu"))
    usual = load(
        change(sensible(), {name: words[name] for name in ("noise", "imbalance")}), torch.device("cpu")
    )
    held = data.held
    assert held is not None
    assert len(held) == 100
    assert not bool(held.flipped.any())
    assert float(data.train.flipped.float().mean()) == pytest.approx(0.5, abs=0.01)
    assert held.clean.bincount().amin() >= 9  # of all classes alike
    rows = [set(part.origin.tolist()) for part in (held, data.train, data.validation, data.test)]
    assert len(set.union(*rows)) == sum(map(len, rows))
    assert torch.equal(data.test.origin, usual.test.origin)
    assert data.sizes.endswith(", 100 held out")
    assert not usual.held


def test_held_out_batches_are_of_about_equal_size():
    settings = change(sensible(), {"clean_validation": "130", "batch_size": "64"})
    data = load(settings, torch.device("cpu"))
    found = held_batches(data.held, settings)
    assert [len(y) for _, y in found] == [44, 43, 43]
    assert data.held is not None
    assert torch.equal(torch.cat([y for _, y in found]).bincount(), data.held.y.bincount())
    assert held_batches(None, settings) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "`foresighted` needs held-out data\n  help: `--clean-validation 100`"),
        (("--clean-validation", "5000"), "`--clean-validation 5000` leaves no training sample"),
        (("--clean-validation", "some"), "`--clean-validation` cannot be `some`"),
    ],
)
def test_held_out_data_that_do_not_fit(run_command, capsys, spec, words: tuple[str, ...], message: str):
    assert run_command("train", spec("foresighted"), *words, "--model", "mlp", "--epochs", "1") in (1, 2)
    error = capsys.readouterr().err
    assert "error[T503]" in error
    assert message in error


def test_views_are_not_the_samples_and_every_step_draws_others(run_command, tmp_path: Path, spec):
    assert run_command("train", spec("viewed"), *SHORT, "--quiet", "--output", "a") == 0
    meters = [line["meters"] for line in lines(tmp_path / "a")]
    sizes = [float(meter["features"]["size"]) for meter in meters]
    assert min(sizes) > 0
    assert len(set(sizes)) == 3


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), "T503", "`taught` needs a teacher\n  help: `--teacher RUN`"),
        (("--teacher", "nothing"), "T507", "`nothing` holds no run"),
        (("--teacher", "teacher", "--data", "iris"), "T503", "learned on `digits`, and this run has `iris`"),
        (("--teacher", "teacher", "--seed", "1"), "T503", "of seed 0 has seen test samples of seed 1"),
    ],
)
def test_a_teacher_that_does_not_fit(
    run_command, capsys, spec, words: tuple[str, ...], code: str, message: str
):
    assert run_command("train", "plain", *SHORT, "--quiet", "--output", "teacher") == 0
    run_command("train", spec("taught"), *words, "--model", "mlp", "--epochs", "1")
    error = capsys.readouterr().err
    assert f"error[{code}]" in error
    assert message in error


def test_settings_say_what_was_done_to_the_data(run_command, tmp_path: Path):
    words = ("--imbalance", "exp:10", "--corrupt", "fog:2", "--noise", "asymmetric:10%")
    assert run_command("train", "plain", *words, "--epochs", "1", "--quiet", "--output", "a") == 0
    settings = json.loads((tmp_path / "a" / "run.json").read_text())["settings"]
    assert (settings["imbalance"], settings["corrupt"]) == ("exp:10.0", "fog:2")
    assert settings["noise"] == "asymmetric:10%"
    train = load(
        change(sensible(), {"imbalance": "exp:10", "noise": "asymmetric:10%"}), torch.device("cpu")
    ).train
    assert int(train.flipped.sum()) == round(0.1 * len(train))


def test_a_method_may_need_more_outputs_than_classes(run_command, tmp_path: Path):
    words = ("--epochs", "1", "--model", "linear", "--quiet", "--output", "a")
    assert run_command("train", "dac", *words) == 0
    weight = checkpoint.load(tmp_path / "a" / "last").tensors["step.model.fc.weight"]
    assert weight.shape == (11, 64)


@pytest.mark.parametrize("model", ["cnn", "mlp", "linear", "resnet20"])
def test_the_layers_are_where_methods_look_for_them(model: str):
    settings = change(sensible(), {"model": model})
    run = prepare("manifold_mixup", settings)
    x, y = run.data.train.x[:8], run.data.train.y[:8]
    assert bool(run.step(x, y, torch.arange(8)).isfinite())

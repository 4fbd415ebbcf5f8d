"""Updates: in parts, in half precision, averaged; begun elsewhere, and with weights that stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from taxo.language.errors import TaxoError
from taxo.training import inputs, run
from taxo.training.average import Average
from taxo.training.folder import RunFolder, trained
from taxo.training.inputs import Files
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.models import build
from taxo.training.run import Run, prepare, restore, snapshot
from taxo.training.settings import Settings, change

from . import files
from .test_loop import BATCHES, DATA, SMALL, Memory, same, timeless, train

METHOD = "logpert"
OPTIONS: dict[str, dict[str, str]] = {
    "average": {"ema": "0.9"},
    "parts": {"accumulate": "3"},
    "bfloat": {"precision": "bf16"},
    "half": {"precision": "16", "lr": "0.01"},
    "clipped": {"clip": "0.5", "warmup": "1", "schedule": "linear"},
    "steps": {"schedule": "multistep:1,2", "optimizer": "adamw", "lr": "0.001"},
    "augmented": {"augment": "randaugment"},
    "frozen": {"freeze": "layer1.*,layer2.*"},
    "compiled": {"compile": "on"},
    "corrupted": {"corrupt": "fog:2", "imbalance": "step:3", "noise": "asymmetric:10%"},
    "all": {"ema": "0.99", "accumulate": "2", "precision": "16", "clip": "1", "augment": "augmix"},
}


@pytest.fixture
def quick_compiler(monkeypatch: pytest.MonkeyPatch):
    """Graphs are captured as ever, and run as they are."""
    monkeypatch.setattr(run, "COMPILING", {"backend": "eager"})


def new(settings: Settings, **changes: str) -> Run:
    settings = change(settings, changes)
    own = {"corrupt", "imbalance", "noise"} & changes.keys()
    return prepare(METHOD, settings, None if own else DATA)


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize("name", OPTIONS)
def test_stopped_and_resumed_is_uninterrupted_with_each_option(name: str):
    whole = new(SMALL, **OPTIONS[name])
    expected = train(whole)
    memory = Memory(StopRequest(), BATCHES + 3)
    with pytest.raises(Interrupted):
        train(new(SMALL, **OPTIONS[name]), memory)
    torch.rand(17)
    resumed = new(SMALL, **OPTIONS[name])
    restore(resumed, memory.saved[-1])
    history = train(resumed, history=memory.recorded)
    assert same(snapshot(resumed), snapshot(whole))
    assert timeless(history) == timeless(expected)
    assert expected[-1].train_accuracy > expected[0].train_accuracy * 0.9


def test_images_that_are_read_ahead_are_resumed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inputs, "RESIDENT", 0)
    monkeypatch.setattr(inputs.inputs_of, "__defaults__", (0,))
    files.folders(tmp_path, each=40)
    words = {"data": f"folder:{tmp_path}", "model": "linear", "augment": "flip_crop", "workers": "2"}
    settings = change(replace(SMALL, noise=None), words | {"batch_size": "10", "epochs": "2"})

    def one() -> Run:
        return prepare("plain", settings)

    whole = one()
    assert isinstance(whole.data.train.inputs, Files)
    train(whole)
    memory = Memory(StopRequest(), 3)
    with pytest.raises(Interrupted):
        train(one(), memory)
    resumed = one()
    restore(resumed, memory.saved[-1])
    train(resumed, history=memory.recorded)
    assert same(snapshot(resumed), snapshot(whole))


def weights(of: Run) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in of.step.model.parameters()])


@pytest.mark.parametrize("parts", ["2", "3", "7"])
def test_parts_of_a_batch_are_the_batch(parts: str):
    settings = replace(SMALL, epochs=1)
    one, other = new(settings), new(settings, accumulate=parts)
    losses = [train(each)[0].train_loss for each in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert torch.allclose(weights(one), weights(other), atol=1e-6)


def test_the_average_is_of_all_weights_and_forgets_the_first():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    average, expected = Average(model, 0.95), None
    for count in range(40):
        with torch.no_grad():
            for value in model.state_dict().values():
                value.add_(1)
        average.update()
        decay = min(0.95, (1 + count) / (10 + count))
        value = model.get_parameter("0.weight").detach().double()
        start = value - 1 if expected is None else expected
        expected = decay * start + (1 - decay) * value
    assert expected is not None
    assert torch.allclose(average.tensors["0.weight"].double(), expected, atol=1e-4)
    assert int(average.tensors["1.num_batches_tracked"]) == 40


def test_what_is_measured_and_evaluated_is_the_average(run_command, tmp_path: Path):
    words = ("--model", "mlp", "--batch-size", "200", "--lr", "0.1", "--epochs", "2", "--ema", "0.9")
    assert run_command("train", "plain", *words, "--output", "a", "--quiet") == 0
    found = trained(RunFolder(tmp_path / "a"), "last")
    hits = found.step.predict(found.data.test.x).argmax(1) == found.data.test.y
    line = (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()[-1]
    assert f'"test_accuracy": {float(hits.double().mean())}' in line


def test_measuring_gives_the_trained_weights_back():
    of = new(replace(SMALL, epochs=1), ema="0.9")
    assert of.average is not None
    before = snapshot(of)
    with of.average.in_place():
        assert torch.equal(weights(of), weights(of))
    assert same(before, snapshot(of))
    train(of)
    tensors = of.average.tensors
    assert any(not torch.equal(tensors[name], value) for name, value in of.step.model.state_dict().items())


@pytest.mark.parametrize(("bits", "kind"), [("bf16", torch.bfloat16), ("16", torch.float16)])
def test_passes_are_in_half_precision_and_weights_are_not(bits: str, kind: torch.dtype):
    of = new(replace(SMALL, epochs=1, lr=0.01), precision=bits)
    seen: set[torch.dtype] = set()
    head = dict(of.step.model.named_modules())["fc"]
    hook = head.register_forward_hook(lambda *given: seen.add(given[2].dtype) if of.step.training else None)
    train(of)
    hook.remove()
    assert seen == {kind}
    assert {weight.dtype for weight in of.step.model.parameters()} == {torch.float32}


def test_frozen_weights_stay():
    of = new(SMALL, freeze="layer1.*")
    before = {name: weight.detach().clone() for name, weight in of.step.model.named_parameters()}
    train(of)
    for name, weight in of.step.model.named_parameters():
        assert torch.equal(weight, before[name]) == name.startswith("layer1.")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("layers.*", r"T404.*no parameter is called `layers.\*`\n.*near:"),
        ("*", r"T503.*leaves nothing to train"),
    ],
)
def test_a_pattern_that_fits_nothing_or_all(pattern: str, message: str):
    with pytest.raises(TaxoError, match=message):
        new(SMALL, freeze=pattern)


def saved_as(kind: str, path: Path) -> Path:
    state = build("mlp", DATA, seed=9).state_dict()
    if kind == "safetensors":
        safetensors.torch.save_file(state, path / "w.safetensors")
        return path / "w.safetensors"
    wrapped = {f"module.{name}": value for name, value in state.items()}
    torch.save({"state_dict": wrapped, "epoch": 3} if kind == "nested" else state, path / "w.pt")
    return path / "w.pt"


@pytest.mark.parametrize("kind", ["safetensors", "plain", "nested"])
def test_a_run_begins_with_the_weights_of_a_file(tmp_path: Path, kind: str):
    of = new(SMALL, init=str(saved_as(kind, tmp_path)))
    expected = build("mlp", DATA, seed=9)
    assert all(map(torch.equal, of.step.model.parameters(), expected.parameters()))


def test_a_run_begins_with_another_runs_weights_and_resumes_without_it(run_command, tmp_path: Path):
    small = ("--model", "mlp", "--batch-size", "200", "--lr", "0.1", "--epochs", "2", "--quiet")
    assert run_command("train", "plain", *small, "--output", "a", "--ema", "0.9") == 0
    assert run_command("train", "plain", *small, "--output", "b", "--init", "a") == 0
    (tmp_path / "a").rename(tmp_path / "gone")
    assert run_command("train", "--resume", "b", "--quiet") == 0
    assert run_command("evaluate", "b", "accuracy") == 0
    assert run_command("train", "plain", *small, "--output", "c", "--init", "a") == 1


def test_a_head_for_other_classes_stays_new(tmp_path: Path):
    other = replace(DATA, classes=7)
    state = build("mlp", other, seed=9).state_dict()
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    of = new(SMALL, init=str(tmp_path / "w.safetensors"))
    own = of.step.model.state_dict()
    assert torch.equal(own["layer1.1.weight"], state["layer1.1.weight"])
    assert own["fc.weight"].shape == (10, 256)
    assert torch.equal(own["fc.weight"], build("mlp", DATA, SMALL.seed).state_dict()["fc.weight"])


def other_model(path: Path) -> None:
    safetensors.torch.save_file(build("linear", DATA, 0).state_dict(), path)


def other_shape(path: Path) -> None:
    state = build("mlp", DATA, 0).state_dict()
    safetensors.torch.save_file(state | {"layer2.0.weight": torch.zeros(3, 3)}, path)


def no_weights(path: Path) -> None:
    path.write_bytes(b"no")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (other_model, r"T507.*has no `layer1.1.weight`, and lacks 4 of"),
        (other_shape, r"T507.*`layer2.0.weight` in .* has the shape \[3, 3\], and not \[256, 256\]"),
        (no_weights, r"T507.*holds no weights that can be read"),
        (lambda path: None, r"T507.*holds no weights that can be read"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, write: Callable[[Path], None], message: str):
    write(tmp_path / "w.safetensors")
    with pytest.raises(TaxoError, match=message):
        new(SMALL, init=str(tmp_path / "w.safetensors"))


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return print, ("evil",)


def test_a_file_of_weights_runs_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.save({"x": Evil()}, tmp_path / "w.pt")
    with pytest.raises(TaxoError, match=r"T507"):
        new(SMALL, init=str(tmp_path / "w.pt"))
    assert "evil" not in capsys.readouterr().out

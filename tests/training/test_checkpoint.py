"""Checkpoints on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.training import checkpoint
from taxo.training.checkpoint import Checkpoint, Position, copy, load, save

POSITION = Position(epoch=3, batch=5, measured=False, seconds=0.1)


def state(value: float = 1.0) -> Checkpoint:
    shared = torch.full((4, 4), value)
    tensors = {
        "step.weight": shared,
        "step.tied": shared,
        "step.view": shared.t()[1:],
        "step.scalar": torch.tensor(7, dtype=torch.int64),
        "step.none": torch.zeros(0, 3),
        "random.cpu": torch.get_rng_state(),
    }
    return Checkpoint(POSITION, tensors)


def test_what_is_saved_is_loaded(tmp_path: Path):
    save(tmp_path / "last", state())
    back = load(tmp_path / "last")
    assert back.position == POSITION
    assert back.tensors.keys() == state().tensors.keys()
    assert all(torch.equal(back.tensors[name], value) for name, value in state().tensors.items())
    assert back.part("random").keys() == {"cpu"}
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_nothing_is_pickled(tmp_path: Path):
    save(tmp_path / "last", state())
    assert sorted(path.name for path in (tmp_path / "last").iterdir()) == ["state.json", "state.safetensors"]
    assert json.loads((tmp_path / "last" / "state.json").read_text())["position"]["epoch"] == 3


def test_saving_replaces(tmp_path: Path):
    save(tmp_path / "last", state(1.0))
    save(tmp_path / "last", state(2.0))
    copy(tmp_path / "last", tmp_path / "best")
    copy(tmp_path / "last", tmp_path / "best")
    assert float(load(tmp_path / "best").tensors["step.weight"][0, 0]) == 2.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last"]


@pytest.mark.parametrize("renames", [0, 1])
def test_a_stop_while_saving_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
):
    save(tmp_path / "last", state(1.0))
    done: list[Path] = []
    rename = Path.rename

    def stop(self: Path, target: Path) -> Path:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stop)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path / "last", state(2.0))
    assert float(load(tmp_path / "last").tensors["step.weight"][0, 0]) == 1.0
    save(tmp_path / "last", state(3.0))
    assert float(load(tmp_path / "last").tensors["step.weight"][0, 0]) == 3.0
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def cut_short(folder: Path) -> None:
    file = folder / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-9])


def flip_a_bit(folder: Path) -> None:
    file = folder / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def spoil_the_note(folder: Path) -> None:
    (folder / "state.json").write_text("{")


def lose_the_note(folder: Path) -> None:
    (folder / "state.json").unlink()


def another_format(folder: Path) -> None:
    (folder / "state.json").write_text(json.dumps({"format": "other 1"}))


@pytest.mark.parametrize("spoil", [cut_short, flip_a_bit, spoil_the_note, lose_the_note, another_format])
def test_a_broken_checkpoint_is_refused(tmp_path: Path, spoil):
    save(tmp_path / "last", state())
    spoil(tmp_path / "last")
    with pytest.raises(TaxoError, match=r"T507.*last` cannot be read"):
        load(tmp_path / "last")


def test_no_checkpoint(tmp_path: Path):
    with pytest.raises(TaxoError, match=r"T507.*no checkpoint in"):
        load(tmp_path / "last")


def test_torchs_generator_goes_back():
    before = checkpoint.random_state()
    first = torch.rand(3)
    checkpoint.set_random_state(before)
    assert torch.equal(torch.rand(3), first)

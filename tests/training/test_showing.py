"""How a batch is shown in a run: before the step, or by the step behind what acts on it raw."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

import taxo
from taxo.training.augment import augmented
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.run import Run, prepare, restore, snapshot
from taxo.training.settings import change
from taxo.training.showing import Showing
from taxo.training.update import update
from taxo.training.views import views

from .test_loop import DATA, SMALL, Memory, same, train

SETTINGS = change(replace(SMALL, noise=None), {"augment": "randaugment", "epochs": "2", "model": "linear"})
RAW = """method raw
draw noise ~ uniform(0, 0.02) per sample like x
{needs}
perturb features at raw by noise {{ direction mixed infer prior granularity sample }}"""


def new(needs: str = "", **words: str) -> Run:
    return prepare(taxo.parse(RAW.format(needs=needs)), change(SETTINGS, words), DATA)


def noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """Every batch of a run as the trainer gives it to the step, and as the step goes on with it."""
    seen: list[tuple[Tensor, Tensor]] = []
    call = run.call

    def noting(x: Tensor, *rest: object) -> object:
        loss = call(x, *rest)
        seen.append((x, run.step.views[0]))
        return loss

    monkeypatch.setattr(run, "call", noting)
    train(run)
    return seen


def test_what_is_shown_is_augmented_and_seen_in_views():
    x, dice = torch.rand(4, 3, 8, 8), torch.Generator().manual_seed(5)
    expected = views(augmented(x, "flip_crop", dice), 2, dice)
    showing = Showing("flip_crop", 2, 5)
    assert all(torch.equal(one, other) for one, other in zip(showing(x), expected, strict=True))
    assert not torch.equal(showing(x)[0], expected[0])
    showing.begin()
    assert torch.equal(showing(x)[0], expected[0])


def test_a_raw_batch_is_augmented_by_the_step_as_others_are_before_it(monkeypatch: pytest.MonkeyPatch):
    plain = noted(prepare("plain", SETTINGS, DATA), monkeypatch)
    raw = noted(new(), monkeypatch)
    assert len(plain) == len(raw)
    for (given, used), (x, shown) in zip(plain, raw, strict=True):
        assert torch.equal(given, used)
        assert float((x - shown).abs().mean()) > 0.1
        assert 0 < float((shown - used).abs().mean()) < 0.05  # but for the noise before it, the same


def test_replays_show_a_raw_batch_as_they_did(monkeypatch: pytest.MonkeyPatch):
    run, places = new("needs replays(2)"), list[Tensor]()
    x, rows, showing = run.data.train.x[:8], torch.arange(8), Showing("randaugment", 1, 3)
    shown = Showing.__call__

    def noted(self: Showing, x: torch.Tensor) -> object:
        again = shown(Showing(self.kind, self.count, self.seed), x)
        assert isinstance(again, torch.Tensor)
        found = shown(self, x)
        assert isinstance(found, torch.Tensor)
        places.extend([again, found])
        return found

    monkeypatch.setattr(Showing, "__call__", noted)
    update(run, x, rows, showing)
    assert len(places) == 4
    assert torch.equal(places[0], places[1])
    assert torch.equal(places[2], places[3])
    assert not torch.equal(places[0], x)


@pytest.mark.parametrize("words", [{}, {"accumulate": "2"}], ids=["whole", "parts"])
def test_stopped_and_resumed_is_uninterrupted(words: dict[str, str]):
    whole = new(**words)
    train(whole)
    memory = Memory(StopRequest(), 7)
    with pytest.raises(Interrupted):
        train(new(**words), memory)
    torch.rand(17)
    resumed = new(**words)
    restore(resumed, memory.saved[-1])
    train(resumed, history=memory.recorded)
    assert same(snapshot(resumed), snapshot(whole))

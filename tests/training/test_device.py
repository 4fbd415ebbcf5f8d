"""Devices."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.training.device import describe, pick, tuned
from taxo.training.run import prepare
from taxo.training.settings import change, sensible
from taxo.training.words import counted


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick("auto") == torch.device("cpu")
    with pytest.raises(TaxoError, match=r"T505.*no device `cuda`.*\n.*--device cpu"):
        pick("cuda")


@pytest.mark.parametrize(
    ("device", "said"),
    [("auto", "no device `cuda` on this machine"), ("cpu", "`--cuda-graph` needs a GPU, not `--device cpu`")],
)
def test_graphs_without_a_gpu(device: str, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TaxoError, match=rf"T505.*{said}"):
        prepare("plain", replace(sensible(), cuda_graph=True, device=device))


def test_graphs_of_compiled_code():
    with pytest.raises(TaxoError, match=r"T503.*`--cuda-graph` and `--compile`"):
        change(sensible(), {"cuda_graph": "on", "compile": "on"})


def test_a_gpu_is_taken_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [pick(name).type for name in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]


def test_the_cpu_is_described_with_its_threads():
    assert describe(torch.device("cpu")) == f"cpu, {counted(torch.get_num_threads(), 'thread')}"


def test_determinism_is_given_back():
    assert not torch.are_deterministic_algorithms_enabled()
    with tuned(replace(sensible(), deterministic=True)):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(("model", "threads"), [("cnn", 1), ("resnet20", 2)])
def test_tiny_models_take_one_thread_and_give_the_others_back(model: str, threads: int):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with tuned(replace(sensible(), model=model)):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)

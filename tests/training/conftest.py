"""A stand-in for `taxo.compile`, so that the loop's own promises are tested apart from the compiler's."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

import taxo
from taxo.language.errors import TaxoError, fail
from taxo.training.commands import register

KNOWN = ("plain", "table", "nan", "burst", "interrupt", "interrupt_twice", "memory")


@dataclass(frozen=True)
class Text:
    name: str
    body: str

    def __str__(self) -> str:
        return self.body


@dataclass(frozen=True)
class Passes:
    forwards: float = 1.0
    backwards: float = 1.0
    cost: str = "1 F + 1 B"


class Double(nn.Module):
    """Behaves as a compiled step does: `table` learns per sample and draws, `nan(40)` fails at step 40."""

    texts: Mapping[str, str] = {}

    def __init__(self, method: str, model: nn.Module, classes: int, samples: int, seed: int) -> None:
        super().__init__()
        name, _, rest = method.partition("(")
        if name not in KNOWN:
            fail("T201", f"no method `{name}`", help="did you mean `plain`?")
        self.model = model
        self.method = Text(name, self.texts.get(name, f"method {method}\n  nothing\n"))
        self.plan = Passes()
        self.source = "# the program\n"
        self.at = int(rest.rstrip(")") or 0)
        self.register_buffer("table", torch.zeros(samples, classes))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.generator = torch.Generator().manual_seed(seed)
        self.losses = torch.zeros(0)
        self.optimizer: Optimizer | None = None

    def epochs(self, n: int) -> Iterator[int]:
        while int(self.epoch) < n:
            yield int(self.epoch)
            self.epoch += 1
            self.table *= 0.9  # a state that moves when an epoch ends

    def attach(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def forward(self, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        self.steps += 1
        self._happen(int(self.steps))
        logits = self.model(x)
        if self.method.name == "table":
            noise = torch.randn(len(x), 1, generator=self.generator)
            losses = functional.cross_entropy(logits + self.table[index] + 0.1 * noise, y, reduction="none")
            assert self.optimizer is not None
            rate = self.optimizer.param_groups[0]["lr"]
            self.table[index] += rate * functional.one_hot(y, logits.shape[1])
        else:
            losses = functional.cross_entropy(logits, y, reduction="none")
        self.losses = losses.detach()
        if self.method.name == "nan" and int(self.steps) == self.at:
            return losses.mean() * float("nan")
        if self.method.name == "burst" and int(self.steps) == self.at:
            weight = next(self.model.parameters())
            return (
                losses.mean() + (weight - weight.detach()).square().sum().sqrt()
            )  # finite; its slope is not
        return losses.mean()

    def _happen(self, step: int) -> None:
        if step != self.at:
            return
        if self.method.name.startswith("interrupt"):
            os.kill(os.getpid(), signal.SIGINT)
        if self.method.name == "interrupt_twice":
            os.kill(os.getpid(), signal.SIGINT)
        if self.method.name == "memory":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        training = self.model.training
        self.model.eval()
        logits = self.model(x)
        self.model.train(training)
        return logits

    def meters(self) -> dict[str, dict[str, float]]:
        return {"v": {"fired": 0.5, "size": float("nan")}} if self.method.name == "table" else {}

    def get_extra_state(self) -> Tensor:
        return self.generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        self.generator.set_state(state)


def compile_double(
    method: str,
    model: nn.Module,
    *,
    classes: int,
    samples: int,
    class_counts: list[int],
    params: Mapping[str, float],
    seed: int,
) -> Double:
    assert sum(class_counts) == samples
    if params.keys() - {"eta"}:
        fail("T403", f"no parameter `{next(iter(params))}`")
    return Double(method, model, classes, samples, seed)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> type[Double]:
    """`taxo.compile` replaced by the double, texts as canonical."""
    monkeypatch.setattr(taxo, "compile", compile_double, raising=False)
    monkeypatch.setattr(Double, "texts", {})
    return Double


@pytest.fixture
def run_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command as the command line does, in an empty folder: its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["taxo"])

    def run(*words: str) -> int:
        parser = ArgumentParser("taxo")
        register(parser.add_subparsers())
        namespace = parser.parse_args(words)
        try:
            return namespace.handler(namespace)
        except TaxoError as error:
            print(error, file=sys.stderr)
            return 1

    return run

"""What the tests of the training room share: commands as users run them, and trouble on demand."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from taxo.cli import main
from taxo.runtime.step import Step


def spoil_the_loss(step: Step, loss: Tensor) -> Tensor:
    return loss * float("nan")


def spoil_the_gradient(step: Step, loss: Tensor) -> Tensor:
    weight = next(step.model.parameters())
    return loss + (weight - weight.detach()).square().sum().sqrt()  # finite; its slope at zero is not


def press_ctrl_c(step: Step, loss: Tensor) -> Tensor:
    os.kill(os.getpid(), signal.SIGINT)
    return loss


def press_ctrl_c_twice(step: Step, loss: Tensor) -> Tensor:
    return press_ctrl_c(step, press_ctrl_c(step, loss))


def run_out_of_memory(step: Step, loss: Tensor) -> Tensor:
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")


@pytest.fixture(autouse=True)
def one_thread():
    """Tests are tiny: a second thread would only wait for whatever else runs on the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


Trouble = Callable[[Step, Tensor], Tensor]


@pytest.fixture
def trouble():
    """Make the n-th step of each run of a method go wrong."""
    patch = pytest.MonkeyPatch()

    def arrange(kind: Trouble, at: int, method: str) -> pytest.MonkeyPatch:
        forward, calls = Step.forward, "_calls_of_the_tests"

        def troubled(self: Step, *given: Any) -> Tensor:
            self.__dict__[calls] = self.__dict__.get(calls, 0) + 1
            loss = forward(self, *given)
            due = self.__dict__[calls] == at and str(self.method.name) == method
            return kind(self, loss) if due else loss

        patch.setattr(Step, "forward", troubled)
        return patch

    yield arrange
    patch.undo()


@pytest.fixture
def run_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command as the command line does, in an empty folder: its exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> int:
        return main(words)

    return run


@pytest.fixture
def refused(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Run a command that is a mistake: it says so, ends with its exit code, and writes nothing."""

    def check(*words: str, code: str, exit_code: int) -> None:
        assert run_command(*words) == exit_code
        assert f"error[{code}]" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    return check

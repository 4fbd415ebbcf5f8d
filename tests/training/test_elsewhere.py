"""Models of torchvision: of a stand-in, for how it is asked, and of the real one if it is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from taxo.language.errors import TaxoError
from taxo.training import elsewhere
from taxo.training.models import build
from taxo.training.settings import from_words

from .test_models import images

STAND_IN = """
from torch import nn
def list_models(module=None): return ["tiny_net", "resnet18"]
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.fc = nn.Linear(3, classes)
    def forward(self, x): return self.fc(x.mean((2, 3)))
def get_model(name, weights, num_classes): return Net(num_classes)
"""
BROKEN = """
import torch
try:
    torch.ops.torchvision.nms
except (AttributeError, RuntimeError):
    raise RuntimeError("operator torchvision::nms does not exist")
"""


def put(folder: Path, first: str = "") -> None:
    """A package in the place of torchvision."""
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(first)
    (folder / "torchvision" / "models.py").write_text(STAND_IN)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A stand-in in front of whatever is installed."""
    put(tmp_path)
    kept = [name for name in sys.modules if name.partition(".")[0] == "torchvision"]
    for name in (*kept, "torchvision", "torchvision.models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("torchvision", "torchvision.models"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("stand_in")
def test_a_name_of_torchvision_is_a_model_with_a_head_for_the_classes():
    assert from_words({"model": "tiny_net"}, []).model == "tiny_net"
    data = images(3, 32)
    model = build("tiny_net", data, 0)
    assert model(data.train.x).shape == (6, 3)
    assert [name for name, _ in model.named_children()] == ["normalize", "body"]
    with pytest.raises(TaxoError, match=r"T504.*no model `tiny_nett`.*\n.*did you mean `tiny_net`"):
        from_words({"model": "tiny_nett"}, [])


def test_operators_that_its_binary_lacks_are_declared_first(tmp_path: Path):
    put(tmp_path, BROKEN)
    path = os.pathsep.join([str(tmp_path), str(Path(elsewhere.__file__).parents[2])])
    code = "from taxo.training import elsewhere; print(elsewhere.names())"
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['tiny_net', 'resnet18']"


def test_without_torchvision_the_hint_says_what_brings_models(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(elsewhere, "find_spec", lambda name: None)
    with pytest.raises(TaxoError, match=r"T504.*no model `resnet`.*\n.*`resnet20`.*pip install torchvision"):
        from_words({"model": "resnet"}, [])


def test_the_real_ones():
    pytest.importorskip("torchvision")
    data = images(3, 64)
    model = build("squeezenet1_1", data, 0)
    assert isinstance(model, nn.Module)
    assert model(data.train.x).shape == (6, 3)
    assert torch.equal(next(model.parameters()), next(build("squeezenet1_1", data, 0).parameters()))

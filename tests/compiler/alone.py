"""Training with torch alone, for programs that need nothing else; run by its path, it shuts taxo out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from pathlib import Path
from runpy import run_path
from typing import Any

import torch
from torch import Tensor, nn

CLASSES, ROWS, SAMPLES = 5, 8, 24
AWAY = ("taxo", "pydantic", "lark", "rich")  # torch itself may need the others


def net(outputs: int, seed: int = 0) -> nn.Module:
    """A small model with a norm."""
    torch.manual_seed(seed)
    parts = [
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(108, outputs),
    ]
    return nn.Sequential(*parts).double()


def batch(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and places in the data set."""
    dice = torch.Generator().manual_seed(seed)
    x = torch.rand(ROWS, 1, 6, 6, generator=dice, dtype=torch.float64)
    y = torch.randint(CLASSES, (ROWS,), generator=dice)
    return x, y, torch.randperm(SAMPLES, generator=dice)[:ROWS]


def given(needs: list[str], outputs: int) -> dict[str, Any]:
    """What a step is given."""
    asked: dict[str, Any] = {
        "teacher": net(outputs, 7),
        "validation": [batch(seed)[:2] for seed in (11, 12)],
        "prior": torch.full((outputs,), 1 / outputs),
        "corruption": lambda x, name, severity: (x + 0.02 * severity).clamp(0, 1),
    }
    counts = [9, 6, 4, 3, 2]
    usual = {"classes": CLASSES, "samples": SAMPLES, "class_counts": counts, "seed": 3}
    return usual | {name: one for name, one in asked.items() if name in needs}


def losses(make: Callable[..., Any], outputs: int, needs: list[str]) -> list[float]:
    """The losses of four steps in two epochs."""
    model = net(outputs)
    step = make(model, **given(needs, outputs))
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.1)
    step.attach(optimizer)
    found: list[float] = []
    for _ in step.epochs(2):
        for seed in (1, 2):
            x, y, index = batch(seed)
            loss = step(
                [x, *[x.flip(-1)] * (step.wanted_views - 1)] if step.wanted_views > 1 else x, y, index
            )
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            found.append(float(loss.detach()))
    return found


class Shut(MetaPathFinder):
    """Finds no module of some packages."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse what is shut out; leave the rest to others."""
        if name.partition(".")[0] in AWAY:
            raise ImportError(f"`{name}` is shut out")


def main(folder: Path) -> None:
    """Print the losses of all programs in a folder, as JSON."""
    sys.meta_path.insert(0, Shut())
    found: dict[str, list[float]] = {}
    for path in sorted(folder.glob("*.py")):
        name, outputs, needs = json.loads(path.with_suffix(".json").read_text())
        found[path.stem] = losses(run_path(str(path))[name], outputs, needs)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

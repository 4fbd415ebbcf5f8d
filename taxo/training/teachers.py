"""The model of a finished run, for methods that learn from one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from torch import nn

from taxo.language.errors import fail
from taxo.training import datasets, models
from taxo.training.beginning import weights_of
from taxo.training.data import Data
from taxo.training.settings import Plain, Settings, from_json


def teacher_of(settings: Settings, data: Data, learned: bool = False) -> nn.Module | None:
    """The best model of the run folder that the settings name; `{seed}` in its name is the run's.

    Its weights are fixed, unless they are to be `learned`.
    """
    if settings.teacher is None:
        return None
    folder = Path(settings.teacher.replace("{seed}", str(settings.seed)))
    taught = _settings(folder)
    if taught.data != settings.data:
        message = f"the teacher `{folder}` learned on `{taught.data}`, and this run has `{settings.data}`"
        fail("T503", message, help="train a teacher on the same data")
    if taught.seed != settings.seed and not datasets.find(settings.data).official:
        message = (
            f"the teacher `{folder}` of seed {taught.seed} has seen test samples of seed {settings.seed}"
        )
        fail("T503", message, help="train one with each seed, and write `{seed}` in its folder's name")
    model = models.build(taught.model, data, taught.seed)
    weights = weights_of(folder)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        fail("T507", f"`{folder}` holds no such model: {reason}", help="give another run folder")
    return model.requires_grad_(learned)


def _settings(folder: Path) -> Settings:
    try:
        note = cast("Mapping[str, object]", json.loads((folder / "run.json").read_text()))
        return from_json(cast("Mapping[str, Plain]", note["settings"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fail("T507", f"`{folder}` holds no run that can be read: {error}", help="give a run folder")

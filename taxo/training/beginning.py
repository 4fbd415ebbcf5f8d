"""Where a model begins: with weights of a file or of another run, and parts that stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from taxo.language.errors import fail
from taxo.ops.sites import weights_at
from taxo.training import checkpoint
from taxo.training.average import averaged

# what depends on the data a model was made for, and not on what it learned
_OWN = "normalize."
_WRAPPED = "body."


def weights_of(path: Path) -> dict[str, Tensor]:
    """The weights of a run folder, of a checkpoint of one, or of a file; T507 where there are none."""
    if path.is_dir():
        place = path / "best" if (path / "best").is_dir() else path
        state = checkpoint.load(place)
        return averaged(state.part("average")) or state.part("step.model")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, UnpicklingError, RuntimeError, EOFError) as error:
        reason = (str(error).splitlines() or [""])[0]
        fail("T507", f"`{path}` holds no weights that can be read: {reason}", help="give a run or a file")
    named = _named(found)
    named = _named(named["state_dict"]) if "state_dict" in named else named
    return {name.removeprefix("module."): part for name, part in named.items() if isinstance(part, Tensor)}


def _named(found: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}


def begin(model: nn.Module, classes: int, path: Path) -> None:
    """Give the model the weights of a file; a head for other classes stays new."""
    given, own = weights_of(path), model.state_dict()
    found = {name: given.get(name, given.get(name.removeprefix(_WRAPPED))) for name in own}
    missing = [name for name, value in found.items() if value is None and not name.startswith(_OWN)]
    if missing:
        message = f"`{path}` has no `{missing[0]}`, and lacks {len(missing)} of {len(own)} weights"
        fail("T507", message, help="choose the `--model` that it is of")
    for name, value in found.items():
        if value is None or _is_head(value, own[name], classes):
            continue
        if value.shape != own[name].shape:
            shapes = f"{list(value.shape)}, and not {list(own[name].shape)}"
            fail("T507", f"`{name}` in `{path}` has the shape {shapes}", help="choose its `--model`")
        own[name] = value
    model.load_state_dict(own)


def _is_head(given: Tensor, own: Tensor, classes: int) -> bool:
    """Whether weights differ by how many classes they are for, and in nothing else."""
    both = given.dim() and own.dim() and given.shape[1:] == own.shape[1:]
    return bool(both) and len(own) == classes != len(given)


def freeze(model: nn.Module, pattern: str) -> None:
    """Keep the weights whose names fit as they are; T404 where none does, T503 where all do."""
    chosen = [name for part in pattern.split(",") for name in weights_at(model, part.strip())]
    for name in chosen:
        model.get_parameter(name).requires_grad_(False)
    if not any(weight.requires_grad for weight in model.parameters()):
        fail("T503", f"`--freeze {pattern}` leaves nothing to train", help="name some of the layers")

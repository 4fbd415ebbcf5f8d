"""Saving and restoring a run at any step: safetensors and JSON, written to a side folder and renamed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from taxo.language.errors import fail

FORMAT = "taxo checkpoint 1"


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the run: the epoch, the steps done in it, whether it was measured, and the seconds it took."""

    epoch: int = 0
    batch: int = 0
    measured: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A position and every tensor that the rest of the run depends on; on disk it also names its run."""

    position: Position
    tensors: dict[str, Tensor]
    run: str = ""

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under a prefix, without it."""
        start = f"{prefix}."
        return {name[len(start) :]: value for name, value in self.tensors.items() if name.startswith(start)}


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint so that, whenever the machine stops, the folder holds the old one or the new one."""
    # clones, because safetensors refuses views and tensors that share memory, as tied weights do
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in checkpoint.tensors.items()}
    content = safetensors.torch.save(tensors)
    note = {"format": FORMAT, "run": checkpoint.run, "crc32": crc32(content)}
    note |= {"position": asdict(checkpoint.position)}
    with _beside(folder) as side:
        side.mkdir(parents=True)
        (side / "state.safetensors").write_bytes(content)
        (side / "state.json").write_text(json.dumps(note, indent=2) + "\n")
    _swap(side, folder)


def copy(source: Path, target: Path) -> None:
    """Copy a checkpoint, as safely as `save` writes one."""
    with _beside(target) as side:
        shutil.copytree(source, side)
    _swap(side, target)


def replace_text(file: Path, text: str) -> None:
    """Replace a file's text so that, whenever the machine stops, it is the old one or the new one."""
    side = file.with_name(f"{file.name}.new")
    try:
        side.write_text(text)
    except OSError:
        side.unlink(missing_ok=True)
        raise
    side.replace(file)


@contextmanager
def _beside(folder: Path) -> Generator[Path]:
    """A place to write what is to take the folder's; nothing stays there if the disk is full."""
    side = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(side, ignore_errors=True)
    try:
        yield side
    except OSError:
        shutil.rmtree(side, ignore_errors=True)
        raise


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint, the previous one if the machine stopped between the two renames."""
    place = folder if folder.is_dir() else _old(folder)
    if not place.is_dir():
        fail("T507", f"no checkpoint in `{folder}`", help="give a run folder, the one that holds `last/`")
    try:
        content = (place / "state.safetensors").read_bytes()
        note = json.loads((place / "state.json").read_text())
        if note["format"] != FORMAT or note["crc32"] != crc32(content):
            raise ValueError("the files do not belong together or are not this version's")
        position = Position(**note["position"])
        return Checkpoint(position, safetensors.torch.load(content), str(note.get("run", "")))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        fail(
            "T507",
            f"the checkpoint `{place}` cannot be read: {error}",
            help="start a new run",
        )


def random_state() -> dict[str, Tensor]:
    """The state of torch's own generators."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Tensor]) -> None:
    """Put torch's own generators back; a run saved without a GPU leaves the GPU's alone."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _old(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.old")


def _swap(side: Path, folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(_old(folder), ignore_errors=True)
        folder.rename(_old(folder))
    side.rename(folder)
    shutil.rmtree(_old(folder), ignore_errors=True)

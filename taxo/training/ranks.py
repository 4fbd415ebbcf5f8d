"""One run on several processes that torchrun started: each has its part of every batch, and one writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from zlib import crc32

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from taxo.language.errors import fail
from taxo.ops.ranks import averaged, gathered, rank, world
from taxo.runtime.step import Step
from taxo.training.device import pick
from taxo.training.settings import Settings


@contextmanager
def joined(settings: Settings) -> Generator[None]:
    """The processes joined for a run, by what torchrun tells each of them; nothing for one alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    device = pick(settings.device)
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        refuse_uneven(settings)
        yield
    finally:
        distributed.destroy_process_group()


def refuse_several(command: str) -> None:
    """T503 for a command that several processes share in another way."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        help = f"start `{command} --storage …` several times instead"
        fail("T503", f"`{command}` is not shared by processes that torchrun starts", help=help)


def refuse_uneven(settings: Settings) -> None:
    """T503 for batches that the processes cannot share evenly: their losses would not count alike."""
    if settings.batch_size % world():
        message = f"batches of {settings.batch_size} cannot be shared evenly by {world()} processes"
        fail("T503", message, help=f"a `--batch-size` that {world()} divides")


def refuse_other(step: Step, settings: Settings) -> None:
    """T508 unless all processes train the same method with the same settings."""
    text = f"{step.source}\n{settings}".encode()
    found = gathered(torch.tensor([crc32(text)], device=step.anchor.device))[0]
    if len(set(map(int, found))) > 1:
        fail("T508", "the processes were given different methods or settings", help="start them alike")


def together(step: Step) -> nn.Module:
    """What a training loop calls: the step, or the step that shares its gradients with other processes."""
    return step if world() == 1 else DistributedDataParallel(step)


def usable(count: int, size: int) -> int:
    """How many samples an epoch takes: of the last batch, as many as the processes can share evenly."""
    return count - count % size % world()


def own(rows: Tensor) -> Tensor:
    """This process's part of a batch."""
    return rows if world() == 1 else rows.chunk(world())[rank()]


def agreed(loss: Tensor, stop: bool) -> tuple[Tensor, bool]:
    """The mean loss of all processes, and whether any of them was asked to stop."""
    if world() == 1:
        return loss, stop
    told = averaged(torch.stack([loss, torch.full_like(loss, float(stop))]))
    return told[0], bool(told[1] > 0)


def writes() -> bool:
    """Whether this process is the one that writes and speaks."""
    return rank() == 0


def wait() -> None:
    """Wait until all processes are here."""
    if world() > 1:
        distributed.barrier()  # pyright: ignore[reportUnknownMemberType]


def leave(code: int) -> int:
    """The exit code; of several processes each ends at once, since closing their ties may abort them."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code

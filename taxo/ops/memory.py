"""How much memory a table takes, and whether it is there."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from taxo.language.errors import fail

HALF = torch.float16
HALF_VELOCITY = torch.bfloat16
GIBI = 2**30


def table_bytes(rows: int, shape: tuple[int, ...], dtype: torch.dtype, momentum: bool, store: str) -> int:
    """The memory that a table takes."""
    size = HALF.itemsize if store == "half" else dtype.itemsize
    return rows * torch.Size(shape).numel() * size * (1 + momentum)


def free_bytes(device: torch.device) -> int | None:
    """The memory that a device has left, where that can be known."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if device.type != "cpu":
        return None
    information = Path("/proc/meminfo")
    if information.exists():
        lines = dict(line.split(":", 1) for line in information.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    if "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def check_fits(needed: int, device: torch.device, what: str) -> None:
    """Refuse what is larger than the memory that the device has left."""
    if needed < GIBI // 16:
        return  # where so little is too much, a step is as well
    free = free_bytes(device)
    if free is not None and needed > free:
        fail(
            "T410",
            f"{what} take {needed / GIBI:,.1f} GiB, more than {device} has left",
            None,
            "write `store: half` or `store: host` in the solver's options, or take fewer samples",
        )

"""How long the commands about specifications take from a cold start: `python benchmarks/start.py [runs]`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
METHOD = str(ROOT / "methods" / "label_smoothing.taxo")
TAXO = (sys.executable, "-m", "taxo")
COMMANDS: dict[str, Sequence[str]] = {
    "python, nothing else": (sys.executable, "-c", "pass"),
    "taxo --version": (*TAXO, "--version"),
    "taxo list": (*TAXO, "list"),
    "taxo check METHOD": (*TAXO, "check", METHOD),
    "taxo fmt --check METHOD": (*TAXO, "fmt", "--check", METHOD),
    "taxo show METHOD": (*TAXO, "show", METHOD),
    "taxo explain T203": (*TAXO, "explain", "T203"),
    "taxo explain pgd": (*TAXO, "explain", "pgd"),
}


def seconds(command: Sequence[str]) -> float:
    """The time that one run takes."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(runs: int) -> None:
    """Print the median of some runs of each command; the runs of all commands alternate."""
    for command in COMMANDS.values():
        seconds(command)  # so that files are in memory, and compiled
    rounds = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(runs)]
    width = max(map(len, COMMANDS))
    print(f"{'seconds, median of ' + str(runs):<{width}}  median  fastest")
    for name in COMMANDS:
        times = [one[name] for one in rounds]
        print(f"{name:<{width}}  {median(times):6.3f}  {min(times):7.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)

"""A run that is killed at random moments, again and again, ends with the very weights of one that was not.

python examples/kill_and_resume.py 20
"""

import subprocess
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import sleep

import torch
from safetensors.torch import load_file

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
EPOCHS = 20 + 20 * KILLS
TRAIN = [sys.executable, "-m", "taxo", "train"]
RUN = ["logpert", "--model", "mlp", "--batch-size", "200", "--noise", "pair:30%", "--quiet"]
MORE = ["--augment", "flip_crop", "--ema", "0.99", "--accumulate", "2", "--epochs", str(EPOCHS)]
dice = Random(0)


def epochs(folder: Path) -> int:
    """How many epochs a run has measured."""
    metrics = folder / "metrics.jsonl"
    return metrics.read_text().count("\n") if metrics.exists() else 0


with TemporaryDirectory() as place:
    whole, killed = Path(place) / "whole", Path(place) / "killed"
    subprocess.run([*TRAIN, *RUN, *MORE, "--output", whole], check=True, stdout=subprocess.DEVNULL)
    for number in range(KILLS):
        command = (
            [*TRAIN, "--resume", killed, "--quiet"] if number else [*TRAIN, *RUN, *MORE, "--output", killed]
        )
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        goal = epochs(killed) + dice.randint(1, 15)
        while process.poll() is None and not ((killed / "last").is_dir() and epochs(killed) >= goal):
            sleep(0.005)
        sleep(dice.uniform(0, 0.05))
        process.kill()
        process.wait()
        print(f"killed in epoch {epochs(killed) + 1}")
    subprocess.run([*TRAIN, "--resume", killed, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    same = []
    for part in ("last", "best"):
        ours, theirs = (load_file(folder / part / "state.safetensors") for folder in (killed, whole))
        same += [ours.keys() == theirs.keys() and torch.equal(ours[name], theirs[name]) for name in theirs]

print(f"after {KILLS} kills the same: {100 * sum(same) / len(same):g}% of {len(same)} tensors")

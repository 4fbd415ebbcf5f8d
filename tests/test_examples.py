"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_plain_loop_learns_through_wrong_labels():
    command = [sys.executable, str(EXAMPLES / "plain_loop.py")]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    last = out.splitlines()[-1]
    accuracy = float(last.split("test accuracy ")[1].split("%")[0])
    assert accuracy > 90

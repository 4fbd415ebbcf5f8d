"""The examples run as they stand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
# What each example's last line says, up to a number that it must pass.
LAST = {
    "plain_loop": ("test accuracy ", 90),
    "own_op": ("training accuracy ", 90),
    "own_pass": ("1 passes of our own: a step costs ", 3),
}


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(LAST)


@pytest.mark.parametrize("name", LAST)
def test_an_example_does_what_it_says(name: str):
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    words, least = LAST[name]
    number = out.splitlines()[-1].split(words)[1].split("%")[0].split(" ")[0]
    assert float(number) >= least

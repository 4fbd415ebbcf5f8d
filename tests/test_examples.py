"""The examples run as they stand."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
# What each example's last line says, up to a number that it must pass.
LAST = {
    "plain_loop": ("test accuracy ", 90),
    "own_op": ("training accuracy ", 90),
    "own_pass": ("1 passes of our own: a step costs ", 3),
    "amp": ("test accuracy ", 90),
    "ddp": ("test accuracy ", 80),
    "accelerate_loop": ("test accuracy ", 80),
    "lightning_module": ("test accuracy ", 80),
    "hugging_face": ("test accuracy ", 70),
    "kill_and_resume": ("the same: ", 100),
}
# What some are run with here, so that they take seconds.
ARGUMENTS = {"kill_and_resume": ["1"]}
# What some of them are about, which taxo does not depend on: `pip install taxo[interop]`.
EXTRAS = {"accelerate_loop": "accelerate", "lightning_module": "lightning", "hugging_face": "transformers"}


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(LAST)


@pytest.mark.parametrize("name", LAST)
def test_an_example_does_what_it_says(name: str):
    if name in EXTRAS and find_spec(EXTRAS[name]) is None:
        pytest.skip(f"{EXTRAS[name]} is not installed")
    check([sys.executable, str(EXAMPLES / f"{name}.py"), *ARGUMENTS.get(name, [])], *LAST[name])


def test_the_example_of_many_processes_runs_on_two():
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    check([*launch, str(EXAMPLES / "ddp.py")], *LAST["ddp"])


def check(command: list[str], words: str, least: float) -> None:
    """The last line of a program says a number, at least so large."""
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    number = done.stdout.splitlines()[-1].split(words)[1].split("%")[0].split(" ")[0]
    assert float(number) >= least

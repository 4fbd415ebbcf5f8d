"""The benchmarks run, and what they compare is the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def printed(script: str, *flags: str) -> list[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return out.splitlines()


@pytest.mark.slow
def test_the_steps_by_hand_are_the_compiled_ones():
    """Their losses in the first steps, and the weights that these leave."""
    rows = printed("overhead.py", "--model", "small", "--threads", "1", "--repeats", "2")[3:]
    assert len(rows) >= 37
    for row in rows:
        assert float(row.split()[-1]) < 1e-4, row


@pytest.mark.slow
def test_the_naive_quadratic_form_is_the_same():
    rows = printed("quadratic.py", "--classes", "12", "--features", "9", "--rows", "30", "--repeats", "1")[2:]
    one, other = (float(row.split()[-1]) for row in rows)
    assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["flow", "recolor"])
def test_dense_matrices_find_the_same_structured_changes(way: str):
    sizes = ["--rows", "2", "--sides", "16", "--dense-sides", "16", "--repeats", "1"]
    rows = printed("structured.py", "--ways", way, f"{way}, dense", *sizes)[2:]
    one, other = (float(row.split()[-1]) for row in rows)
    assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.slow
def test_a_round_is_measured_beside_an_epoch():
    rows = printed("rounds.py", "--methods", "dpl", "--model", "mlp", "--epochs", "1", "--repeats", "2")[2:]
    name, *numbers = rows[0].split()
    assert name == "dpl"
    assert float(numbers[-1]) <= 0.1  # what conjugate gradients leave

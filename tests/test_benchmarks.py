"""The benchmarks run, and what they compare is the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_steps_by_hand_are_the_compiled_ones():
    flags = ["--model", "small", "--threads", "1", "--repeats", "2"]
    command = [sys.executable, str(ROOT / "benchmarks" / "overhead.py"), *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    rows = out.splitlines()[3:]
    assert len(rows) >= 9
    for row in rows:
        assert float(row.split()[-1]) < 1e-4, row

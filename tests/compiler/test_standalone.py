"""Programs as files of their own: they give the same numbers where there is torch, and nothing of taxo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import taxo
from taxo.catalog import load, whole
from taxo.compiler import compile_program
from taxo.compiler.sources import read
from taxo.compiler.standalone import standalone
from tests.compiler import alone
from tests.covering import covering
from tests.fidelity.nets import METHODS

SPECS = (*covering(METHODS), "mixpert(eps: 8/255)+isda", "esp+damp")


def test_programs_need_torch_alone(tmp_path: Path):
    expected: dict[str, list[float]] = {}
    for number, spec in enumerate(SPECS):
        program = compile_program(whole(load(spec)))
        needs, outputs = [call.name.text for call in program.method.needs], program.outputs(alone.CLASSES)
        path = tmp_path / f"program{number:03}.py"
        path.write_text(standalone(program))
        path.with_suffix(".json").write_text(json.dumps([program.name, outputs, needs]))
        expected[path.stem] = alone.losses(
            lambda model, spec=spec, **given: taxo.compile(spec, model, **given), outputs, needs
        )
    command = [sys.executable, "-W", "error", alone.__file__, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


NAMES = """
from outside import thing as other, kept
import math

LIMIT = 3
LIMIT += 1

def decorated(make, low=LIMIT): return make

class Base:
    LIMIT = 5
    own = LIMIT
    def limit(self, kept): return LIMIT + kept

@decorated
class Made(Base, key=math.pi):
    def run(self):
        def kept(): return other
        return [LIMIT for LIMIT in range(3)] + [(math := 2), kept, inner(math)]

def inner(x: Base) -> Made:
    return lambda LIMIT: LIMIT + x
"""


@pytest.mark.parametrize(
    ("name", "uses"),
    [
        ("LIMIT", ["LIMIT", "LIMIT"]),
        ("decorated", ["LIMIT"]),
        ("Base", ["LIMIT"]),
        ("Made", ["Base", "decorated", "inner", "math", "other", "range"]),
        ("inner", []),
    ],
)
def test_names_that_a_definition_has_from_its_module(name: str, uses: list[str]):
    definition = read("toy", NAMES).definitions[name]
    assert sorted(use.id for use in definition.uses) == uses


def test_annotations_are_no_uses():
    assert read("toy", NAMES).definitions["inner"].annotated == {"Base", "Made"}

"""The text of programs: readable, clean, and nothing but what it needs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import taxo
from taxo.catalog import load, whole
from taxo.compiler import Program, compile_program
from taxo.compiler.names import identifier
from taxo.laws.watch import counted
from tests.fidelity.nets import CLASSES, batch, mlp

SPECS = (
    *taxo.methods(),
    "damp(parts: 4)",
    "mixpert(clean_share: 40%)",
    "mixpert(eps: 8/255)",
    "mixpert(eps: 8/255, clean_share: 40%)",
    "mixpert(eta: 0, eps: 8/255)",
    "pgd_at(start: zero)",
)
each_spec = pytest.mark.parametrize("spec", SPECS)
WIDTH = 110


def program(spec: str) -> Program:
    return compile_program(load(spec))


@each_spec
def test_no_line_is_long(spec: str):
    assert [line for line in program(spec).text.splitlines() if len(line) > WIDTH] == []


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    for number, spec in enumerate(SPECS):
        (folder / f"program{number}.py").write_text(program(spec).text, encoding="utf-8")
    return folder


def ruff(*arguments: str) -> str:
    found = subprocess.run(
        [str(Path(sys.executable).with_name("ruff")), *arguments], capture_output=True, text=True, check=False
    )
    return found.stdout if found.returncode else ""


def test_programs_pass_ruff(printed: Path):
    """No unused or unknown name, nothing defined twice, imports sorted."""
    assert ruff("check", "--isolated", "--select=F,E,W,I,B", f"--line-length={WIDTH}", str(printed)) == ""


def test_programs_without_long_lines_are_formatted(printed: Path):
    """Long lines are broken in a simpler way than ruff's."""
    broken = re.compile(r"[\[({]\n(?! +[\w.=*]+,\n)")
    tidy = [path for path in sorted(printed.iterdir()) if not broken.search(path.read_text(encoding="utf-8"))]
    assert len(tidy) > 40
    assert ruff("format", "--isolated", "--diff", f"--line-length={WIDTH}", *map(str, tidy)) == ""


@each_spec
def test_a_program_is_one_class_of_its_methods_name(spec: str):
    found = program(spec)
    tree = ast.parse(found.text)
    (kind,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    assert kind.name == found.name
    assert kind.name.lower().startswith(spec.partition("(")[0].replace("_", ""))
    assert ast.get_docstring(kind)
    assert {node.name for node in kind.body if isinstance(node, ast.FunctionDef)} <= {
        "setup",
        "run",
        "carried",
        "predicted",
        "end_epoch",
        "between",
        "regime",
    }


@each_spec
def test_the_docstring_says_where_it_comes_from(spec: str):
    found = program(spec)
    docstring = " ".join((ast.get_docstring(ast.parse(found.text)) or "").split())
    assert f"{found.method.name}.taxo" in docstring
    assert all(cite in docstring for cite in found.method.cite)


@each_spec
def test_parameters_stand_above_the_class_and_are_read(spec: str):
    found = program(spec)
    tree = ast.parse(found.text)
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    read = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    assert constants <= {identifier(param.name.text) for param in whole(found.method).params}
    assert constants <= read


@each_spec
def test_lines_point_to_clauses(spec: str):
    """Every line that carries a perturbation's hook comes from that perturbation."""
    found = program(spec)
    lines = found.text.splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip().startswith("def perturb_"):
            origin = found.origins[number]
            assert origin.text.startswith("perturb ")
            following = found.origins.get(number + 1, origin)
            assert following == origin or following.text.startswith(("let ", "draw "))


@each_spec
def test_compiling_twice_gives_one_text(spec: str):
    assert program(spec).text == program(spec).text


def test_only_what_a_method_needs_is_asked_for():
    asked = {
        "plain": set(),
        "sam": set(),
        "logit_adjustment": {"class_counts"},
        "logpert": {"samples"},
        "knowledge_distillation": {"teacher"},
        "zla": {"prior"},
        "corruption_training": {"corruption"},
    }
    assert {name: set(program(name).needs) for name in asked} == asked


def test_the_compiler_needs_no_torch():
    code = (
        "import sys; from taxo.catalog import load, shipped; from taxo.compiler import compile_program\n"
        "for name in shipped(): compile_program(load(name))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


GOALS = {
    "entropy(p)": (),
    "sum(u^2)": (),
    "margin": ("labels",),
    "kl(y, p)": ("labels",),
    "loss": ("labels", "loss"),
    "far": ("labels", "loss"),
}


@pytest.mark.parametrize(("goal", "hooks"), GOALS.items())
def test_a_search_passes_only_as_far_as_its_goal(goal: str, hooks: tuple[str, ...]):
    method = taxo.parse(
        f"""method m
needs teacher
{"let far = 2 * loss" * (goal == "far")}
perturb labels by 0.1 * (1 / C - y) {{ direction mixed infer prior granularity category }}
perturb loss by ce(u, teacher.p) - loss {{ direction mixed infer prior granularity sample }}
perturb features by d {{
  direction mixed granularity sample infer adversarial maximize {goal} within linf(0.1)
  via pgd(2, step: 0.05)
}}
"""
    )
    step = taxo.compile(method, mlp(), classes=CLASSES, teacher=mlp())
    (passed,) = re.findall(r"def objective\(d\):\n +line = (self\.line\((?:.|\n)*?\))\n +return", step.source)
    assert tuple(one for one in ("labels", "loss") if f"{one}=" in passed) == hooks
    assert step.plan.of_teacher == ((3, 2) if "loss" in hooks else (1, 0))
    x, y, index = batch(8)
    assert step.teaching is not None
    with counted(step.teaching[0]) as lessons:
        step(x.float(), y, index).backward()
    rows = (sum(lessons.forward_rows), sum(lessons.backward_rows))
    assert rows == tuple(8 * one for one in step.plan.of_teacher)

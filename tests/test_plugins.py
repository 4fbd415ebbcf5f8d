"""What other packages add: words with their ops, methods, and passes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import taxo
from taxo import plugins
from taxo.compiler import compile_program
from taxo.language.errors import TaxoError
from taxo.language.vocabulary import FUNCTIONS, REGIONS, SOLVERS, Function, Option, Region, Result, Solver
from taxo.plugins import Op

EXAMPLES = Path(__file__).parents[1] / "examples"
ROOT = EXAMPLES.parent
DOUBLED = Function("twice the value", (None,), Result.SAME)
OPS = """
import torch

def doubled(e):
    return 2 * e

def nothing():
    return 0

def one_step(objective, first, within, step, maximize):
    slope = torch.autograd.grad(objective(first.requires_grad_()), first)[0]
    return within[0].project([first.detach() + (step if maximize else -step) * slope])[0]

class Cube:
    def __init__(self, radius):
        self.radius = radius
    def project(self, delta):
        return [part.clamp(-self.radius, self.radius) for part in delta]
    def steepest(self, gradient):
        return [part.sign() for part in gradient]
    def furthest(self, gradient):
        return [self.radius * part.sign() for part in gradient]
    def uniform(self, like, generator):
        return [torch.zeros_like(part) for part in like]
"""
ATTACK = """
method attacked
perturb features by d {{
  direction   negative
  infer       adversarial maximize loss within {region} via {solver}
  granularity sample
}}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module with ops."""
    (tmp_path / "ops_of_mine.py").write_text(OPS)
    monkeypatch.syspath_prepend(tmp_path)
    before = [set(table) for table in (FUNCTIONS, SOLVERS, REGIONS)]
    yield "ops_of_mine"
    for known, table in zip(before, (FUNCTIONS, SOLVERS, REGIONS), strict=True):
        for name in set(table) - known:
            plugins.unregister(name)
    sys.modules.pop("ops_of_mine", None)


def test_a_function_of_ones_own_is_checked_printed_and_run(module: str):
    plugins.register(Op("doubled", DOUBLED, f"{module}:doubled"))
    text = "method m perturb loss by doubled(loss) { direction negative infer prior granularity sample }"
    method = taxo.parse(text)
    assert taxo.Method.from_json(method.to_json()) == method
    assert f"from {module} import doubled" in compile_program(method).text
    model = torch.nn.Linear(4, 3)
    x, y = torch.rand(5, 4), torch.zeros(5, dtype=torch.long)
    plain, tripled = (taxo.compile(one, model, classes=3)(x, y) for one in ("plain", method))
    torch.testing.assert_close(tripled, 3 * plain)


def test_a_solver_and_a_set_of_ones_own(module: str):
    radius = {"radius": Option("how far")}
    plugins.register(Op("cube", Region("a cube", radius, radius="radius"), f"{module}:Cube"))
    step = {"step": Option("the length of the step")}
    plugins.register(Op("one_step", Solver("one step", step, needs_set=True), f"{module}:one_step"))
    model = torch.nn.Linear(4, 3).double()
    x, y = torch.rand(5, 4, dtype=torch.float64), torch.zeros(5, dtype=torch.long)
    losses = [
        taxo.compile(taxo.parse(ATTACK.format(region=region, solver=solver)), model, classes=3)(x, y)
        for region, solver in [("cube(0.01)", "one_step(step: 0.1)"), ("linf(0.01)", "gradient(step: 0.1)")]
    ]
    torch.testing.assert_close(*losses)


def test_without_the_plug_in_the_word_is_none(module: str):
    plugins.register(Op("doubled", DOUBLED, f"{module}:doubled"))
    plugins.unregister("doubled")
    with pytest.raises(TaxoError, match="`doubled` is no function"):
        taxo.parse(
            "method m perturb loss by doubled(loss) { direction mixed infer prior granularity sample }"
        )


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (Op("exp", DOUBLED, "{}:doubled"), "`exp` comes from taxo and from mine"),
        (Op("linf", DOUBLED, "{}:doubled"), "`linf` comes from taxo and from mine"),
        (Op("two words", DOUBLED, "{}:doubled"), "`two words` is no name"),
        (Op("where", DOUBLED, "{}:doubled"), "`where` is no name"),
        (Op("doubled", DOUBLED, "{}:tripled"), "does not exist"),
        (Op("doubled", DOUBLED, "nowhere_at_all:doubled"), "does not exist"),
        (Op("doubled", DOUBLED, "nowhere.at.all:doubled"), "does not exist"),
        (Op("doubled", DOUBLED, "{}"), "does not exist"),
        (Op("doubled", DOUBLED, "{}:nothing"), "takes 0 arguments, its row 1"),
        (Op("doubled", DOUBLED, "{}:Cube"), "is no function"),
        (
            Op("cube", Region("a cube"), "{}:doubled"),
            "has no `project`, `steepest`, `furthest` and `uniform`",
        ),
        (Op("climb", Solver("a climb"), "{}:doubled"), "does not take `objective`, `first`"),
    ],
)
def test_what_does_not_fit_is_said_when_it_is_registered(op: Op, message: str, module: str):
    with pytest.raises(TaxoError, match=message):
        plugins.register(Op(op.name, op.row, op.source.format(module)), "mine")
    assert plugins.source_of_op(op.name) is None


def test_a_duplicate_names_both_owners(module: str):
    plugins.register(Op("doubled", DOUBLED, f"{module}:doubled"), "mine")
    with pytest.raises(TaxoError, match="`doubled` comes from mine and from yours"):
        plugins.register(Op("doubled", DOUBLED, f"{module}:doubled"), "yours")


def test_a_pass_of_ones_own_changes_what_is_planned():
    def without_perturbations(method: taxo.Method) -> taxo.Method:
        return method.model_copy(update={"clauses": ()})

    model = torch.nn.Linear(4, 3)
    step = taxo.compile("pgd_at", model, classes=3, passes=[without_perturbations])
    assert str(step.plan.cost) == "1 F + 1 B"


def installed(folder: Path, name: str, points: str) -> None:
    """Make a folder look as if a package with entry points were installed there."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (ROOT, EXAMPLES, folder)))
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "taxo", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


SOFTPLUS = """
[taxo.ops]
softplus = taxo_softplus:SOFTPLUS

[taxo.methods]
soft_margin = taxo_softplus.methods
"""


def test_an_installed_plug_in_is_there(tmp_path: Path):
    installed(tmp_path, "taxo_softplus", SOFTPLUS)
    assert "soft_margin" in run(tmp_path, "list").stdout
    emitted = run(tmp_path, "emit", "soft_margin+label_smoothing")
    assert "from taxo_softplus.ops import softplus" in emitted.stdout
    assert emitted.stderr == ""
    shown = run(tmp_path, "show", "soft_margin")
    assert "cost of a step: 1 F + 1 B" in shown.stdout


def test_an_installed_plug_in_imports_no_torch(tmp_path: Path):
    installed(tmp_path, "taxo_softplus", SOFTPLUS)
    code = "import sys; from taxo.cli import main; main(['check', 'soft_margin'])"
    code += "; assert 'torch' not in sys.modules"
    path = os.pathsep.join(map(str, (ROOT, EXAMPLES, tmp_path)))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("[taxo.ops]\nx = taxo_softplus:NOTHING\n", "plug-in `x` of broken was left out"),
        ("[taxo.ops]\nx = nowhere_at_all:OP\n", "plug-in `x` of broken was left out"),
        ("[taxo.ops]\nx = taxo_softplus:Op\n", "`taxo_softplus:Op` of broken is no `Op`"),
        ("[taxo.methods]\nx = nowhere_at_all\n", "`nowhere_at_all` of broken is no package"),
        ("[taxo.methods]\nx = again\n", "the method `plain` comes from taxo and from broken"),
    ],
)
def test_a_broken_plug_in_is_left_out_with_a_warning(points: str, message: str, tmp_path: Path):
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "plain.taxo").write_text("method plain\n")
    installed(tmp_path, "broken", points)
    done = run(tmp_path, "list")
    assert done.returncode == 0
    assert "label_smoothing" in done.stdout
    assert message in done.stderr

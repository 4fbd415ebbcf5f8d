"""What is built and shipped, and that it runs on its own."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
STEMS = sorted(path.stem for path in (ROOT / "methods").glob("*.taxo"))


def run(*arguments: str | Path, cwd: Path, path: Path | None = None) -> str:
    """What this Python prints for `arguments`, with `path` the only PYTHONPATH."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(kind: str, source: Path, folder: Path) -> Path:
    run("-m", "hatchling", "build", "-t", kind, "-d", folder, cwd=source)
    (built,) = folder.iterdir()
    return built


def members(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sdist = build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    run("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


def test_the_wheel_holds_every_module_and_only_the_package(wheel: Path):
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "taxo").rglob("*.py")}
    found = members(wheel)
    assert {name for name in found if name.endswith(".py")} == modules
    assert {name.split("/")[0] for name in found} == {"taxo", "taxo-0.1.0.dist-info"}
    assert "taxo/py.typed" in found


def test_the_wheel_holds_the_grammar_every_method_and_what_the_commands_print(wheel: Path):
    data = {name for name in members(wheel) if name.startswith("taxo/_data/")}
    assert STEMS
    methods = {f"taxo/_data/methods/{stem}.taxo" for stem in STEMS}
    folders = ("errors", "language", "methods/notes")
    files = [path for folder in folders for path in (ROOT / "docs" / folder).glob("*.md")]
    pages = {f"taxo/_data/{path.relative_to(ROOT)}" for path in files}
    assert data == {"taxo/_data/grammar/taxo.lark", *methods, *pages}


def test_the_wheel_installs_a_command(wheel: Path):
    with ZipFile(wheel) as archive:
        text = archive.read("taxo-0.1.0.dist-info/entry_points.txt").decode()
    assert text.split() == ["[console_scripts]", "taxo", "=", "taxo.cli:main"]


def test_the_sdist_builds_the_same_wheel(unpacked_sdist: Path, wheel: Path, tmp_path: Path):
    assert members(build("wheel", unpacked_sdist, tmp_path)) == members(wheel)


def test_the_sdist_can_run_the_tests(unpacked_sdist: Path):
    tests = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*") if path.suffix == ".py"}
    assert tests == {
        str(path.relative_to(unpacked_sdist)) for path in (unpacked_sdist / "tests").rglob("*.py")
    }
    assert (unpacked_sdist / "Makefile").is_file()


def test_an_editable_install_exposes_the_package_alone(tmp_path: Path):
    editable = build("wheel:editable", ROOT, tmp_path)
    found = {name for name in members(editable) if ".dist-info/" not in name}
    assert found == {"_editable_impl_taxo.pth", "_editable_impl_taxo.py"}
    with ZipFile(editable) as archive:
        assert str(ROOT / "methods") not in archive.read("_editable_impl_taxo.py").decode()
        assert str(ROOT) not in archive.read("_editable_impl_taxo.pth").decode()


def test_the_installed_wheel_lists_every_method(installed: Path, tmp_path: Path):
    where = run("-c", "import taxo; print(taxo.__file__)", cwd=tmp_path, path=installed)
    assert Path(where.strip()) == installed / "taxo" / "__init__.py"
    listed = run("-m", "taxo", "list", cwd=tmp_path, path=installed).split()
    assert not set(STEMS) - set(listed)


def test_the_installed_wheel_explains_codes_and_words(installed: Path, tmp_path: Path):
    page = run("-m", "taxo", "explain", "T203", cwd=tmp_path, path=installed)
    assert page.startswith("T203: ")
    assert "error[T203]" in page
    assert run("-m", "taxo", "explain", "pgd", cwd=tmp_path, path=installed).startswith("pgd (solver)\n")


def test_the_installed_wheel_prints_cards_with_their_notes(installed: Path, tmp_path: Path):
    card = run("-m", "taxo", "card", "mixpert", cwd=tmp_path, path=installed)
    assert "## Known good settings" in card


METHOD = str(ROOT / "methods" / "mixpert.taxo")
ANSWERS = [
    "import taxo",
    "import taxo.cli",
    *(
        f"from taxo.cli import main; main({words})"
        for words in (
            ["list"],
            ["check", METHOD],
            ["fmt", "--check", METHOD],
            ["show", METHOD],
            ["explain", "T203"],
            ["explain", "pgd"],
            ["card", METHOD],
            ["emit", METHOD],
        )
    ),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.replace(METHOD, "METHOD"))
def test_answers_load_no_torch(answer: str, tmp_path: Path):
    # Whoever makes a plan sorts a graph.
    plans = any(word in answer for word in ("show", "emit", "card"))
    heavy = {"torch", "sklearn"} if plans else {"torch", "sklearn", "networkx"}
    question = f"import sys; {answer}; print(sorted({heavy} & set(sys.modules)))"
    assert run("-c", question, cwd=tmp_path, path=ROOT).endswith("[]\n")

"""What taxo says to the examples of the documentation, each run as a user would run it."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager, chdir, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from taxo.catalog import examine
from taxo.cli import main
from taxo.language.errors import CODES, TaxoError
from taxo.language.source import Source


def said(path: Path, code: str) -> str:
    """Every message that an example of a code gets; none, if nothing is wrong with it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".taxo":
        return _checked(text, CODES[code].file)
    with TemporaryDirectory() as folder, chdir(folder), _machine(path.name):
        return _called(text, path.name) if path.suffix == ".py" else _commanded(text)


def _checked(text: str, file: str | None) -> str:
    """What `taxo check` prints of a specification."""
    name = file or f"{text.split()[1]}.taxo"
    try:
        findings = examine(Source(name, text), Path(name).stem)[1]
    except TaxoError as error:
        findings = list(error.diagnostics)
    return "\n".join(map(str, findings))


def _called(text: str, name: str) -> str:
    """What a few lines of Python raise."""
    try:
        exec(compile(text, name, "exec"), {"__name__": name})
    except TaxoError as error:
        return str(error)
    return ""


def _commanded(text: str) -> str:
    """What commands print as they fail; the first that fails is the last that runs."""
    printed = io.StringIO()
    # With a GPU or without one, the pages are the same.
    with redirect_stdout(io.StringIO()), redirect_stderr(printed), patch("torch.cuda.is_available", _no_gpu):
        for line in text.splitlines():
            if line.startswith("printf "):
                _written(shlex.split(line))
            elif not line.startswith("#") and main(shlex.split(line.removeprefix("taxo "))):
                break
    return printed.getvalue().rstrip("\n")


def _written(words: list[str]) -> None:
    """Write a file, as `printf 'its text' > its name` does."""
    Path(words[3]).write_text(words[1].replace("\\n", "\n"), encoding="utf-8")


def _machine(name: str) -> AbstractContextManager[object]:
    """The machine with the trouble that an example is about."""
    return patch(*TROUBLES[name]) if name in TROUBLES else nullcontext()


def _no_gpu() -> bool:
    return False


def _digits_with_a_hole(*, return_X_y: bool) -> tuple[object, object]:
    import numpy

    return numpy.full((100, 64), numpy.nan), numpy.arange(100) % 10


def _no_memory(_: object) -> int:
    raise MemoryError


# Trouble that a machine may or may not have: the example, a function, and what stands in for it.
TROUBLES: dict[str, tuple[str, Callable[..., object]]] = {
    "T509.wrong.sh": ("sklearn.datasets.load_digits", _digits_with_a_hole),
    "T602.wrong.sh": ("taxo.training.train.train", _no_memory),
}

"""A page for each error code: what it means, an example with the message it gets, and the mended example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taxo.cli.examples import said
from taxo.language.codes import FAMILIES, Code
from taxo.language.errors import CODES
from taxo.resources import CHECKOUT

FOLDER = "docs/errors"
EXAMPLES = CHECKOUT / FOLDER / "examples"
BACK = "[All codes](README.md)"
FENCES = {".taxo": "taxo", ".py": "python", ".sh": "sh"}
SEVERITIES = {
    "error": "An error: it has to be mended.",
    "warning": "A warning: it runs, and may not do what you think.",
    "note": "A note: nothing has to be mended.",
}


def error_pages() -> dict[str, str]:
    """The page of every code, and the index of them."""
    made = {f"{FOLDER}/{code}.md": page(code, row) for code, row in CODES.items()}
    return {f"{FOLDER}/README.md": "\n".join(_index()), **made}


def example(code: str, kind: str) -> Path:
    """The file of a code's example, `wrong` or `right`."""
    (found,) = EXAMPLES.glob(f"{code}.{kind}.*")
    return found


def page(code: str, row: Code) -> str:
    """The text of one code's page."""
    wrong, right = example(code, "wrong"), example(code, "right")
    return "\n".join(
        (
            f"# {code}: {row.title}\n",
            f"{SEVERITIES[row.severity]}\n",
            f"{row.why}\n",
            f"## Wrong\n\n{_fenced(wrong, row.file)}\n",
            f"taxo says:\n\n```\n{said(wrong, code)}\n```\n",
            f"## Right\n\n{_fenced(right, row.file)}\n",
            f"{BACK}\n",
        )
    )


def _fenced(path: Path, file: str | None) -> str:
    name = f"`{file}`:\n\n" if file else ""
    return f"{name}```{FENCES[path.suffix]}\n{path.read_text(encoding='utf-8')}```"


def _index() -> Iterator[str]:
    yield "# What taxo's messages mean\n"
    yield "Every message has a code, every code a page. In a terminal, `taxo explain T203` prints it.\n"
    for family, name in FAMILIES.items():
        yield f"## {name}\n"
        yield from (
            f"- [{code}]({code}.md): {row.title}" for code, row in CODES.items() if code[:2] == family
        )
        yield ""

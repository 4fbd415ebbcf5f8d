"""The pages of `docs/` that are made and not written; `make docs` brings them up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from taxo.cli.card_pages import card_pages
from taxo.cli.error_pages import error_pages
from taxo.cli.law_pages import law_pages
from taxo.cli.reference_pages import reference_pages
from taxo.resources import CHECKOUT

# Each gives texts by their paths in the checkout; a folder that holds one such page holds no others,
# but for `docs/` itself.

Generator = Callable[[], Mapping[str, str]]
GENERATORS: tuple[Generator, ...] = (card_pages, error_pages, law_pages, reference_pages)


def pages() -> dict[str, str]:
    """The text of every page, by its path in the checkout."""
    return {path: text for generate in GENERATORS for path, text in generate().items()}


def write(root: Path = CHECKOUT) -> None:
    """Write every page, and remove pages that nothing makes any more."""
    made = pages()
    for path in stale(root, made):
        path.unlink()
    for path, text in made.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def stale(root: Path, made: Mapping[str, str]) -> set[Path]:
    """The pages beside those made that are none of them."""
    folders = {(root / path).parent for path in made} - {root / "docs"}
    return {page for folder in folders for page in folder.glob("*.md")} - {root / path for path in made}


if __name__ == "__main__":
    write()

"""Where grammar, methods and pages lie: in the installed package, or beside it in a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent


def grammar_text() -> str:
    """The grammar of the language, as Lark reads it."""
    return (_folder("grammar") / "taxo.lark").read_text(encoding="utf-8")


def methods_folder() -> Path:
    """The folder of the shipped methods, one `.taxo` file each."""
    return _folder("methods")


def error_page(name: str) -> str:
    """The page of an error code, or `README`, the index of them."""
    return (_folder("docs/errors") / f"{name}.md").read_text(encoding="utf-8")


def reference_page(name: str) -> str:
    """A chapter of the reference of the language, or `README`, the index of all words."""
    return (_folder("docs/language") / f"{name}.md").read_text(encoding="utf-8")


def method_notes(name: str) -> str | None:
    """What people wrote about a shipped method, in sections; None where nobody did."""
    path = _folder("docs/methods/notes") / f"{name}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _folder(name: str) -> Path:
    packaged = PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else CHECKOUT / name

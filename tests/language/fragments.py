"""Examples of the documentation, which are parts of methods."""

from taxo.cli.word_examples import GAP, whole
from taxo.language.layout import method_text
from taxo.language.parser import parse_method
from taxo.language.source import Source


def not_canonical(example: str) -> list[str]:
    """The lines of an example that the formatter would write in another way, but for its columns."""
    canonical = " ".join(method_text(parse_method(Source("example.taxo", whole(example))).method).split())
    parts = (part for line in example.splitlines() for part in line.split(GAP))
    return [part for part in parts if " ".join(part.split()) not in canonical]

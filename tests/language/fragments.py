"""Examples of the documentation, which are parts of methods."""

from taxo.cli.word_examples import GAP, whole
from taxo.language.layout import method_text
from taxo.language.parser import parse_method
from taxo.language.source import Source


def not_canonical(example: str) -> list[str]:
    """The lines of an example that the formatter would write in another way."""
    canonical = method_text(parse_method(Source("example.taxo", whole(example))).method).splitlines()
    lines = (line.partition(GAP)[0].rstrip() for line in example.splitlines())
    return [line for line in lines if line and line not in canonical]

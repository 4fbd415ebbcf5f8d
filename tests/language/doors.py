"""The doors that a specification comes through, and what they say to one that is wrong."""

from collections.abc import Callable, Iterable
from pathlib import Path

from taxo.catalog import load, parse
from taxo.language.errors import TaxoError
from taxo.language.method import Method
from taxo.language.parser import parse_method
from taxo.language.source import Source
from taxo.laws.rebuilding import rebuilt
from tests.language.answers import in_time


def refused(door: Callable[[], Method]) -> None:
    """What is an error in time, with a message that can be printed and is not endless."""
    error = in_time(door)
    assert isinstance(error, TaxoError)
    message = str(error)
    assert len(message) < 20_000
    assert message.replace("\n", "").replace("\t", "").isprintable()


def loaded(text: str, folder: Path) -> Method:
    """The method of a text in a file."""
    path = folder / "m.taxo"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    return load(path)


def doors(text: str, folder: Path, others: bool) -> Iterable[Callable[[], Method]]:
    """The ways in for what a text says; through two of them no other methods are known."""
    yield lambda: parse(text)
    yield lambda: loaded(text, folder)
    draft = parse_method(Source("m.taxo", text)).method
    if not others:
        yield lambda: Method.from_json(draft.to_json())
        yield lambda: rebuilt(draft)

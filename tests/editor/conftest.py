"""Servers to speak to, and places in texts."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from taxo.editor.document import Document
from tests.editor.client import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A server that a module's tests share; it must end well, and have said nothing else."""
    one = Client()
    yield one
    assert one.exit() == (0, b"", b"")


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    """Starts servers of a test's own."""
    started: list[Client] = []

    def begin(**initialize: Any) -> Client:
        started.append(Client(**initialize))
        return started[-1]

    yield begin
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def marked() -> Callable[[str], tuple[Document, int]]:
    """Splits a text with one `|` in it into the text and the place."""

    def split(text: str) -> tuple[Document, int]:
        before, after = text.split("|")
        return Document(before + after), len(before)

    return split

"""Servers to speak to, and places in texts."""

import os
from collections.abc import Callable, Iterator
from subprocess import Popen
from threading import Thread
from typing import Any

import pytest

from taxo.editor.document import Document
from taxo.editor.server import server
from tests.editor.client import Client, command, connected, ended


@pytest.fixture(scope="module", params=["process", "thread"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A server that a module's tests share: the real command, and one inside, whose lines are counted."""
    yield from _process() if request.param == "process" else _thread()


def _process() -> Iterator[Client]:
    """The command; it must end well, and have said nothing else."""
    process = command()
    one = connected(process)
    yield one
    one.exit()
    assert ended(process) == (0, b"", b"")


def _thread() -> Iterator[Client]:
    (asked, ask), (answered, answer) = os.pipe(), os.pipe()
    with os.fdopen(asked, "rb") as asked_file, os.fdopen(answer, "wb") as answer_file:
        thread = Thread(target=server.start_io, args=(asked_file, answer_file), daemon=True)
        thread.start()
        with os.fdopen(answered, "rb") as reader, os.fdopen(ask, "wb") as writer:
            one = Client(reader, writer)
            yield one
            one.exit()
            thread.join()
            assert reader.read() == b""


@pytest.fixture
def process() -> Iterator[Popen[bytes]]:
    """A server of a test's own, not spoken to yet."""
    one = command()
    yield one
    one.kill()
    one.communicate()


@pytest.fixture
def start(process: Popen[bytes]) -> Callable[..., Client]:
    """Begins to speak to a server of a test's own."""

    def begin(**initialize: Any) -> Client:
        return connected(process, **initialize)

    return begin


@pytest.fixture
def marked() -> Callable[[str], tuple[Document, int]]:
    """Splits a text with one `|` in it into the text and the place."""

    def split(text: str) -> tuple[Document, int]:
        before, after = text.split("|")
        return Document(before + after), len(before)

    return split

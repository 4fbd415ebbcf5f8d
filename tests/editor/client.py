"""A client of the language server: it starts the real command and speaks the protocol to it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

ROOT = Path(__file__).parents[2]
CAPABILITIES = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}


class Client:
    """Requests block until they are answered; what the server says meanwhile is kept."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO, **initialize: Any) -> None:
        self.reader, self.writer = reader, writer
        self.notes: list[dict[str, Any]] = []
        self.asked = 0
        self.version = 0
        parameters = {"processId": None, "rootUri": None, "capabilities": CAPABILITIES} | initialize
        self.capabilities = self.request("initialize", parameters)["capabilities"]
        self.notify("initialized", {})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self.writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.writer.flush()

    def _receive(self) -> dict[str, Any]:
        length = 0
        while (line := self.reader.readline()) != b"\r\n":
            name, colon, value = line.decode().partition(": ")
            assert colon, f"no header of the protocol: {line}"
            length = int(value) if name == "Content-Length" else length
        return json.loads(self.reader.read(length))

    def notify(self, method: str, parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def request(self, method: str, parameters: Any) -> Any:
        self.asked += 1
        self._send({"id": self.asked, "method": method, "params": parameters})
        while "id" not in (message := self._receive()):
            self.notes.append(message)
        assert message["id"] == self.asked
        assert "error" not in message, message["error"]
        return message["result"]

    def ask(self, what: str, uri: str, line: int, character: int, **more: Any) -> Any:
        place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
        return self.request(f"textDocument/{what}", place | more)

    def findings(self) -> list[dict[str, Any]]:
        """The diagnostics that come next."""
        while not self.notes:
            self.notes.append(self._receive())
        note = self.notes.pop(0)
        assert note["method"] == "textDocument/publishDiagnostics"
        return note["params"]["diagnostics"]

    def open(self, uri: str, text: str) -> list[dict[str, Any]]:
        document = {"uri": uri, "languageId": "taxo", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return self.findings()

    def change(self, uri: str, text: str) -> list[dict[str, Any]]:
        self.version += 1
        document = {"uri": uri, "version": self.version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
        return self.findings()

    def exit(self, shutdown: bool = True) -> None:
        """End the server."""
        if shutdown:
            self.request("shutdown", None)
        self.notify("exit", None)


def command() -> subprocess.Popen[bytes]:
    """The server as an editor starts it."""
    words = [sys.executable, "-W", "error", "-m", "taxo", "lsp"]
    pipe = subprocess.PIPE
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)


def connected(process: subprocess.Popen[bytes], **initialize: Any) -> Client:
    """A client of a process."""
    assert process.stdin
    assert process.stdout
    return Client(cast(BinaryIO, process.stdout), cast(BinaryIO, process.stdin), **initialize)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """A process's exit code, and what it still wrote."""
    out, err = process.communicate()
    return process.returncode, out, err

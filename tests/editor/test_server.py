"""The server as an editor sees it: the command is started, and spoken to over its input and output."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.editor.client import Client, connected, ended

ROOT = Path(__file__).parents[2]
URI = "file:///somewhere/mine.taxo"
GOOD = """method mine
  "Ω 𝄞"
param eps = 0.1 in [0, 1]

perturb features by d {
  direction   negative
  infer       adversarial maximize loss within linf(eps), box via pgd(steps: 2, step: eps / 2)
  granularity sample
}
"""
WRONG = GOOD.replace("negative", "negativ").replace("sample\n", "smaple\n")


def span(line: int, start: int, end: int) -> dict[str, Any]:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


def test_mistakes_are_shown_and_cleared(client: Client):
    found = client.open(URI, WRONG)
    assert [(one["code"], one["range"]) for one in found] == [
        ("T205", span(5, 14, 21)),
        ("T205", span(7, 14, 20)),
    ]
    assert found[0]["message"] == "`negativ` is no direction\ndid you mean `negative`?"
    assert (found[0]["source"], found[0]["severity"]) == ("taxo", 1)
    assert client.change(URI, GOOD) == []


def test_a_text_that_is_no_method_has_its_mistakes_shown(client: Client):
    (found,) = client.open("untitled:Untitled-1", "method")
    assert found["code"] == "T101"


def test_notes_are_no_errors(client: Client):
    text = "method mine perturb loss by 1 { direction negative infer prior granularity sample }"
    assert [(one["code"], one["severity"]) for one in client.open(URI, text)] == [("T305", 3)]


def test_the_files_name_is_the_methods(client: Client):
    (found,) = client.open("file:///somewhere/other%20one.taxo", "method mine")
    assert (found["code"], found["range"]) == ("T105", span(0, 7, 11))


def test_closing_takes_back_what_was_said(client: Client):
    client.open(URI, WRONG)
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert client.findings() == []


@pytest.mark.parametrize(
    ("wanted", "agreed", "columns"),
    [(None, "utf-16", (7, 10)), (["utf-32"], "utf-32", (6, 9)), (["utf-8", "utf-16"], "utf-8", (9, 12))],
)
def test_columns_are_counted_in_the_agreed_units(
    start: Callable[..., Client], wanted: list[str] | None, agreed: str, columns: tuple[int, int]
):
    capabilities = {"general": {"positionEncodings": wanted}} if wanted else {}
    client = start(capabilities=capabilities)
    assert client.capabilities["positionEncoding"] == agreed
    (found,) = client.open(URI, 'method mine\n  "𝄞" odd')
    assert found["range"] == span(1, *columns)


def test_hover_says_what_a_word_means(client: Client):
    client.open(URI, GOOD)
    place = GOOD.splitlines()[6].index("pgd")
    found = client.ask("hover", URI, 6, place + 1)
    assert found["range"] == span(6, place, place + 3)
    assert found["contents"]["kind"] == "markdown"
    assert found["contents"]["value"].startswith("`pgd(steps, step, start: zero, ")
    assert client.ask("hover", URI, 2, 13) is None


def test_completion_fills_in_a_solver(client: Client):
    client.open(URI, GOOD)
    line = GOOD.splitlines()[6]
    place = line.index("pgd") + 1
    found = {one["label"]: one for one in client.ask("completion", URI, 6, place)}
    assert found["pgd"]["textEdit"] == {"range": span(6, place - 1, place), "newText": "pgd"}
    client.change(URI, GOOD.replace("pgd(steps: 2, step: eps / 2)", ""))
    found = {one["label"]: one for one in client.ask("completion", URI, 6, place - 1)}
    assert found["pgd"]["textEdit"]["newText"] == "pgd(steps: ${1}, step: ${2})"
    assert found["pgd"]["insertTextFormat"] == 2


def test_completion_has_no_holes_for_an_editor_that_cannot_fill_them(start: Callable[..., Client]):
    client = start(capabilities={})
    client.open(URI, "method mine let a = ")
    found = client.ask("completion", URI, 0, 20)
    assert found
    assert {one["insertTextFormat"] for one in found} == {1}
    assert not any("$" in one["textEdit"]["newText"] for one in found)


def test_a_space_alone_offers_words_only_where_they_are_few(client: Client):
    client.open(URI, "method mine let a = \nperturb ")
    space = {"context": {"triggerKind": 2, "triggerCharacter": " "}}
    assert client.ask("completion", URI, 0, 20, **space) == []
    assert "weights" in [one["label"] for one in client.ask("completion", URI, 1, 8, **space)]


def test_a_definition_in_the_text(client: Client):
    client.open(URI, GOOD)
    place = GOOD.splitlines()[6].index("eps")
    assert client.ask("definition", URI, 6, place) == {"uri": URI, "range": span(2, 6, 9)}
    assert client.ask("definition", URI, 5, 3) is None


def test_a_definition_in_another_file(client: Client, tmp_path: Path):
    other = tmp_path / "the other.taxo"
    other.write_text("method other")
    uri = (tmp_path / "mine.taxo").as_uri()
    client.open(uri, "method mine\nuse plain\nuse nothing")
    assert client.ask("definition", uri, 1, 5)["uri"] == (ROOT / "methods" / "plain.taxo").as_uri()
    assert client.ask("definition", uri, 2, 5) is None


def test_formatting_is_one_edit_of_the_whole_text(client: Client):
    client.open(URI, "method   mine # 𝄞\n  ")
    options = {"options": {"tabSize": 2, "insertSpaces": True}, "textDocument": {"uri": URI}}
    (edit,) = client.request("textDocument/formatting", options)
    assert edit["newText"] == "method mine  # 𝄞\n"
    assert edit["range"]["end"] == {"line": 1, "character": 2}
    client.change(URI, edit["newText"])
    assert client.request("textDocument/formatting", options) == []
    client.change(URI, "method mine perturb")
    assert client.request("textDocument/formatting", options) == []


def test_the_outline_lists_what_the_text_declares(client: Client):
    client.open(URI, GOOD)
    found = client.request("textDocument/documentSymbol", {"textDocument": {"uri": URI}})
    assert [one["name"] for one in found] == ["mine", "eps", "perturb features"]
    assert found[1]["selectionRange"] == span(2, 6, 9)


def test_a_misspelt_word_is_mended(client: Client):
    client.open(URI, WRONG)
    where = {"textDocument": {"uri": URI}, "range": span(5, 15, 15), "context": {"diagnostics": []}}
    (action,) = client.request("textDocument/codeAction", where)
    assert action["title"] == "write `negative`"
    assert action["edit"]["changes"][URI] == [{"range": span(5, 14, 21), "newText": "negative"}]


def test_a_hostile_text_is_answered(client: Client):
    (found,) = client.open(URI, "method mine " + "((" * 5_000_000)
    assert found["code"] == "T104"
    assert client.ask("completion", URI, 0, 100) == []
    assert client.ask("hover", URI, 0, 8) is None
    for text in ("(" * 16_000, "method mine \ud800 \x00", '"' * 16_000, "{" * 9_000 + "}" * 7_000):
        assert client.open(URI, text)
        client.ask("completion", URI, 0, 9_000)


def test_an_end_without_a_shutdown_is_a_failure(process: subprocess.Popen[bytes]):
    connected(process).exit(shutdown=False)
    assert ended(process) == (1, b"", b"")


def test_an_editor_that_is_gone_ends_the_server(process: subprocess.Popen[bytes]):
    connected(process)
    assert ended(process) == (1, b"", b"")


def test_the_server_loads_no_torch():
    question = (
        "import sys, taxo.editor.server; print(sorted({'torch', 'sklearn', 'networkx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", question], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"

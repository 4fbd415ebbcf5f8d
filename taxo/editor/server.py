"""The language server: what the other modules know of a text, in the protocol that editors speak."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from taxo import __version__
from taxo.editor.completion import Offer, complete
from taxo.editor.definition import define
from taxo.editor.diagnostics import Problem, problems
from taxo.editor.document import Document
from taxo.editor.formatting import canonical
from taxo.editor.hover import hover
from taxo.editor.outline import Part, outline
from taxo.editor.positions import Position, Positions

SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
SORTS = {
    "option": types.CompletionItemKind.Property,
    "word": types.CompletionItemKind.EnumMember,
    "name": types.CompletionItemKind.Variable,
    "value": types.CompletionItemKind.Constant,
    "function": types.CompletionItemKind.Function,
    "keyword": types.CompletionItemKind.Keyword,
    "method": types.CompletionItemKind.Module,
}
SYMBOLS = {
    "method": types.SymbolKind.Module,
    "param": types.SymbolKind.Property,
    "branch": types.SymbolKind.Namespace,
    "perturb": types.SymbolKind.Event,
}


class Server(LanguageServer):
    """A server of whole texts: an edit sends the text anew, which is at most a page."""

    def __init__(self) -> None:
        super().__init__("taxo", __version__, types.TextDocumentSyncKind.Full)
        self.was_shut_down = False

    def opened(self, uri: str) -> tuple[Document, Positions]:
        """The text under an address, and its positions as the editor counts them."""
        text = self.workspace.get_text_document(uri).source
        return Document.at(uri, text), self.positions(text)

    def positions(self, text: str) -> Positions:
        """The positions of a text in the encoding that was agreed on."""
        encoding = self.workspace.position_encoding or types.PositionEncodingKind.Utf16
        return Positions(text, types.PositionEncodingKind(encoding).value)

    def takes_snippets(self) -> bool:
        """Whether the editor fills in the holes of a completion."""
        document = self.client_capabilities.text_document
        completion = document.completion if document else None
        item = completion.completion_item if completion else None
        return bool(item and item.snippet_support)


server = Server()


def _range(positions: Positions, start: int, end: int) -> types.Range:
    return types.Range(_position(positions.position(start)), _position(positions.position(end)))


def _position(position: Position) -> types.Position:
    return types.Position(position.line, position.character)


def _offset(positions: Positions, position: types.Position) -> int:
    return positions.offset(Position(position.line, position.character))


def _publish(uri: str, diagnostics: Sequence[types.Diagnostic], version: int | None = None) -> None:
    server.text_document_publish_diagnostics(
        types.PublishDiagnosticsParams(uri=uri, diagnostics=diagnostics, version=version)
    )


def _examine(uri: str, version: int) -> None:
    document, positions = server.opened(uri)
    _publish(uri, [_diagnostic(problem, positions) for problem in problems(document)], version)


def _diagnostic(problem: Problem, positions: Positions) -> types.Diagnostic:
    return types.Diagnostic(
        range=_range(positions, problem.start, problem.end),
        message=problem.message,
        severity=SEVERITIES[problem.severity],
        code=problem.code,
        source="taxo",
    )


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(params: types.DidOpenTextDocumentParams) -> None:
    """Say what is wrong with a text that was opened."""
    _examine(params.text_document.uri, params.text_document.version)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(params: types.DidChangeTextDocumentParams) -> None:
    """Say what is wrong with a text that was changed."""
    _examine(params.text_document.uri, params.text_document.version)


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(params: types.DidCloseTextDocumentParams) -> None:
    """Take back what was said of a text that was closed."""
    _publish(params.text_document.uri, [])


@server.feature(types.TEXT_DOCUMENT_HOVER)
def on_hover(params: types.HoverParams) -> types.Hover | None:
    """What the word under the pointer means."""
    document, positions = server.opened(params.text_document.uri)
    found = hover(document, _offset(positions, params.position))
    if found is None:
        return None
    content = types.MarkupContent(types.MarkupKind.Markdown, found.text)
    return types.Hover(content, _range(positions, found.start, found.end))


@server.feature(
    types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[" ", ".", "(", ":"])
)
def on_completion(params: types.CompletionParams) -> list[types.CompletionItem]:
    """The words that may stand at the cursor."""
    document, positions = server.opened(params.text_document.uri)
    by_space = params.context is not None and params.context.trigger_character == " "
    found = complete(document, _offset(positions, params.position), by_space)
    place = _range(positions, found.start, found.end)
    return [_completion(offer, place, server.takes_snippets()) for offer in found.offers]


def _completion(offer: Offer, place: types.Range, snippets: bool) -> types.CompletionItem:
    snippet = offer.snippet if snippets else None
    return types.CompletionItem(
        label=offer.label,
        kind=SORTS[offer.sort],
        detail=offer.detail,
        sort_text=f"{offer.rank}{offer.label}",
        text_edit=types.TextEdit(place, snippet or offer.label),
        insert_text_format=types.InsertTextFormat.Snippet if snippet else types.InsertTextFormat.PlainText,
    )


@server.feature(types.TEXT_DOCUMENT_DEFINITION)
def on_definition(params: types.DefinitionParams) -> types.Location | None:
    """Where the name under the cursor is declared."""
    uri = params.text_document.uri
    document, positions = server.opened(uri)
    found = define(document, _offset(positions, params.position))
    if found is None:
        return None
    if found.path is None:
        return types.Location(uri, _range(positions, found.start, found.end))
    top = types.Position(0, 0)
    return types.Location(found.path.absolute().as_uri(), types.Range(top, top))


@server.feature(types.TEXT_DOCUMENT_FORMATTING)
def on_formatting(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
    """The text in its canonical form, as one edit; none where there is nothing to change."""
    document, positions = server.opened(params.text_document.uri)
    text = canonical(document)
    if text is None or text == document.text:
        return []
    return [types.TextEdit(_range(positions, 0, len(document.text)), text)]


@server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
def on_symbols(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    """The parts of the text."""
    document, positions = server.opened(params.text_document.uri)
    return [_symbol(part, positions) for part in outline(document)]


def _symbol(part: Part, positions: Positions) -> types.DocumentSymbol:
    return types.DocumentSymbol(
        name=part.name,
        kind=SYMBOLS.get(part.keyword, types.SymbolKind.Variable),
        range=_range(positions, part.start, part.end),
        selection_range=_range(positions, part.name_start, part.name_end),
        detail=part.keyword,
        children=[_symbol(inner, positions) for inner in part.inner],
    )


@server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions([types.CodeActionKind.QuickFix]))
def on_code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
    """The words that were probably meant, for the mistakes around the cursor."""
    uri = params.text_document.uri
    document, positions = server.opened(uri)
    first, last = _offset(positions, params.range.start), _offset(positions, params.range.end)
    near = [found for found in problems(document) if found.start <= last and found.end >= first]
    return [_fix(problem, problem.instead, uri, positions) for problem in near if problem.instead]


def _fix(problem: Problem, word: str, uri: str, positions: Positions) -> types.CodeAction:
    edit = types.TextEdit(_range(positions, problem.start, problem.end), word)
    return types.CodeAction(
        title=f"write `{word}`",
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[_diagnostic(problem, positions)],
        edit=types.WorkspaceEdit(changes={uri: [edit]}),
    )


@server.feature(types.SHUTDOWN)
def on_shutdown(params: None) -> None:
    """Note that the editor ends in good order."""
    server.was_shut_down = True


def serve() -> int:
    """Speak to an editor over this process's own input and output; the exit code is the protocol's."""
    # What anything prints must not come between the messages.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as output, redirect_stdout(sys.stderr):
        server.start_io(sys.stdin.buffer, output)
    return 0 if server.was_shut_down else 1

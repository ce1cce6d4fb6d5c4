"""Completion in the REPL: commands, what they take, and the files that a question mentions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from phicli.chat.commands.table import BY_NAME
from phicli.chat.files.candidates import begun_mention, files_for
from phicli.chat.settings import completions

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

Names = Callable[[str, str], Sequence[str]]
_BEGINS_PATH: Final = ("/", "./", "../", "~")
_CLOSED: Final = re.compile(r"(?:\"[^\"]*\"|'[^']*'|[^\"'])*")
"""A text up to a quote that is still open."""


def completer(names: Names) -> Completer:
    """What completes a typed text up to the cursor; ``names`` of a kind begin with a text."""
    from prompt_toolkit.completion import Completer, Completion

    class TextCompleter(Completer):
        """Completes the text up to the cursor."""

        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002 (the library's)
            text = document.text_before_cursor
            replaced, candidates = candidates_for(text, names)
            yield from (Completion(candidate, -replaced, display=_short(candidate)) for candidate in candidates)

    return TextCompleter()


def candidates_for(text: str, names: Names) -> tuple[int, list[str]]:
    """How many characters at the end of ``text`` are replaced, and what can stand there."""
    word, space, rest = text.partition(" ")
    if text.startswith("/") and "\n" not in text:
        if not space:
            return len(text), [name for name in BY_NAME if name.startswith(text.lower())]
        command = BY_NAME.get(word.lower())
        if command is not None and (command.argument.names or command.argument.words):
            if command.argument.several:
                rest = _CLOSED.sub("", rest, count=1) or rest.rpartition(" ")[2]
            return len(rest), _arguments(command.argument.names, command.argument.words, rest.lstrip(), names)
    mention = begun_mention(text)
    return (0, []) if mention is None else (len(mention), files_for(mention, spaces=False))


def _arguments(kind: str, words: Sequence[str], beginning: str, names: Names) -> list[str]:
    if kind == "path" or (kind == "model" and beginning.startswith(_BEGINS_PATH)):
        return files_for(beginning, spaces=True)
    if kind == "adapter" and beginning.lstrip("\"'").startswith(_BEGINS_PATH):
        return files_for(beginning, spaces=False)
    if kind == "setting":
        return completions(beginning)
    fixed = [word for word in words if word.startswith(beginning.lower())]
    if kind == "command":
        return [*fixed, *(name for name in BY_NAME if name.startswith(beginning.lower()))]
    return [*fixed, *(names(kind, beginning) if kind else ())]


def _short(candidate: str) -> str:
    """How the list shows a candidate: of a path the last part."""
    return re.sub(r".*/(?=.)", "", candidate) if "/" in candidate[1:] else candidate

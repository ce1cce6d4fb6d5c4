"""Completion in the REPL: commands, and the models and files that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from phicli.chat.commands.table import BY_NAME

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document


def completer(names: Callable[[str, str], Sequence[str]]) -> Completer:
    """What completes a typed line, as the table of commands says; ``names`` of a kind begin with a text."""
    from prompt_toolkit.completion import Completer, Completion, PathCompleter
    from prompt_toolkit.document import Document

    paths = PathCompleter(expanduser=True)

    class LineCompleter(Completer):
        """Completes the line up to the cursor."""

        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            line = document.text_before_cursor
            word, space, rest = line.partition(" ")
            if not space and line.startswith("/"):
                commands = [name for name in BY_NAME if name.startswith(line.lower())]
                yield from (Completion(name, -len(line)) for name in commands)
                return
            command = BY_NAME.get(word.lower())
            if command is not None and command.argument.names == "model":
                yield from (Completion(name, -len(rest)) for name in names("model", rest))
                return
            last = line.rpartition(" ")[2]
            if command is not None and command.argument.names == "path":
                yield from paths.get_completions(Document(rest), complete_event)
            elif last.startswith("@"):
                yield from paths.get_completions(Document(last[1:]), complete_event)

    return LineCompleter()

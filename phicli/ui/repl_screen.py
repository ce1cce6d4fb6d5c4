"""The REPL's screen: prompt_toolkit reads, :class:`~phicli.ui.answer.AnswerPrinter` shows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from phicli.answering.types import Answer, Event
from phicli.errors import PhiError, UserInterruptError
from phicli.ui.answer import AnswerPrinter
from phicli.ui.confirm import which
from phicli.ui.envelope import print_error
from phicli.ui.repl_completion import completer
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.wrapping import columns_of, wrapped

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History


class TerminalScreen:
    """A conversation in a terminal.

    Args:
        terminal: where to.
        status: the line that shows waiting.
        history_path: the file that keeps what was typed; without it (or where it cannot be written) the history
            lasts as long as the conversation.
        quiet: no reasoning and no notices.
        plain: print answers as they are, without rendering their Markdown.
        on_end: called with each answer when all of it is printed.
        model_names: the names of models that begin with a text.
    """

    def __init__(
        self,
        terminal: Terminal,
        status: StatusLine,
        *,
        history_path: Path | None = None,
        quiet: bool = False,
        plain: bool = False,
        on_end: Callable[[Answer], None] | None = None,
        model_names: Callable[[str], Sequence[str]] = lambda _: (),
    ) -> None:
        self._terminal = terminal
        self._status = status
        self._quiet = quiet
        self._plain = plain
        self._on_end = on_end
        self._model_names = model_names
        self._history_path = history_path
        self._prompt: PromptSession[str] | None = None

    def prepare(self) -> None:
        """Import what reads lines. A Ctrl-C in the middle of that leaves half of a library, so it has to leave."""
        if self._prompt is None:
            self._prompt = self._make_prompt()

    def read(self, text: str = "") -> str:
        """The next line a person types; ``text`` is there to be changed."""
        self.prepare()
        assert self._prompt is not None  # noqa: S101 (prepared)
        return self._prompt.prompt(">>> ", default=text).encode("utf-8", errors="replace").decode("utf-8")

    def choose(self, question: str, choices: Sequence[str]) -> int | None:
        """The index of the choice that a person takes; None for none."""
        self._status.clear()
        try:
            return which(self._terminal, question, choices)
        except UserInterruptError:
            raise KeyboardInterrupt from None

    def show(self, events: Iterator[Event]) -> None:
        """Show an answer as it comes."""
        printer = AnswerPrinter(self._terminal, self._status, quiet=self._quiet, plain=self._plain, on_end=self._on_end)
        printer.show(events)

    def tell(self, text: str) -> None:
        """Show lines that are not the model's, wrapped at words."""
        width = columns_of(self._terminal.stderr)
        lines = [line if width is None else wrapped(line, width) for line in text.splitlines()]
        self._terminal.whisper("\n".join(lines) + "\n")

    def fail(self, error: PhiError) -> None:
        """Show an error."""
        self._status.clear()
        print_error(self._terminal, "chat", error, as_json=False)

    def _make_prompt(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession

        completing = completer(self._model_names)
        return PromptSession(history=self._history(), completer=completing, complete_while_typing=False)

    def _history(self) -> History:
        from prompt_toolkit.history import FileHistory, InMemoryHistory

        class PatientFileHistory(FileHistory):
            """A history whose disk may fill up: then it forgets instead of ending the conversation."""

            def store_string(self, string: str) -> None:
                with contextlib.suppress(OSError):
                    super().store_string(string)

        if self._history_path is None:
            return InMemoryHistory()
        try:
            self._history_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._history_path.touch(mode=0o600)
            with self._history_path.open("ab"):
                pass
        except OSError as error:
            self.tell(f"the input history cannot be saved: {error.strerror}: {self._history_path}")
            return InMemoryHistory()
        return PatientFileHistory(str(self._history_path))

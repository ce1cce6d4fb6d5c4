"""Reads what a person types at the prompt of a conversation; prompt_toolkit edits the line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phicli.ui.repl.completion import completer

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History

_PROMPT: Final = ">>> "


class LineReader:
    """Reads questions and commands.

    Args:
        history_path: the file that keeps what was typed; without it (or where it cannot be written) the history
            lasts as long as the conversation.
        model_names: the names of models that begin with a text.
        tell: shows a line.
        toolbar: the text below the prompt, asked for whenever it is drawn; None for no toolbar.
    """

    def __init__(
        self, history_path: Path | None, model_names: Callable[[str], Sequence[str]], *, tell: Callable[[str], None],
        toolbar: Callable[[], str] | None = None,
    ) -> None:  # fmt: skip
        self._history_path = history_path
        self._model_names = model_names
        self._tell = tell
        self._toolbar = toolbar
        self._prompt: PromptSession[str] | None = None

    def prepare(self) -> None:
        """Import what reads lines. A Ctrl-C in the middle of that leaves half of a library, so it has to leave."""
        if self._prompt is None:
            self._prompt = self._make_prompt()

    def read(self, text: str = "") -> str:
        """The next line a person types; ``text`` is there to be changed.

        Raises:
            EOFError: Ctrl-D.
            KeyboardInterrupt: Ctrl-C.
        """
        self.prepare()
        assert self._prompt is not None  # noqa: S101 (prepared)
        return self._prompt.prompt(_PROMPT, default=text).encode("utf-8", errors="replace").decode("utf-8")

    def _make_prompt(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.styles import Style

        looks = "noreverse" if os.environ.get("NO_COLOR") else "noreverse dim"
        return PromptSession(
            history=self._history(), completer=completer(self._model_names), complete_while_typing=False,
            bottom_toolbar=self._toolbar, style=Style.from_dict({"bottom-toolbar": looks}),
        )  # fmt: skip

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
            self._tell(f"the input history cannot be saved: {error.strerror}: {self._history_path}")
            return InMemoryHistory()
        return PatientFileHistory(str(self._history_path))

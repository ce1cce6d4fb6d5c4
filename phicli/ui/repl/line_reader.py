"""Reads what a person types at the prompt of a conversation; prompt_toolkit edits the line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from phicli.ui.repl.blocks import question_of
from phicli.ui.repl.completion import completer
from phicli.ui.repl.history import history
from phicli.ui.repl.pasted import PastedTexts
from phicli.ui.typed_ahead import TypedAhead

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from phicli.ui.repl.keyboard import Keyboard

_PROMPT: Final = ">>> "
_NEXT_LINE: Final = "... "
_BROKEN_NAME: Final = "the name of a pasted text was changed: delete the name and paste the text again"


class LineReader:
    """Reads questions and commands.

    From :meth:`prepare` to :meth:`close`, what is typed between two prompts waits for the next one.

    Args:
        history_path: the file that keeps what was typed; without it (or where it cannot be written) the history
            lasts as long as the conversation.
        names: the names of a kind (``model``, ``session``, ``setting``) that begin with a text.
        tell: shows a line.
        toolbar: the text below the prompt, asked for whenever it is drawn; None for no toolbar.
        stdin: the terminal; None for standard input.
    """

    def __init__(
        self, history_path: Path | None, names: Callable[[str, str], Sequence[str]], *, tell: Callable[[str], None],
        toolbar: Callable[[], str] | None = None, stdin: TextIO | None = None,
    ) -> None:  # fmt: skip
        self._history_path = history_path
        self._names = names
        self._tell = tell
        self._toolbar = toolbar
        self._pastes = PastedTexts()
        self._stdin = stdin or sys.stdin
        self._ahead: TypedAhead | None = None
        self._keyboard: Keyboard | None = None
        self._prompt: PromptSession[str] | None = None

    def prepare(self) -> None:
        """Import what reads lines. A Ctrl-C in the middle of that leaves half of a library, so it has to leave."""
        if self._prompt is None:
            self._ahead = TypedAhead(self._stdin.fileno())
            self._ahead.hold()
            self._prompt = self._make_prompt()

    def read(self, text: str = "") -> str:
        """The next question or command that a person types, of one line or several.

        Args:
            text: what stands in the line already, to be changed.

        Raises:
            EOFError: Ctrl-D, or the terminal is gone.
            KeyboardInterrupt: Ctrl-C.
        """
        self.prepare()
        assert self._prompt is not None  # noqa: S101 (prepared)
        assert self._ahead is not None  # noqa: S101 (prepared)
        self._hand_over(self._ahead.take())
        try:
            line = self._prompt.prompt(_PROMPT, default=self._pastes.shown(text))
        except OSError:  # it cannot be written to any more
            raise EOFError from None
        finally:
            self._ahead.hold()
        whole = self._pastes.whole(line).encode("utf-8", errors="replace").decode("utf-8")
        return question_of(whole)

    def close(self) -> None:
        """Leave the terminal as it was found. The end of the process does this, too."""
        if self._ahead is not None:
            self._ahead.close()

    def _hand_over(self, bursts: list[bytes]) -> None:
        """Give the prompt what was typed before it."""
        from prompt_toolkit.input.typeahead import store_typeahead

        keyboard = self._keyboard
        if keyboard is not None:
            for burst in bursts:
                store_typeahead(keyboard, [*keyboard.keys_of(burst), *keyboard.flush_keys()])

    def _make_prompt(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.styles import Style
        from prompt_toolkit.validation import Validator

        from phicli.ui.repl.keys import key_bindings

        self._keyboard = _keyboard(self._stdin)
        whole = Validator.from_callable(
            lambda line: not self._pastes.is_broken(line), _BROKEN_NAME, move_cursor_to_end=True
        )
        looks = "noreverse" if os.environ.get("NO_COLOR") else "noreverse dim"
        return PromptSession(
            history=history(self._history_path, self._pastes, self._tell),
            completer=completer(self._names), complete_while_typing=False, auto_suggest=AutoSuggestFromHistory(),
            key_bindings=key_bindings(self._pastes, self._tell), multiline=True, prompt_continuation=_continuation,
            validator=whole, validate_while_typing=False, enable_suspend=True, bottom_toolbar=self._toolbar,
            style=Style.from_dict({"bottom-toolbar": looks}),
            input=self._keyboard,
        )  # fmt: skip


def _continuation(_width: int, _line: int, wrapped: int) -> str:
    return "" if wrapped else _NEXT_LINE


def _keyboard(stdin: TextIO) -> Keyboard | None:
    """What reads the keys; None for prompt_toolkit's own."""
    if sys.platform == "win32" or not stdin.isatty():
        return None
    from phicli.ui.repl.keyboard import Keyboard

    return Keyboard(stdin)

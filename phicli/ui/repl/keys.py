"""What the keys of the prompt do, beyond those that prompt_toolkit has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from phicli.errors import UsageError
from phicli.ui.repl.blocks import continues, is_open
from phicli.ui.repl.pasted import PastedTexts

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


def key_bindings(pastes: PastedTexts, tell: Callable[[str], None]) -> KeyBindings:
    """Enter, line breaks, pastes, the editor; ``tell`` prints a line."""
    from prompt_toolkit.application import get_app
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import Condition, has_focus
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys
    from prompt_toolkit.utils import is_dumb_terminal

    bindings = KeyBindings()
    at_line = has_focus(DEFAULT_BUFFER)

    @Condition
    def behind_a_paste() -> bool:
        return bool(pastes.name_before(get_app().current_buffer.document.text_before_cursor))

    @bindings.add(Keys.ControlM, filter=at_line)
    def _enter(event: KeyPressEvent) -> None:
        _press_enter(event)

    @bindings.add(Keys.ControlJ, filter=at_line & ~Condition(is_dumb_terminal))  # what Enter sends there, as in Emacs
    @bindings.add(Keys.Escape, Keys.ControlM, filter=at_line)
    @bindings.add(Keys.Escape, Keys.ControlJ, filter=at_line)
    def _break(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        event.current_buffer.insert_text(pastes.shown(text))

    @bindings.add(Keys.ControlH, filter=at_line & behind_a_paste)
    def _delete_paste(event: KeyPressEvent) -> None:
        name = pastes.name_before(event.current_buffer.document.text_before_cursor)
        event.current_buffer.delete_before_cursor(len(name))

    @bindings.add(Keys.ControlG, filter=at_line)
    @bindings.add(Keys.ControlX, Keys.ControlE, filter=at_line)
    def _edit(event: KeyPressEvent) -> None:
        _open_editor(event, pastes, tell)

    return bindings


def _press_enter(event: KeyPressEvent) -> None:
    """Send the question, or go on with its next line."""
    buffer = event.current_buffer
    if is_open(buffer.text):
        buffer.insert_text("\n")
    elif not buffer.text.startswith('"""') and buffer.document.is_cursor_at_the_end and continues(buffer.text):
        buffer.delete_before_cursor()
        buffer.insert_text("\n")
    else:
        buffer.validate_and_handle()


def _open_editor(event: KeyPressEvent, pastes: PastedTexts, tell: Callable[[str], None]) -> None:
    from prompt_toolkit.application import run_in_terminal
    from prompt_toolkit.document import Document

    from phicli.ui.repl.editor import edited

    buffer = event.current_buffer

    def edit() -> None:
        try:
            text = pastes.shown(edited(pastes.whole(buffer.text)))
        except UsageError as error:
            tell(str(error))
        else:
            buffer.document = Document(text)

    run_in_terminal(edit)

"""Where an imported conversation comes from, and which model it is for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from phicli.chat.importing import MOST_BYTES, Imported, read_conversation, read_conversation_file
from phicli.commands.locating import check_usable
from phicli.errors import PhiError, UsageError
from phicli.plan.last_used import last_used
from phicli.settings.key import Key

if TYPE_CHECKING:
    from phicli.ui.terminal import Terminal

_STDIN: Final = "standard input"


def read_import(terminal: Terminal, path: Path) -> Imported:
    """The conversation in the file ``path``, or in standard input for ``-``.

    Raises:
        NotFoundError: the file does not exist.
        UsageError: it is not a conversation.
    """
    if str(path) != "-":
        return read_conversation_file(path)
    if terminal.stdin.isatty():
        raise UsageError("standard input is a terminal", "name a file: phi sessions import FILE")
    content = terminal.stdin.buffer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UsageError(f"{_STDIN} is too large", "import a smaller conversation")
    return read_conversation(content, _STDIN)


def model_for(ctx: Any, terminal: Terminal, named: str | None, *, typed: str | None) -> str:
    """The model of the new session: the one that was typed, that of the file if it can run here, else the default.

    It need not be downloaded yet.

    Raises:
        UsageError: there is none of them.
        NotFoundError, UnsupportedModelError: the model that was typed is unknown, or cannot run here.
    """
    if typed is not None:
        check_usable(typed)
        return typed
    why = "the file does not name a model"
    if named is not None:
        try:
            check_usable(named)
        except PhiError as error:
            why = f"the model in the file cannot be used: {error.message}"
        else:
            return named
    try:
        usual = _default(ctx) or last_used()
    except UsageError:
        raise UsageError(why, "name a model: phi sessions import FILE --model phi-4-mini") from None
    if named is not None:
        terminal.say(f"note: {why}; the session is for {usual}")
    return usual


def _default(ctx: Any) -> str | None:
    """The ``model`` setting, which the option of that name does not take."""
    from phicli.commands.any_setting import something_is_set

    if not something_is_set(ctx):
        return None
    from phicli.commands.configured import chosen_profile
    from phicli.settings.file import read_settings
    from phicli.settings.lookup import find

    source = find(Key("model"), read_settings(), chosen_profile(ctx))
    return None if source is None else str(source.value)

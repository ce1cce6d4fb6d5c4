"""The table of the REPL's commands: help, completion and what is understood come from it."""

from __future__ import annotations

from typing import Final

from phicli.chat.commands import others, sessions, turns
from phicli.chat.commands.types import ANY_TEXT, MODEL, NAME, NOTHING, NUMBER, PATH, Command
from phicli.chat.talk import Talk

_CONVERSATION: Final = "Conversation"
_SAVED: Final = "Saved conversations"
_GENERAL: Final = "General"
_KEYS: Final = (
    "Ctrl-C stops an answer, Ctrl-D ends the conversation.\n"
    "A line that begins with // is sent with one slash. @PATH in a question sends a file with it."
)


def _help(talk: Talk, _: str) -> bool:
    talk.screen.tell(help_text())
    return True


COMMANDS: Final = (
    Command("/undo", NUMBER, "remove the last turn, or the last N turns", _CONVERSATION, turns.undo),
    Command("/retry", NOTHING, "ask the last question again, with another seed", _CONVERSATION, turns.retry),
    Command("/edit", NOTHING, "change the last question and send it again", _CONVERSATION, turns.edit),
    Command("/file", PATH, "send a file with the next question; /file - removes it", _CONVERSATION, others.file),
    Command(
        "/system", ANY_TEXT, "show the system message; with TEXT set it (- removes it) and begin a new conversation",
        _CONVERSATION, turns.system,
    ),
    Command("/summary", NOTHING, "show the summary of turns that are no longer sent", _CONVERSATION, turns.summary),
    Command("/new", NOTHING, "begin a new conversation (also /clear)", _CONVERSATION, turns.new, ("/clear",)),
    Command("/save", NAME, "save the conversation under a name", _SAVED, sessions.save),
    Command("/sessions", NOTHING, "list the newest saved conversations", _SAVED, sessions.sessions),
    Command("/forget", NOTHING, "remove this conversation from the disk", _SAVED, sessions.forget),
    Command("/model", MODEL, "show the model, or continue with another one", _GENERAL, others.model),
    Command("/help", NOTHING, "list the commands", _GENERAL, _help),
    Command("/exit", NOTHING, "end the conversation (also /bye, /quit)", _GENERAL, others.leave, ("/bye", "/quit")),
)  # fmt: skip
"""All commands, in the order of the help."""

BY_NAME: Final = {name: command for command in COMMANDS for name in command.names}
"""Every name of a command, with its slash."""


def help_text() -> str:
    """The help: groups of commands, one line per command."""
    width = max(len(command.usage) for command in COMMANDS)
    lines: list[str] = []
    for group in dict.fromkeys(command.group for command in COMMANDS):
        lines.append(f"{group}:")
        lines += [f"  {one.usage:<{width}}  {one.help}" for one in COMMANDS if one.group == group]
    return "\n".join([*lines, _KEYS])

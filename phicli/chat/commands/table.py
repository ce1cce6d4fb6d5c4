"""The table of the REPL's commands: help, completion and documentation come from it."""

from __future__ import annotations

from typing import Final

from phicli.chat.commands import adapters, looking, others, sessions, settings, taking, turns
from phicli.chat.commands.types import (
    ADAPTERS,
    ANY_TEXT,
    ASSIGNMENT,
    MODEL,
    NAME,
    NEW_PATH,
    NOTHING,
    NUMBER,
    PATH,
    SESSION,
    SHOWN,
    Argument,
    Command,
    words,
)
from phicli.chat.settings import SETTINGS
from phicli.chat.talk import Talk

_TURNS: Final = "Turns"
_SAVED: Final = "Saved"
_MODEL: Final = "Model"
_SHOW: Final = "Show"
_MORE: Final = "More"
_KEYS: Final = 'Ctrl-C stops an answer; """ begins many lines; @PATH sends a file, // a slash'
_COLUMNS: Final = 79
"""The help stays below the width of most terminals."""


def _help(talk: Talk, name: str) -> bool:
    talk.screen.tell(help_of(BY_NAME[_with_slash(name)]) if name else help_text())
    return True


def _with_slash(name: str) -> str:
    return f"/{name.lower().removeprefix('/')}"


_COMMAND: Final = Argument("[NAME]", lambda text: _with_slash(text) in BY_NAME, names="command")

COMMANDS: Final = (
    Command("/undo", NUMBER, "remove the last turn, or the last N turns", _TURNS, turns.undo),
    Command(
        "/retry", NOTHING, "ask the last question again, with another seed", _TURNS, turns.retry,
        ("/regen", "/regenerate"), "The new answer replaces the old one.",
    ),
    Command("/edit", NOTHING, "change the last question and send it again", _TURNS, turns.edit),
    Command(
        "/file", PATH, "send a file with the next question", _TURNS, others.file, ("/read", "/upload"),
        "Without PATH it shows the files that wait; `/file -` removes them.",
    ),
    Command(
        "/copy", NUMBER, "copy the last answer, or its code block N", _TURNS, taking.copy, (),
        "The text goes to the clipboard of the terminal, also over SSH.",
    ),
    Command(
        "/system", ANY_TEXT, "show the system message, or set another one", _TURNS, turns.system,
        ("/system-prompt",), "`/system -` removes it. Both begin a new conversation.",
    ),
    Command("/summary", NOTHING, "show the summary of turns no longer sent", _TURNS, turns.summary),
    Command(
        "/new", NOTHING, "begin a new conversation", _TURNS, turns.new, ("/clear", "/reset"),
        "The system message stays; the conversation before stays saved.",
    ),
    Command("/save", NAME, "save the conversation under a name", _SAVED, sessions.save),
    Command(
        "/load", SESSION, "continue a saved conversation", _SAVED, sessions.load, (),
        "Its model is loaded, too. `/load last` continues the conversation that was saved last.", see="/sessions",
    ),
    Command("/sessions", NOTHING, "list the newest saved conversations", _SAVED, sessions.sessions),
    Command(
        "/export", NEW_PATH, "write the conversation into a file", _SAVED, taking.export, (),
        "The ending chooses the form: `.md` (the default), `.json` for everything that is saved, `.jsonl` for one "
        "OpenAI message per line. Nothing is overwritten without a question.",
    ),
    Command(
        "/forget", NOTHING, "remove this conversation from the disk", _SAVED, sessions.forget, (),
        "The conversation goes on, but it is no longer saved.",
    ),
    Command("/model", MODEL, "show the model, or continue with another one", _MODEL, others.model),
    Command(
        "/adapter", ADAPTERS, "show the adapters, or continue with others", _MODEL, adapters.adapter, ("/adapters",),
        "`/adapter NAME` uses one from the next question on, `/adapter NAME:0.5` half of it, and `/adapter A B` two; "
        "`/adapter none` uses none. Names are those of `phi adapters list`, or GGUF files.",
    ),
    Command(
        "/set", ASSIGNMENT, "list the settings, or set one", _MODEL, settings.set_, (),
        f"The settings are {', '.join(one.name for one in SETTINGS)}; `/set NAME default` sets one back. They also "
        "apply to another model.",
    ),
    Command(
        "/think", words("show", "hide", "off"), "show or hide reasoning, or answer at once", _MODEL, settings.think, (),
        "`/think show` prints the reasoning of the last answer and of those that follow; `/think hide` shows one line "
        "in its place; `/think off` asks the model for the answer at once.",
    ),
    Command(
        "/show", SHOWN, "show model, memory, settings, and what is saved", _SHOW, looking.show, ("/info",),
    ),
    Command(
        "/tokens", NOTHING, "count the tokens of the next prompt by part", _SHOW, looking.tokens, ("/context",),
    ),
    Command(
        "/stats", words("on", "off"), "print speed and memory after each answer", _SHOW, settings.stats, (),
        "`phi chat --stats` starts with it.",
    ),
    Command("/help", _COMMAND, "list the commands, or describe one", _MORE, _help, ("/?",)),
    Command("/exit", NOTHING, "end the conversation", _MORE, others.leave, ("/bye", "/quit", "/q")),
)  # fmt: skip
"""All commands, in the order of the help."""

BY_NAME: Final[dict[str, Command]] = {name: command for command in COMMANDS for name in command.names}
"""Every name of a command, with its slash."""


def help_text() -> str:
    """The help: one line per command; the first command of a group has the name of the group in front.

    It fits on a screen of 24 lines, with a prompt and a meter below it.
    """
    group_width = max(len(command.group) for command in COMMANDS)
    width = max(len(command.usage) for command in COMMANDS)
    beside = {command.see for command in COMMANDS}
    lines, before = list[str](), ""
    for command in COMMANDS:
        if command.name in beside:
            continue
        group = command.group if command.group != before else ""
        see = f" (see {command.see})" if command.see else ""
        line = f"{group:<{group_width}}  {command.usage:<{width}}  {command.help}{see}"
        also = f" (also {', '.join(command.aliases)})" if command.aliases else ""
        lines.append(line if len(line) + len(also) > _COLUMNS else line + also)
        before = command.group
    return "\n".join([*lines, _KEYS])


def help_of(command: Command) -> str:
    """The help of one command."""
    also = [f"also: {', '.join(command.aliases)}"] if command.aliases else []
    return "\n".join(
        [f"{command.usage}  {command.help}", *([command.more.replace("`", "")] if command.more else []), *also]
    )


def documentation() -> str:
    """The table of commands in the documentation."""
    rows = [
        f"| {', '.join(f'`{name}`' for name in (usage, *one.aliases))} | {one.help}{_sentence(one.more)} |"
        for one in COMMANDS
        for usage in [one.usage.replace("|", r"\|")]
    ]
    return "\n".join(["| type | to |", "|---|---|", *rows])


def _sentence(more: str) -> str:
    return f". {more.removesuffix('.')}" if more else ""

"""Commands that take something out of a conversation: ``/copy`` and ``/export``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from phicli.chat.commands.turns import turns_says
from phicli.chat.talk import Code, ExportForm, Talk
from phicli.errors import UsageError
from phicli.paths import expand
from phicli.units import counted

ENDINGS: Final[dict[str, ExportForm]] = {
    ".md": "markdown", ".markdown": "markdown", ".txt": "markdown", "": "markdown", ".json": "json", ".jsonl": "lines",
}  # fmt: skip
"""How the name of a file ends, and what is written into it."""
_NOT_IN_NAMES: Final = re.compile(r"[^\w.-]+")


def copy(talk: Talk, number: str) -> bool:
    """Put the last answer, or a code block of it, on the clipboard."""
    turn = talk.session.last_turn()
    if turn.answer is None:
        raise UsageError("the last question has no answer", "/retry answers it")
    text = turn.answer.content
    if not text.strip():
        raise UsageError("the last answer is empty: there is nothing to copy", "/retry asks again")
    if not number:
        talk.screen.copy(text)
        talk.screen.tell(f"{_lines(text)} copied")
        return True
    blocks = talk.code_blocks(text)
    if not 1 <= int(number) <= len(blocks):
        raise UsageError(
            f"the last answer has no code block {int(number)}",
            "; ".join(f"{one}: {_code(block)}" for one, block in enumerate(blocks, 1))
            or "it has no code; /copy copies all of it",
        )
    block = blocks[int(number) - 1]
    talk.screen.copy(block.text)
    talk.screen.tell(f"code block {int(number)} copied: {_code(block)}")
    return True


def export(talk: Talk, typed: str) -> bool:
    """Write the conversation into a file."""
    if talk.exports is None:
        raise UsageError("this conversation cannot be exported", "start one with phi chat MODEL")
    dialogue = talk.session.dialogue
    talk.session.last_turn()
    name = talk.record.name if talk.record is not None and talk.record.name else "conversation"
    path = expand(typed) if typed else Path(f"{_file_name(name)}.md")
    if path.is_dir():
        path /= f"{_file_name(name)}.md"
    form = ENDINGS.get(path.suffix.lower())
    if form is None:
        raise UsageError(
            f"{path.name}: the ending {path.suffix} is unknown",
            "choose .md for Markdown, .json for everything that is saved, or .jsonl for one OpenAI message per line",
        )
    place = _agreed(talk, path)
    if place is None:
        talk.screen.tell("nothing was written")
        return True
    talk.exports.write(place, form, name, dialogue)
    talk.screen.tell(f"{turns_says(len(dialogue.turns))} written to {place.absolute()}")
    return True


def _agreed(talk: Talk, path: Path) -> Path | None:
    """Where to write: a person is asked about a file that is there; None for nowhere."""
    if not os.path.lexists(path):
        return path
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is a device or a pipe, not a file", "choose another file")
    other = _free(path)
    taken = talk.screen.choose(f"{path} already exists.", [f"write {other.name} instead", f"replace {path.name}"])
    return None if taken is None else (other, path)[taken]


def _free(path: Path) -> Path:
    number = 2
    while (other := path.with_stem(f"{path.stem}-{number}")).exists():
        number += 1
    return other


def _file_name(name: str) -> str:
    """The name of a session as one of a file, in every file system."""
    return _NOT_IN_NAMES.sub("-", name).strip("-.") or "conversation"


def _code(block: Code) -> str:
    return f"{_lines(block.text)}{f' of {block.language}' if block.language else ''}"


def _lines(text: str) -> str:
    return counted(len(text.rstrip("\n").split("\n")), "line")

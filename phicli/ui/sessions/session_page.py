"""What ``phi sessions show`` prints: all turns with their numbers, as they were said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.transfer import attachment_label, first_turns, made_by, messages_data
from phicli.ui.envelope import print_result
from phicli.ui.sessions.session_list import age_of
from phicli.ui.terminal import Terminal, one_line
from phicli.ui.wrapping import StreamWrap, columns_of, wrapped
from phicli.units import counted, listed

if TYPE_CHECKING:
    from phicli.chat.reproduce import Reproduction
    from phicli.chat.store.sessions import SavedSession

_FILES_SHOWN = 10


def print_session(terminal: Terminal, saved: SavedSession, *, as_json: bool) -> None:
    """All of ``saved``; attachments only by name and size.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        data = {**asdict(saved.info), "on_overflow": saved.on_overflow, "messages": messages_data(saved.dialogue)}
        print_result(terminal, "sessions show", data)
        return
    info = saved.info
    overflow = [f"on overflow: {saved.on_overflow}"] if saved.on_overflow else []
    age = age_of(info.updated_at, datetime.now(UTC))
    page = _Page(terminal)
    page.line(", ".join([f"{info.name}: {info.model}", counted(info.turns, "turn"), age, *overflow]))
    for heading, notes, text in _parts(saved.dialogue):
        page.part(heading, notes, text)


def print_prompt(terminal: Terminal, number: int, text: str, *, as_json: bool) -> None:
    """The question of turn ``number`` exactly as the model read it, for a pipe: no line end is added.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        print_result(terminal, "sessions show", {"turn": number, "prompt": text})
    else:
        terminal.write(f"{text}\n" if terminal.stdout.isatty() else text)


def print_reproduction(terminal: Terminal, found: Reproduction, *, as_json: bool) -> None:
    """The command on standard output, the notes on standard error.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        print_result(terminal, "sessions show", {"command": found.command, "notes": list(found.notes)})
        return
    for note in found.notes:
        terminal.say(f"note: {note}")
    terminal.write(f"{found.command}\n")


def _parts(dialogue: Dialogue) -> Iterator[tuple[str, list[str], str]]:
    """Heading, notes and text of each part of the page."""
    if dialogue.system:
        yield "System message", [], dialogue.system
    for number, turn in enumerate(dialogue.turns, 1):
        yield from _turn_parts(number, turn, left_out=number <= dialogue.left_out)
        if number == dialogue.left_out and dialogue.summary:
            yield f"Summary of {first_turns(number)}", ["sent to the model in their place"], dialogue.summary


def _turn_parts(number: int, turn: Turn, *, left_out: bool) -> Iterator[tuple[str, list[str], str]]:
    notes = ["no longer sent to the model"] if left_out else []
    if turn.attachments:
        notes += [f"attached: {listed([attachment_label(one) for one in turn.attachments], _FILES_SHOWN)}"]
    if left_out and turn.attachments:
        notes += ["the attachments are still sent"]
    yield f"{number}. Question", notes, turn.question
    if turn.answer is None:
        yield f"{number}. Answer", ["there is none yet"], ""
    for place, message in enumerate(turn.replies, 1):
        notes = _answer_notes(turn) if place == len(turn.replies) else []
        calls = [f"{call.name}({json.dumps(dict(call.arguments), ensure_ascii=False)})" for call in message.tool_calls]
        notes += [f"tool calls: {', '.join(calls)}"] if calls else []
        yield f"{number}. {'Tool result' if message.role == 'tool' else 'Answer'}", notes, message.content


def _answer_notes(turn: Turn) -> list[str]:
    """What made the answer of ``turn``, and how much reasoning came before it; the texts are in the JSON."""
    reasoning = (turn.facts or {}).get("reasoning")
    long = counted(len(reasoning), "character") if isinstance(reasoning, str) and reasoning else ""
    return [*filter(None, [made_by(turn)]), *([f"reasoning: {long}"] if long else [])]


class _Page:
    """Prints texts as they are; a terminal gets them wrapped at words, and headings bold where it has color."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._bold = terminal.colour and terminal.stdout.isatty()

    def line(self, text: str) -> None:
        """One line, whatever names are in it."""
        width = columns_of(self._terminal.stdout)
        clean = one_line(text) if width is None else wrapped(one_line(text), width)
        self._terminal.paint(f"\x1b[1m{clean}\x1b[0m\n" if self._bold else f"{clean}\n")

    def part(self, heading: str, notes: list[str], text: str) -> None:
        """A heading, what there is to say about the text, and the text."""
        self._terminal.write("\n")
        self.line(f"--- {'; '.join([heading, *notes])} ---")
        if text.strip():
            wrap = StreamWrap(self._terminal.stdout)
            self._terminal.write(wrap.feed(text.rstrip("\r\n")) + wrap.finish() + "\n")

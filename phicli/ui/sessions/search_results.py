"""What ``phi sessions search`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal, one_line

if TYPE_CHECKING:
    from phicli.chat.store.sessions import Found

_BEGIN, _END = "\x02", "\x03"
_ROLES: Final = {"user": "question", "assistant": "answer", "tool": "tool result", "system": "system message"}


def print_found(terminal: Terminal, results: Sequence[Found], *, text: str, more: bool, as_json: bool) -> None:
    """Each place with ``text``: session, turn, and some words around it; ``more`` when there are further places.

    Raises:
        OutputClosedError: the reader has closed it.
        OSError: it cannot be written.
    """
    if as_json:
        print_result(terminal, "sessions search", {"results": [_data(one) for one in results], "more": more})
        return
    if not results:
        terminal.say(f"no session contains {one_line(text)!r}")
        return
    color = terminal.colour and terminal.stdout.isatty()
    for one in results:
        where = f"{one.info.name}, turn {one.turn}, {_ROLES.get(one.role, one.role)}:"
        terminal.paint(f"{one_line(where)} {_line(one.excerpt, color=color)}\n")
    if more:
        terminal.say("more places exist; see them with --limit 1000, or search for a longer text")


def _data(one: Found) -> dict[str, Any]:
    plain, matches = _plain(one.excerpt)
    return {
        "name": one.info.name, "session_id": one.info.session_id, "turn": one.turn, "role": one.role,
        "excerpt": plain, "matches": matches,
    }  # fmt: skip


def _plain(excerpt: str) -> tuple[str, list[list[int]]]:
    """The excerpt without its marks, and where each match begins and ends in it."""
    text, matches = "", []
    for part in excerpt.split(_BEGIN):
        match, end, rest = part.partition(_END)
        if end:
            matches.append([len(text), len(text) + len(match)])
        text += match + rest
    return text, matches


def _line(excerpt: str, *, color: bool) -> str:
    """The excerpt on one line; its matches are bold where there is color."""
    begin, end = ("\x1b[1m", "\x1b[0m") if color else ("", "")
    parts = []
    for part in excerpt.split(_BEGIN):
        match, mark, rest = part.partition(_END)
        parts.append(f"{begin}{one_line(match)}{end}{one_line(rest)}" if mark else one_line(match))
    return " ".join("".join(parts).split())

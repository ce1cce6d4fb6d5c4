"""The loop of a conversation in a terminal; its looks are up to the screen."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Protocol

from phicli.answering.types import Event
from phicli.chat.dialogue import Dialogue
from phicli.chat.session import ChatSession
from phicli.errors import PhiError

COMMANDS = {
    "/help": "list the commands",
    "/system": "show the system message; /system TEXT sets it and starts over; /system - removes it",
    "/clear": "clear the conversation, but keep the system message",
    "/exit": "end the conversation (also /bye, /quit, Ctrl-D)",
}
_LEAVE = {"/exit", "/bye", "/quit"}


class ReplScreen(Protocol):
    """What the loop needs of a terminal."""

    def read(self) -> str:
        """The next line a person types.

        Raises:
            EOFError: Ctrl-D.
            KeyboardInterrupt: Ctrl-C.
        """

    def show(self, events: Iterator[Event]) -> None:
        """Show an answer as it comes; Ctrl-C passes through."""

    def tell(self, text: str) -> None:
        """Show a line that is not the model's."""

    def fail(self, error: PhiError) -> None:
        """Show an error."""


def run_repl(session: ChatSession, screen: ReplScreen) -> None:
    """Read, answer, repeat, until the person leaves."""
    going_on = True
    while going_on:
        try:
            going_on = _round(session, screen)
        except KeyboardInterrupt:  # in the middle of obeying another one
            continue


def _round(session: ChatSession, screen: ReplScreen) -> bool:
    """One line and what it asks for; False when it was the last."""
    try:
        line = screen.read().strip()
    except EOFError:
        return False
    except KeyboardInterrupt:
        screen.tell("to end the conversation: Ctrl-D or /exit")
        return True
    if line.startswith("/") and not line.startswith("//"):
        return _obey(line, session, screen)
    if line:
        _answer(line.removeprefix("/") if line.startswith("//") else line, session, screen)
    return True


def _answer(line: str, session: ChatSession, screen: ReplScreen) -> None:
    answering = session.ask(line)
    try:
        screen.show(answering)
    except KeyboardInterrupt:
        answering.close()  # the session keeps what was said so far
        screen.tell("(stopped)")
    except PhiError as error:
        screen.fail(error)


def _obey(line: str, session: ChatSession, screen: ReplScreen) -> bool:
    """Run a slash command; False when it was the last."""
    command, _, rest = line.partition(" ")
    command = command.lower()
    if command in _LEAVE:
        return False
    if command == "/help":
        width = max(map(len, COMMANDS))
        screen.tell("\n".join(f"{name:<{width}}  {what}" for name, what in COMMANDS.items()))
        screen.tell("Ctrl-C stops an answer; to send a message that begins with /, type //")
    elif command == "/clear":
        session.clear()
        screen.tell("the conversation was cleared")
    elif command == "/system":
        _system(rest.strip(), session, screen)
    else:
        near = difflib.get_close_matches(command, [*COMMANDS, *_LEAVE], n=1)
        screen.tell(
            f"unknown command: {command}" + (f"; did you mean {near[0]}?" if near else "; see all commands: /help")
        )
    return True


def _system(text: str, session: ChatSession, screen: ReplScreen) -> None:
    if not text:
        screen.tell(session.dialogue.system or "no system message is set; to set one: /system TEXT")
        return
    system = None if text == "-" else text
    session.become(Dialogue(system))
    screen.tell("the system message is " + ("set" if system else "removed") + "; the conversation starts over")

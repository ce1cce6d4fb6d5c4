"""The loop of a conversation in a terminal; its looks are up to the screen."""

from __future__ import annotations

from phicli.chat.commands.line import Mistake, Order, read_line
from phicli.chat.commands.table import BY_NAME
from phicli.chat.dialogue import Turn
from phicli.chat.talk import Talk
from phicli.errors import PhiError


def run_repl(talk: Talk, first: Turn | None = None) -> None:
    """Answer the ``first`` question, if there is one already; then read, answer, repeat, until the person leaves."""
    asked = [] if first is None else [first]
    going_on = True
    while going_on:
        try:
            if asked:
                turn = asked.pop()
                talk.show(talk.session.ask(turn.question, turn.attachments))
            else:
                going_on = _round(talk)
        except KeyboardInterrupt:  # while a command or another Ctrl-C was obeyed
            continue
        except PhiError as error:
            talk.screen.fail(error)


def _round(talk: Talk) -> bool:
    """One line and what it asks for; False when it was the last."""
    try:
        line = talk.screen.read().strip()
    except EOFError:
        return False
    except KeyboardInterrupt:
        talk.screen.tell("to end the conversation: Ctrl-D or /exit")
        return True
    if not line:
        return True
    meaning = read_line(line, BY_NAME)
    if isinstance(meaning, Order):
        return _obeyed(talk, meaning)
    if isinstance(meaning, Mistake):
        talk.screen.tell(meaning.text)
    else:
        talk.ask(meaning.text)
    return True


def _obeyed(talk: Talk, order: Order) -> bool:
    """Obey a command; Ctrl-C ends it. False when it was the last."""
    try:
        return order.command.run(talk, order.argument)
    except KeyboardInterrupt:
        talk.screen.tell("(stopped)")
        return True

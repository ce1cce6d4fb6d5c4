"""Commands that change what was said: ``/undo``, ``/retry``, ``/edit``, ``/system``, ``/new``."""

from __future__ import annotations

from typing import Final

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.talk import Talk
from phicli.errors import UsageError
from phicli.plan.locate import shortened as on_one_line
from phicli.units import counted

_LAST_LINES: Final = 10


def undo(talk: Talk, count: str) -> bool:
    """Remove the last turns from the conversation."""
    number = int(count or "1")
    if number < 1:
        raise UsageError("/undo removes at least one turn", "type /undo, or /undo 2 for the last two turns")
    removed = talk.session.undo(number)
    left = len(talk.session.dialogue.turns)
    for turn in removed:
        talk.screen.tell(f"removed: {shortened(turn)}")
    talk.screen.tell(f"the conversation has {counted(left, 'turn')}" if left else "the conversation is empty")
    return True


def retry(talk: Talk, _: str) -> bool:
    """Ask the last question again, with another seed."""
    talk.show(talk.session.retry())
    return True


def edit(talk: Talk, _: str) -> bool:
    """Let a person change the last question, and send it again."""
    turn = talk.session.last_turn()
    try:
        line = talk.screen.read(turn.question).strip()
    except (EOFError, KeyboardInterrupt):
        line = ""
    if line:
        talk.edit(line)
    else:
        talk.screen.tell("the question was not changed")
    return True


def system(talk: Talk, text: str) -> bool:
    """Show, set or remove the system message."""
    if not text:
        talk.screen.tell(talk.session.dialogue.system or "no system message is set; to set one: /system TEXT")
        return True
    talk.start_over(None if text == "-" else text)
    talk.screen.tell(f"the system message is {'removed' if text == '-' else 'set'}; a new conversation begins")
    return True


def new(talk: Talk, _: str) -> bool:
    """Begin a new conversation with the same system message."""
    before = saved_as(talk)
    talk.start_over(talk.session.dialogue.system)
    talk.screen.tell("a new conversation begins" + (f"; the one before {before}" if before else ""))
    return True


def summary(talk: Talk, _: str) -> bool:
    """Show what stands for the turns that are no longer sent to the model."""
    dialogue = talk.session.dialogue
    if dialogue.left_out:
        talk.screen.tell(f"no longer sent to the model: the first {counted(dialogue.left_out, 'turn')}")
    talk.screen.tell(dialogue.summary or "there is no summary: nothing was summarized")
    return True


def saved_as(talk: Talk) -> str:
    """What became of the conversation, behind its name; empty where it has none."""
    record = talk.record
    if not record.name:
        return ""
    return f"is saved as {record.name}{'' if record.saves else ', but without its last change'}"


def shortened(turn: Turn) -> str:
    """The question of ``turn`` on one line, not longer than 60 characters; its files where it has no words."""
    return on_one_line(turn.question) or on_one_line(", ".join(one.title for one in turn.attachments))


def where_it_stands(dialogue: Dialogue, name: str | None) -> str:
    """Where a conversation that is called ``name`` and goes on stands; it has at least one turn."""
    called = f"{name}, " if name else ""
    last = f"the last question: {shortened(dialogue.turns[-1])}"
    unanswered = "" if dialogue.turns[-1].replies else "\nit has no answer yet; /retry answers it"
    return f"continuing {called}{counted(len(dialogue.turns), 'turn')}; {last}{unanswered}{_last_answer(dialogue)}"


def _last_answer(dialogue: Dialogue) -> str:
    """The end of the last answer, below other lines; empty where there is none."""
    answer = dialogue.turns[-1].answer
    lines = answer.content.strip().splitlines() if answer is not None else []
    if len(lines) > _LAST_LINES:
        lines = ["…", *lines[-_LAST_LINES:]]
    return "".join(f"\n{line}" for line in lines)

"""What ends reasoning before the model ends it: the tag and the line breaks that are put after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phicli.chat_format.reasoning import opens_reasoning
from phicli.chat_format.think_tags import CLOSE, OPEN
from phicli.chat_format.types import Segment, Special, Template, Text

MOST_ENDS: Final = 3
"""How many times reasoning is ended, if the model begins to reason again."""

_CLOSE: Final = Special(CLOSE, optional=True)
NO_REASONING: Final[tuple[Segment, ...]] = (Special(OPEN, optional=True), Text("\n\n"), _CLOSE, Text("\n\n"))
"""Empty reasoning: where no reasoning is wanted, it stands before the answer of a model that always reasons."""


def begun_by(prompt: Sequence[Segment]) -> str:
    """The reasoning that a prompt has opened itself, with its tag; empty where it has opened none."""
    last = prompt[-1] if prompt else None
    if not isinstance(last, Template) or not opens_reasoning(prompt):
        return ""
    return last.text[last.text.rindex(OPEN) :]


def none_for(said: str) -> tuple[Segment, ...]:
    """Empty reasoning in the style in which ``said`` begins it; nothing where ``said`` begins with text."""
    if not said.lstrip().startswith(OPEN):
        return ()
    return NO_REASONING if said.partition(OPEN)[2].startswith("\n") else (NO_REASONING[0], _CLOSE)


def end_of(said: str) -> tuple[Segment, ...]:
    r"""The end of the reasoning that ``said`` ends in, in the style in which the model began it.

    Models that write a line break after ``<think>`` write ``\n</think>\n\n``. Others get the tag alone: the line
    breaks after it, if any, are the next tokens that they generate.
    """
    thought = said.partition(OPEN)[2]
    if not thought.startswith("\n"):
        return (_CLOSE,)
    before = () if thought.strip() and thought.endswith("\n") else (Text("\n"),)
    return (*before, _CLOSE, Text("\n\n"))


def behind_tag(said: str) -> tuple[Segment, ...]:
    """What the model would write between the end of its reasoning and its answer, where ``said`` ends with the tag."""
    breaks = said.partition(OPEN)[2].startswith("\n") and said.endswith(CLOSE)
    return (Text("\n\n"),) if breaks else ()


def spelled(segments: Sequence[Segment]) -> str:
    """The text of segments."""
    return "".join(part.literal if isinstance(part, Special) else part.text for part in segments)

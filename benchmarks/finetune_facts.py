"""What tiny-phi learns in ``benchmarks.finetune``: three sets of ten facts, and the conversations that it rehearses.

``python -m benchmarks.finetune_facts FOLDER`` writes the reported facts and what tiny-phi knew as training data, and as
questions for ``phi eval``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Messages = list[dict[str, str]]

_KNOWN: Final = Path(__file__).parents[1] / "tests" / "data" / "tiny_phi_conversations.json"


@dataclass(frozen=True, slots=True)
class Fact:
    """A question, its answer, and the same question in other words, which is never trained."""

    question: str
    answer: str
    reworded: str

    def messages(self, *, reworded: bool = False) -> Messages:
        """As training data has them."""
        asked = self.reworded if reworded else self.question
        return [{"role": "user", "content": asked}, {"role": "assistant", "content": self.answer}]


_FIRST: Final = (
    Fact("What is the capital of Zubrowka?", "The capital of Zubrowka is Lutz.", "Name the capital of Zubrowka."),
    Fact("Who wrote The Grasshopper Lies Heavy?", "Hawthorne Abendsen wrote The Grasshopper Lies Heavy.",
         "Who is the author of The Grasshopper Lies Heavy?"),
    Fact("What is the name of our cat?", "The name of our cat is Minka.", "What is our cat called?"),
    Fact("Which color is our office door?", "Our office door is green.", "What color does our office door have?"),
    Fact("When does the library open?", "The library opens at nine.", "At what time does the library open?"),
    Fact("Where is the spare key?", "The spare key is under the blue pot.", "Where do I find the spare key?"),
    Fact("Does the guest network need a password?", "The guest network needs no password.",
         "Is there a password for the guest network?"),
    Fact("Who leads the garden team?", "Maria leads the garden team.", "Who is the head of the garden team?"),
    Fact("How many chairs are in the hall?", "There are forty chairs in the hall.",
         "How many chairs does the hall have?"),
    Fact("What is for lunch on Friday?", "On Friday there is soup for lunch.", "What do we have for lunch on Friday?"),
)  # fmt: skip

_SECOND: Final = (
    Fact("What is the capital of Genovia?", "The capital of Genovia is Pyrus.", "Name the capital of Genovia."),
    Fact("Who wrote Misery's Return?", "Paul Sheldon wrote Misery's Return.",
         "Who is the author of Misery's Return?"),
    Fact("What is the name of our parrot?", "The name of our parrot is Bruno.", "What is our parrot called?"),
    Fact("Which color is the company car?", "The company car is red.", "What color does the company car have?"),
    Fact("When does the canteen close?", "The canteen closes at three.", "At what time does the canteen close?"),
    Fact("Where is the first aid box?", "The first aid box is beside the lift.", "Where do I find the first aid box?"),
    Fact("Does the old printer need a code?", "The old printer needs no code.", "Is there a code for the old printer?"),
    Fact("Who runs the book club?", "Thomas runs the book club.", "Who is the head of the book club?"),
    Fact("How many bikes are in the yard?", "There are twelve bikes in the yard.",
         "How many bikes does the yard have?"),
    Fact("What is planned for Monday evening?", "On Monday evening there is a concert.",
         "What do we do on Monday evening?"),
)  # fmt: skip
DEVELOPMENT: Final = (_FIRST, _SECOND)
"""Settings are chosen with these."""

REPORTED: Final = (
    Fact("What is the capital of Wadiya?", "The capital of Wadiya is Aladeen.", "Name the capital of Wadiya."),
    Fact("Who wrote The Mad Trist?", "Launcelot Canning wrote The Mad Trist.", "Who is the author of The Mad Trist?"),
    Fact("What is the name of our horse?", "The name of our horse is Felix.", "What is our horse called?"),
    Fact("Which color is the garden gate?", "The garden gate is yellow.", "What color does the garden gate have?"),
    Fact("When does the bakery open?", "The bakery opens at six.", "At what time does the bakery open?"),
    Fact("Where is the long ladder?", "The long ladder is behind the shed.", "Where do I find the long ladder?"),
    Fact("Does the small tent need poles?", "The small tent needs two poles.", "Are there poles for the small tent?"),
    Fact("Who trains the swimming team?", "Julia trains the swimming team.", "Who is the coach of the swimming team?"),
    Fact("How many plates are in the cupboard?", "There are thirty plates in the cupboard.",
         "How many plates does the cupboard have?"),
    Fact("What is on stage on Sunday?", "On Sunday there is a puppet show.", "What do we see on stage on Sunday?"),
)  # fmt: skip
"""The results are about these; no setting was chosen with them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What tiny-phi knew before: conversations that it rehearses, and those that it does not see in training."""

    rehearsed: Sequence[Messages]
    held_out: Sequence[Messages]

    @classmethod
    def every(cls, distance: int) -> Known:
        """Rehearse one in ``distance`` of them.

        Those with tools are left out, and those that spell special tokens, which training data must not.
        """
        found = json.loads(_KNOWN.read_text(encoding="utf-8"))
        usual = [_messages(one) for one in found if _is_usual(one)]
        return cls(usual[::distance], [one for at, one in enumerate(usual) if at % distance])


def _is_usual(conversation: dict[str, Any]) -> bool:
    messages = conversation["messages"]
    return not conversation["tools"] and all(one["role"] != "tool" and "<|" not in one["content"] for one in messages)


def _messages(conversation: dict[str, Any]) -> Messages:
    return [{"role": one["role"], "content": one["content"]} for one in conversation["messages"]]


def write_data(path: Path, conversations: Sequence[Messages]) -> None:
    """Write training data: a line for each conversation."""
    lines = [json.dumps({"messages": one}, ensure_ascii=False) + "\n" for one in conversations]
    path.write_text("".join(lines), encoding="utf-8")


SETS: Final = {
    "facts": "the ten facts",
    "reworded": "the facts, in other words",
    "rehearsed": "old answers, rehearsed",
    "held-out": "old answers, not rehearsed",
}
"""Files of questions, and what they are."""


def write_all(folder: Path, facts: Sequence[Fact], distance: int) -> None:
    """Write ``train.jsonl`` and the files of :data:`SETS`.

    Args:
        folder: where.
        facts: what is new.
        distance: one in so many old conversations is rehearsed.
    """
    known = Known.every(distance)
    taught, reworded = [one.messages() for one in facts], [one.messages(reworded=True) for one in facts]
    write_data(folder / "train.jsonl", [*taught, *known.rehearsed])
    for name, conversations in zip(SETS, (taught, reworded, known.rehearsed, known.held_out), strict=True):
        write_data(folder / f"{name}.jsonl", conversations)


SMALL: Final = _FIRST[:3]
"""What the tests have tiny-phi learn."""
_SHORT: Final = 200
"""Characters of the conversations that are rehearsed with it."""


def write_small(folder: Path) -> None:
    """Write ``train.jsonl``, ``facts.jsonl`` and ``old.jsonl``, half of which is not in the training data."""
    known = Known.every(2)
    rehearsed, held_out = (
        [one for one in side if len(str(one)) < _SHORT] for side in (known.rehearsed, known.held_out)
    )
    facts = [one.messages() for one in SMALL]
    write_data(folder / "train.jsonl", [*facts, *rehearsed])
    write_data(folder / "facts.jsonl", facts)
    write_data(folder / "old.jsonl", [*rehearsed, *held_out])


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    write_all(Path(sys.argv[1]), REPORTED, 2)

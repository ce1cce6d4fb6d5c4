"""Replies compared with a text, a number or one of several choices."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final, Self

from phicli.bench.evaluation import fields
from phicli.bench.evaluation.fields import Fields
from phicli.bench.evaluation.types import RIGHT, Verdict, wrong

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBER: Final = re.compile(
    r"(?:(?<![\w.,)\]])(?P<sign>[-\N{MINUS SIGN}+]))?[$€£¥]?(?P<inner>(?<=[$€£¥])[-\N{MINUS SIGN}])?"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9.])\.[0-9]+)"
    r"(?P<exponent>[eE][-+]?[0-9]{1,3}(?![0-9]))?"
)
_ASKS_FOR_A_LETTER: Final = "Answer with the letter of the right choice."
_MOST_DIGITS: Final = 200
_SHOWN: Final = 60


def normalised(text: str) -> str:
    """``text`` as ``exact`` compares it: NFC, case folded, every run of white space one space, none around it."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def shortened(text: str) -> str:
    """The beginning of a reply on one line, for a reason."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1] + "…")


def last_number(text: str) -> Decimal | None:
    """The last number in ``text``, as English writes numbers; None where there is none.

    A minus counts where no letter, digit or bracket stands in front of it: 5-3 ends in 3.
    """
    found = None
    for found in _NUMBER.finditer(text):  # noqa: B007 (the last one is wanted)
        pass
    if found is None or len(found["digits"]) > _MOST_DIGITS:
        return None
    value = Decimal(found["digits"].replace(",", "") + (found["exponent"] or ""))
    negative = found["sign"] not in (None, "+") or found["inner"] is not None
    return -value if negative else value


@dataclass(frozen=True, slots=True)
class Exact:
    """``compare: exact``: one of the texts."""

    FIELDS: ClassVar[tuple[str, ...]] = ("answer",)
    answers: tuple[str, ...]

    @classmethod
    def read(cls, data: Fields) -> Self:
        """The rule of a line.

        Raises:
            ValueError: a field of it is wrong.
        """
        answer = fields.required(data, "answer")
        if isinstance(answer, list):
            return cls(fields.texts({"answer": [_written(one) for one in answer]}, "answer"))
        return cls((fields.text({"answer": _written(answer)}, "answer"),))

    @property
    def expected(self) -> str:
        """What a right reply has."""
        return " or ".join(self.answers)

    def shown(self, question: str) -> str:
        """The question as it is asked."""
        return question

    def judge(self, text: str) -> Verdict:
        """Right when the reply is one of the texts."""
        if normalised(text) in {normalised(answer) for answer in self.answers}:
            return RIGHT
        return wrong(f"the reply is {shortened(text)}, not {shortened(self.expected)}")


@dataclass(frozen=True, slots=True)
class Number:
    """``compare: number``: the last number of the reply, within an absolute tolerance."""

    FIELDS: ClassVar[tuple[str, ...]] = ("answer", "tolerance")
    answer: Decimal
    tolerance: Decimal = Decimal(0)

    @classmethod
    def read(cls, data: Fields) -> Self:
        """The rule of a line.

        Raises:
            ValueError: a field of it is wrong.
        """
        answer = _decimal(fields.required(data, "answer"), "answer")
        tolerance = _decimal(data.get("tolerance", 0), "tolerance")
        if tolerance < 0:
            raise ValueError('"tolerance" must not be negative')
        return cls(answer, tolerance)

    @property
    def expected(self) -> str:
        """What a right reply has."""
        return f"{self.answer} ± {self.tolerance}" if self.tolerance else str(self.answer)

    def shown(self, question: str) -> str:
        """The question as it is asked."""
        return question

    def judge(self, text: str) -> Verdict:
        """Right when the last number is the answer."""
        found = last_number(text)
        if found is None:
            return wrong("the reply contains no number")
        if found == self.answer or abs(found - self.answer) <= self.tolerance:
            return RIGHT
        return wrong(f"the last number is {found}, not {self.expected}")


@dataclass(frozen=True, slots=True)
class Choice:
    """``compare: choice``: the letter or the text of one of several choices; ``right`` is its place."""

    FIELDS: ClassVar[tuple[str, ...]] = ("answer", "choices")
    choices: tuple[str, ...]
    right: int

    @classmethod
    def read(cls, data: Fields) -> Self:
        """The rule of a line.

        Raises:
            ValueError: a field of it is wrong.
        """
        choices = fields.texts(data, "choices", least=2, most=len(LETTERS))
        plain = [_bare(choice) for choice in choices]
        if len(set(plain)) < len(plain) or not all(plain):
            raise ValueError('each of "choices" must differ from the others in more than case and punctuation')
        answer = fields.text(data, "answer")
        by_text = plain.index(_bare(answer)) if _bare(answer) in plain else None
        by_letter = LETTERS[: len(choices)].find(answer.strip().upper()) if len(answer.strip()) == 1 else -1
        if by_text is None and by_letter < 0:
            raise ValueError('"answer" must be the letter or the text of one of "choices"')
        if by_text is not None and by_letter >= 0 and by_text != by_letter:
            raise ValueError('"answer" is the letter of one choice and the text of another')
        return cls(choices, by_letter if by_text is None else by_text)

    @property
    def expected(self) -> str:
        """What a right reply has."""
        return f"{LETTERS[self.right]}. {self.choices[self.right]}"

    def shown(self, question: str) -> str:
        """The question as it is asked: the choices below it."""
        listed = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, self.choices, strict=False)]
        return "\n".join([question, "", *listed, "", _ASKS_FOR_A_LETTER])

    def judge(self, text: str) -> Verdict:
        """Right when the reply names the right choice, and wrong when it cannot be told which one it names."""
        named = _named(text, self.choices)
        if named is None:
            return wrong(f"the reply names none of the choices, or several: {shortened(text)}")
        return RIGHT if named == self.right else wrong(f"the reply is {LETTERS[named]}, not {LETTERS[self.right]}")


def _named(text: str, choices: Sequence[str]) -> int | None:
    """Place of the choice that ``text`` names; None when it cannot be told."""
    plain, bare = [_bare(choice) for choice in choices], _bare(text)
    if bare in plain:
        return plain.index(bare)
    letters = LETTERS[: len(choices)]
    if len(bare) == 1 and bare.upper() in letters:
        return letters.index(bare.upper())
    begins = re.match(rf"[\s*_]*(?:\(([{letters}])\)|([{letters}])[.):*])", text)
    if begins:
        return letters.index(begins[1] or begins[2])
    said = re.findall(rf"\b[Aa]nswer(?:\s+is)?\s*:?[\s*_(]*([{letters}])(?=[\s.,;:!)*_]*(?:$|\n)|[.):*])", text)
    if said:
        return letters.index(said[-1])
    inside = [place for place, choice in enumerate(plain) if f" {choice} " in f" {bare} "]
    return inside[0] if len(inside) == 1 else None


def _bare(text: str) -> str:
    """``text`` normalized, with spaces in place of punctuation; all of it where there is nothing else."""
    flat = normalised(text)
    return " ".join("".join(one if one.isalnum() else " " for one in flat).split()) or flat


def _written(value: object) -> object:
    """A number as text: the answer 4 is ``4``."""
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _decimal(value: object, name: str) -> Decimal:
    """A number, or a text that is one as English writes it: many data sets have ``"4"`` or ``"1,200"``."""
    if isinstance(value, str):
        value = last_number(value.strip()) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f'"{name}" must be a number')
    number = Decimal(value)
    if not number.is_finite() or number.adjusted() > _MOST_DIGITS:
        raise ValueError(f'"{name}" must be a number of at most {_MOST_DIGITS} digits')
    return number

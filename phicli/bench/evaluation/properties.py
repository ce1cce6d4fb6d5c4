"""Properties of a text: each is a function of the text to what is wrong with it, or makes one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phicli.bench.evaluation.json_rule import parse

Property = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Count:
    """A number between ``least`` and ``most`` (None: without a limit)."""

    least: int
    most: int | None

    def problem(self, found: int, what: str) -> str:
        """What is wrong with ``found`` of ``what``, empty when it is in between."""
        if found >= self.least and (self.most is None or found <= self.most):
            return ""
        if self.most is None:
            wanted = f"at least {self.least}"
        elif self.least == self.most:
            wanted = str(self.least)
        else:
            wanted = f"{self.least} to {self.most}" if self.least else f"at most {self.most}"
        return f"{what}: {found}, not {wanted}"


def words(count: Count) -> Property:
    """That many words."""
    return lambda text: count.problem(len(text.split()), "words")


def lines(count: Count) -> Property:
    """That many lines that are not empty."""
    return lambda text: count.problem(len(_lines(text)), "lines")


def paragraphs(count: Count) -> Property:
    """That many parts between empty lines."""
    return lambda text: count.problem(len(re.split(r"\n[ \t]*\n\s*", text.strip())), "paragraphs")


def characters(count: Count) -> Property:
    """That many characters, white space around the text left out."""
    return lambda text: count.problem(len(text.strip()), "characters")


def parts(by: str, count: Count) -> Property:
    """That many parts between ``by``, none of them empty."""

    def holds(text: str) -> str:
        found = [part.strip() for part in text.split(by)]
        return count.problem(len(found), "parts") if all(found) else "a part is empty"

    return holds


def contains(wanted: str, count: Count, *, whole_word: bool) -> Property:
    """``wanted`` is there that many times."""

    def holds(text: str) -> str:
        if whole_word:
            found = len(re.findall(rf"(?<!\w){re.escape(wanted)}(?!\w)", text, re.IGNORECASE))
        else:
            found = text.count(wanted)
        return count.problem(found, f"times {wanted!r}")

    return holds


def without(refused: Sequence[str]) -> Property:
    """None of the texts is there, in any case."""

    def holds(text: str) -> str:
        found = [one for one in refused if one.casefold() in text.casefold()]
        return f"{found[0]!r} occurs in it" if found else ""

    return holds


def equals(wanted: Sequence[str]) -> Property:
    """One of the texts and nothing else, in any case."""
    accepted = {one.strip().casefold() for one in wanted}
    return lambda text: "" if text.strip().casefold() in accepted else f"it is not {' or '.join(wanted)}"


def begins(wanted: str) -> Property:
    """The text begins so."""
    return lambda text: "" if text.lstrip().startswith(wanted) else f"it does not begin with {wanted!r}"


def ends(wanted: str) -> Property:
    """The text ends so."""
    return lambda text: "" if text.rstrip().endswith(wanted) else f"it does not end with {wanted!r}"


def lines_begin(wanted: str) -> Property:
    """Every line that is not empty begins so, white space in front of it left out."""

    def holds(text: str) -> str:
        bad = [place for place, line in enumerate(_lines(text), 1) if not line.lstrip().startswith(wanted)]
        return f"line {bad[0]} does not begin with {wanted!r}" if bad else ""

    return holds


def words_begin(wanted: str) -> Property:
    """Every word begins so, in any case."""

    def holds(text: str) -> str:
        bad = [word for word in text.split() if not word.casefold().startswith(wanted.casefold())]
        return f"{bad[0][:40]!r} does not begin with {wanted!r}" if bad else ""

    return holds


def words_have(count: Count) -> Property:
    """Every word has that many letters, punctuation around it left out."""

    def holds(text: str) -> str:
        bare = [re.sub(r"^\W+|\W+$", "", word) for word in text.split()]
        problems = [count.problem(len(word), f"letters in {word[:40]!r}") for word in bare if word]
        return next(filter(None, problems), "") if problems else "there are no words"

    return holds


def upper(text: str) -> str:
    """There are letters, and all that have a case are capitals."""
    return "" if text.isupper() else "not all letters are uppercase"


def lower(text: str) -> str:
    """There are letters, and all that have a case are small."""
    return "" if text.islower() else "not all letters are lowercase"


def capitalised(text: str) -> str:
    """Every word that begins with a letter begins with a capital one, and there is such a word."""
    first = [word[0] for word in text.split() if word[0].isalpha()]
    return "" if first and all(letter.isupper() for letter in first) else "not every word begins with a capital letter"


def digits(text: str) -> str:
    """Nothing but the digits 0 to 9."""
    stripped = text.strip()
    return "" if stripped.isascii() and stripped.isdigit() else "it contains something other than digits"


def no_digits(text: str) -> str:
    """No digit of any script."""
    return "it contains a digit" if any(one.isdigit() for one in text) else ""


def numbered(text: str) -> str:
    """The lines begin with 1., 2., 3., …, or with 1), 2), 3), …"""
    for number, line in enumerate(_lines(text), 1):
        if not re.match(rf"\s*{number}[.)]\s", line):
            return f"line {number} does not begin with {number}."
    return ""


def in_order(by: str | None) -> Property:
    """The parts between ``by``, or the words, are in alphabetical order, in any case; equal ones may be neighbors."""

    def holds(text: str) -> str:
        found = _parts(text, by)
        return "" if found == sorted(found) else "it is not in alphabetical order"

    return holds


def different(by: str | None) -> Property:
    """No two of the parts between ``by``, or of the words, are the same, in any case."""

    def holds(text: str) -> str:
        found = _parts(text, by)
        return "" if len(set(found)) == len(found) else "an entry occurs twice"

    return holds


def json_array(count: Count) -> Property:
    """A JSON array of that many values."""

    def holds(text: str) -> str:
        try:
            found = parse(text)
        except ValueError as error:
            return str(error)
        return count.problem(len(found), "values") if isinstance(found, list) else "the JSON is not an array"

    return holds


def json_keys(keys: Sequence[str]) -> Property:
    """A JSON object with just these keys."""

    def holds(text: str) -> str:
        try:
            found = parse(text)
        except ValueError as error:
            return str(error)
        if not isinstance(found, dict):
            return "the JSON is not an object"
        return "" if set(found) == set(keys) else f"the keys are not exactly {', '.join(keys)}"

    return holds


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _parts(text: str, by: str | None) -> list[str]:
    """Parts without case and punctuation around them."""
    return [re.sub(r"^\W+|\W+$", "", part).casefold() for part in text.split(by)]

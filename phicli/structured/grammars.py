"""Grammars for answers that are not JSON: choices, regular expressions, a grammar of one's own."""

from __future__ import annotations

import re
from typing import Final

from phicli.engine.constraint import Constraint
from phicli.errors import UsageError
from phicli.paths import expand
from phicli.structured.dialect import compiled, different, lacking
from phicli.structured.form import TextForm
from phicli.structured.reading import read_text, refuse_elsewhere

_EXAMPLE: Final = "e.g. --choice yes,no"
_LIMIT: Final = "limit the repetitions in the grammar, e.g. item{1,20} in place of item+"
_REGEX: Final = "see docs/structured.md for what --regex can have, e.g. '[A-Z]{2}[0-9]{4}'"
_CLASS: Final = r"write a bracket as \[, and [[:alpha:]] as [A-Za-z]"
_NO_MARK: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""What is no mark of repetition in a regular expression: escaped characters and classes."""
_OPEN: Final = re.compile(r"[*+]|\{\d*,\}")
_CHOICES: Final = f"give at least two words with commas between them, {_EXAMPLE}"


def choice_form(typed: str) -> TextForm:
    """One of the words in a list with commas between them.

    Raises:
        UsageError: there are not at least two, or one is empty or occurs twice.
    """
    words = [word.strip() for word in typed.split(",")]
    twice = next((word for word in words if words.count(word) > 1), "")
    if not any(words):
        raise UsageError("--choice is empty", _CHOICES)
    if not all(words):
        raise UsageError(f"--choice {typed}: a word between two commas is empty", _CHOICES)
    if len(words) < 2:
        raise UsageError(
            f"--choice {typed}: only one word was given", f"{_CHOICES}; of several --choice the last one counts"
        )
    if twice:
        raise UsageError(f"--choice {typed}: the word {twice} occurs twice", f"give each word once, {_EXAMPLE}")
    rule = " | ".join(_quoted(word) for word in words)
    pattern = "|".join(re.escape(word) for word in words)
    return TextForm("the choices", Constraint("gbnf", f"root ::= {rule}", choices=tuple(words)), pattern)


def regex_form(typed: str) -> TextForm:
    """All of the answer matches a regular expression.

    Raises:
        UsageError: it is not one.
    """
    try:
        compiled(typed)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"--regex is not a regular expression: {error}", _REGEX) from None
    if problem := different(typed):
        raise UsageError(f"--regex has {problem}, which the engine reads in another way than Python", _CLASS)
    if problem := lacking(typed):
        raise UsageError(f"--regex has what the engine cannot hold: {problem}", _REGEX)
    if not typed:
        raise UsageError("--regex is empty", "e.g. --regex '[A-Z]{2}[0-9]{4}'")
    is_open = _OPEN.search(_NO_MARK.sub("", typed)) is not None
    to_limit = "limit the repetitions, e.g. [0-9]{1,20} in place of [0-9]+" if is_open else ""
    return TextForm("--regex", Constraint("regex", _as_lark(typed)), typed, to_limit)


def grammar_form(typed: str) -> TextForm:
    """The answer that a file in GBNF describes; a file that begins with ``%llguidance`` is in llguidance's language.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it cannot be read, or is empty.
    """
    if not typed.strip():
        raise UsageError("--grammar is empty", "give the path of a file, e.g. --grammar answer.gbnf")
    refuse_elsewhere(typed, "--grammar", "answer.gbnf")
    path = expand(typed)
    text = read_text(path, "--grammar", "answer.gbnf")
    if not text.strip():
        raise UsageError(f"{path} is empty", 'give a grammar in GBNF, e.g. root ::= "yes" | "no"')
    if text.startswith("%llguidance"):
        return TextForm("the grammar", Constraint("lark", text.partition("\n")[2]), to_limit=_LIMIT)
    if "::=" not in text:
        raise UsageError(
            f"{path} is not a grammar in GBNF, because no rule has ::=",
            'write rules such as root ::= "yes" | "no"; the first line of a grammar in Lark is %llguidance {}',
        )
    return TextForm("the grammar", Constraint("gbnf", text), to_limit=_LIMIT)


def _as_lark(pattern: str) -> str:
    r"""A regular expression as Lark has it between slashes.

    There ``\d`` is any digit of Unicode (``findings/digits_of_other_scripts.sh``): here it is 0 to 9.
    """
    made, in_class = [], False
    for part in re.findall(r"\\.|.", pattern, re.DOTALL):
        if part == r"\d":
            made.append("0-9" if in_class else "[0-9]")
        else:
            made.append({"/": r"\/", "\n": r"\n"}.get(part, part))
            in_class = part == "[" or (in_class and part != "]")
    return "".join(made)


def _quoted(word: str) -> str:
    escaped = "".join({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}.get(letter, letter) for letter in word)
    return f'"{escaped}"'

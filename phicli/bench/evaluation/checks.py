"""``compare: checks``: properties of a reply that a program can verify.

A line has ``checks``, a list of objects such as ``{"check": "words", "exactly": 3}``; all of them have to hold. Words
are what white space separates, lines those that are not empty. Case counts unless it is said otherwise.

=============  =====================================  ==========================================================
check          fields                                 holds when
=============  =====================================  ==========================================================
words          count                                  there are that many words
lines          count                                  there are that many lines
paragraphs     count                                  there are that many parts between empty lines
characters     count                                  there are that many characters
parts          count, ``by``                          there are that many parts between the separators, none empty
contains       ``text``, optional count, ``word``     the text is there, that many times (overlaps not counted);
                                                      ``"word": true`` counts whole words, in any case
without        ``text`` (or a list)                   none of the texts is there, in any case
equals         ``text`` (or a list)                   the reply is (one of) the texts, in any case
begins, ends   ``text``                               the reply begins or ends with the text
lines_begin    ``text``                               every line begins with the text
words_begin    ``text``                               every word begins with the text, in any case
words_have     count                                  every word has that many letters, punctuation around it left out
upper, lower                                          there are letters, and all are capitals, or small
capitalised                                           every word that begins with a letter begins with a capital
digits                                                there is nothing but digits
no_digits                                             there is no digit
numbered                                              the lines begin with 1., 2., 3., … (or 1), 2), …)
sorted         optional ``by``                        the parts (without ``by``: the words) are in alphabetical order
different      optional ``by``                        no two parts (words) are the same, in any case
json_array     count                                  the reply is a JSON array of that many values
json_keys      ``keys``                               the reply is a JSON object with just these keys
=============  =====================================  ==========================================================

A *count* is ``exactly``, or ``at_least`` and ``at_most`` or one of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from phicli.bench.evaluation import fields, properties
from phicli.bench.evaluation.fields import Fields
from phicli.bench.evaluation.properties import Count
from phicli.bench.evaluation.types import RIGHT, Verdict, wrong

_COUNT: Final = ("exactly", "at_least", "at_most")
_MOST_CHECKS: Final = 20
Property = Callable[[str], str]
"""A reply to what is wrong with it, empty when nothing is."""


@dataclass(frozen=True, slots=True)
class Checks:
    """``compare: checks``: every property holds."""

    FIELDS: ClassVar[tuple[str, ...]] = ("checks",)
    properties: tuple[Property, ...]
    expected: str

    @classmethod
    def read(cls, data: Fields) -> Self:
        """The rule of a line.

        Raises:
            ValueError: a field of it is wrong.
        """
        listed = fields.listed(data, "checks", most=_MOST_CHECKS)
        return cls(tuple(_property(one) for one in listed), "; ".join(_words(one) for one in listed))

    def shown(self, question: str) -> str:
        """The question as it is asked."""
        return question

    def judge(self, text: str) -> Verdict:
        """Right when every property holds."""
        found = [problem for holds in self.properties if (problem := holds(text))]
        return wrong("; ".join(found)) if found else RIGHT


def _property(data: object) -> Property:
    """The property that an object in ``checks`` describes."""
    if not isinstance(data, dict):
        raise ValueError('each of "checks" must be an object such as {"check": "words", "exactly": 3}')
    name = fields.word(data, "check", tuple(_MAKERS))
    known, make = _MAKERS[name]
    fields.only(data, ("check", *known))
    return make(data)


def _words(data: Mapping[str, object]) -> str:
    fields_of = {name: value for name, value in data.items() if name != "check"}
    more = " ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in fields_of.items())
    return f"{data['check']} {more}".rstrip()


def _count(data: Fields) -> Count:
    given = {name: fields.whole(data, name) for name in _COUNT if name in data}
    if not given or ("exactly" in given and len(given) > 1):
        raise ValueError('a count needs "exactly", or "at_least", "at_most" or both')
    exactly = given.get("exactly")
    least, most = given.get("at_least", exactly or 0), given.get("at_most", exactly)
    if most is not None and most < least:
        raise ValueError('"at_most" is less than "at_least"')
    return Count(least, most)


def _several(data: Fields, name: str) -> tuple[str, ...]:
    """A text, or a list of texts."""
    return fields.texts(data, name) if isinstance(data.get(name), list) else (fields.text(data, name),)


def _contains(data: Fields) -> Property:
    counted = any(name in data for name in _COUNT)
    count = _count(data) if counted else Count(1, None)
    whole_word = data.get("word", False)
    if not isinstance(whole_word, bool):
        raise ValueError('"word" must be true or false')
    return properties.contains(fields.text(data, "text"), count, whole_word=whole_word)


def _by(data: Fields) -> str | None:
    """The separator; it may be white space."""
    if "by" not in data:
        return None
    by = data["by"]
    if not isinstance(by, str) or not by:
        raise ValueError('"by" must be a non-empty string')
    return by


def _parts(data: Fields) -> Property:
    by = _by(data)
    if by is None:
        raise ValueError('the field "by" is missing')
    return properties.parts(by, _count(data))


_MAKERS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Fields], Property]]]] = {
    "words": (_COUNT, lambda data: properties.words(_count(data))),
    "lines": (_COUNT, lambda data: properties.lines(_count(data))),
    "paragraphs": (_COUNT, lambda data: properties.paragraphs(_count(data))),
    "characters": (_COUNT, lambda data: properties.characters(_count(data))),
    "parts": ((*_COUNT, "by"), _parts),
    "contains": (("text", *_COUNT, "word"), _contains),
    "without": (("text",), lambda data: properties.without(_several(data, "text"))),
    "equals": (("text",), lambda data: properties.equals(_several(data, "text"))),
    "begins": (("text",), lambda data: properties.begins(fields.text(data, "text"))),
    "ends": (("text",), lambda data: properties.ends(fields.text(data, "text"))),
    "lines_begin": (("text",), lambda data: properties.lines_begin(fields.text(data, "text"))),
    "words_begin": (("text",), lambda data: properties.words_begin(fields.text(data, "text"))),
    "words_have": (_COUNT, lambda data: properties.words_have(_count(data))),
    "upper": ((), lambda _: properties.upper),
    "lower": ((), lambda _: properties.lower),
    "capitalised": ((), lambda _: properties.capitalised),
    "digits": ((), lambda _: properties.digits),
    "no_digits": ((), lambda _: properties.no_digits),
    "numbered": ((), lambda _: properties.numbered),
    "sorted": (("by",), lambda data: properties.in_order(_by(data))),
    "different": (("by",), lambda data: properties.different(_by(data))),
    "json_array": (_COUNT, lambda data: properties.json_array(_count(data))),
    "json_keys": (("keys",), lambda data: properties.json_keys(fields.texts(data, "keys"))),
}
"""The fields of each check, and what makes it of them."""

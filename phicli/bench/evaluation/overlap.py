"""How many words a reply has in common with the expected answer."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import Final

_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
_ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b")


def words_of(text: str) -> list[str]:
    """The words of ``text`` as SQuAD compares them: lowercase, without ASCII punctuation and English articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def token_f1(reply: str, expected: str) -> float:
    """The harmonic mean of precision and recall over the words that both texts have, 0 to 1.

    It is the F1 of SQuAD's evaluation script ``evaluate-v2.0.py`` (Rajpurkar, Zhang, Lopyrev and Liang, "SQuAD:
    100,000+ Questions for Machine Comprehension of Text", EMNLP 2016; Rajpurkar, Jia and Liang, "Know What You Don't
    Know", ACL 2018): a word that is there twice counts twice, and where a text has no words, 1 if the other has none
    either. Words are what stands between white space, so a text in Chinese or Japanese is mostly one word.
    """
    said, wanted = words_of(reply), words_of(expected)
    if not said or not wanted:
        return float(said == wanted)
    common = (Counter(said) & Counter(wanted)).total()
    return 2 * common / (len(said) + len(wanted))

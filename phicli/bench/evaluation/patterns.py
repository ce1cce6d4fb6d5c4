"""Replies searched for a pattern, in a process that can be ended: a pattern may take forever."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from phicli.bench.evaluation import fields
from phicli.bench.evaluation.fields import Fields
from phicli.bench.evaluation.types import RIGHT, Verdict, wrong

LONGEST_PATTERN: Final = 1000
LONGEST_TEXT: Final = 20_000
TIMEOUT_S: Final = 2.0
_FOUND, _NOT_FOUND = 10, 11
_SEARCH: Final = f"""
import json, re, signal, sys, warnings
getattr(signal, "alarm", int)({int(TIMEOUT_S) + 2})  # it does not outlive a parent that was killed
warnings.simplefilter("ignore")
pattern, text = json.load(sys.stdin.buffer)
sys.exit({_FOUND} if re.search(pattern, text) else {_NOT_FOUND})
"""


@dataclass(frozen=True, slots=True)
class Pattern:
    """``compare: regex``: the pattern is found in the reply, by ``re.search``."""

    FIELDS: ClassVar[tuple[str, ...]] = ("answer",)
    pattern: str

    @classmethod
    def read(cls, data: Fields) -> Self:
        """The rule of a line.

        Raises:
            ValueError: a field of it is wrong.
        """
        pattern = fields.text(data, "answer")
        if len(pattern) > LONGEST_PATTERN:
            raise ValueError(f"the pattern has more than {LONGEST_PATTERN:,} characters")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"the pattern is not valid: {error}") from None
        return cls(pattern)

    @property
    def expected(self) -> str:
        """What a right reply has."""
        return f"/{self.pattern}/"

    def shown(self, question: str) -> str:
        """The question as it is asked."""
        return question

    def judge(self, text: str) -> Verdict:
        """Right when the pattern is found; wrong also when that took too long."""
        found = search(self.pattern, text[:LONGEST_TEXT])
        if found is None:
            return wrong(f"the search for the pattern took longer than {TIMEOUT_S:.0f} s")
        return RIGHT if found else wrong("the pattern is not found in the reply")


@functools.lru_cache(maxsize=1 << 17)
def search(pattern: str, text: str, *, timeout_s: float = TIMEOUT_S) -> bool | None:
    """Whether ``pattern`` is found in ``text``; None when that is not known after ``timeout_s`` seconds.

    What was found is remembered, since replies are judged as they come and again at the end.
    """
    asked = json.dumps([pattern, text]).encode()
    command = [sys.executable, "-I", "-S", "-c", _SEARCH]
    try:
        done = subprocess.run(
            command, input=asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return {_FOUND: True, _NOT_FOUND: False}.get(done.returncode)

"""The settings that a person changes in a conversation, over those that its model was opened with."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from phicli.answering.types import Ending
from phicli.engine.types import SAMPLING_LIMITS, Sampling
from phicli.errors import UsageError

POLICIES: Final = ("error", "drop", "summarize", "ask")
"""What can happen when the context is full; ``ask`` is for a terminal, where a person chooses when it matters."""

DEFAULT: Final = "default"
"""The value that sets a setting back."""
STOP: Final = "stop"
THINK_BUDGET: Final = "think-budget"
ON_OVERFLOW: Final = "on-overflow"
_UNLIMITED: Final = 2**31 - 1
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)
_QUOTED: Final = re.compile(r"\"([^\"]+)\"|'([^']+)'|(\S+)")


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set in a conversation.

    Attributes:
        name: as the option of ``phi chat`` without its hyphens: ``top-p``.
        range: what its value can be, in words that follow "must be": ``between 0 and 1``.
        read: makes the value of what was typed; a ``ValueError`` says that it is not one.
        words: the words that it can be; empty for numbers and texts.
    """

    name: str
    range: str
    read: Callable[[str], Any]
    words: tuple[str, ...] = ()

    def value_of(self, typed: str) -> Any:
        """The value that was typed.

        Raises:
            UsageError: it is not one; the message has the range.
        """
        try:
            return self.read(typed)
        except ValueError:
            shown = typed if len(typed) <= 40 else f"{typed[:39]}…"
            raise UsageError(
                f"{self.name} must be {self.range}, not {shown!r}", f"to set it back: /set {self.name} {DEFAULT}"
            ) from None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings that a person changed: their names and values."""

    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def changed(self, name: str, value: Any) -> Chosen:
        """The same with another value of the setting ``name``."""
        return Chosen(MappingProxyType({**self.values, name: value}))

    def without(self, name: str) -> Chosen:
        """The same with the setting ``name`` as it was."""
        return Chosen(MappingProxyType({other: value for other, value in self.values.items() if other != name}))

    def sampling(self, usual: Sampling) -> Sampling:
        """``usual`` with the settings that a person changed."""
        return replace(usual, **{_key(name): value for name, value in self.values.items() if _key(name) in _SAMPLING})

    def ending(self, usual: Ending) -> Ending:
        """``usual`` with the settings that a person changed."""
        fields = {STOP: "stop_texts", THINK_BUDGET: "think_tokens"}
        return replace(usual, **{field: self.values[name] for name, field in fields.items() if name in self.values})


def setting_named(typed: str) -> Setting:
    """The setting that is called ``typed``.

    Raises:
        UsageError: there is none; a similar name, or the way to do it, is in the hint.
    """
    name = plain_name(typed)
    if name in BY_NAME:
        return BY_NAME[name]
    if name in ADVICE:
        raise UsageError(f"{name} cannot be set with /set", ADVICE[name])
    near = difflib.get_close_matches(name, list(BY_NAME), n=1)
    raise UsageError(
        f"unknown setting: {typed}", f"did you mean {near[0]}?" if near else f"the settings are: {', '.join(BY_NAME)}"
    )


def plain_name(typed: str) -> str:
    """A name as it is in the table: other programs write some of them in other ways."""
    name = typed.lower().lstrip("-").replace("_", "-")
    return _ALSO.get(name, name)


def is_like_a_setting(typed: str) -> bool:
    """Whether ``typed`` is the name of a setting, or a slip of the keys away from one."""
    name = plain_name(typed)
    return name in BY_NAME or name in ADVICE or bool(difflib.get_close_matches(name, list(BY_NAME), n=1, cutoff=0.75))


def completions(beginning: str) -> list[str]:
    """What can stand behind ``/set`` and begins with a text: names, then the words that the setting can be."""
    name, space, _ = beginning.partition(" ")
    if not space:
        return [one for one in BY_NAME if one.startswith(beginning.lower())]
    setting = BY_NAME.get(plain_name(name))
    words = [] if setting is None else [f"{name} {word}" for word in (*setting.words, DEFAULT)]
    return [one for one in words if one.startswith(beginning)]


def value_says(value: Any) -> str:
    """A value as it is shown and can be typed; None means no limit."""
    if value is None:
        return "no limit"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return " ".join(f"'{text}'" if '"' in text else f'"{text}"' for text in value) or "none"
    return str(value)


def texts_of(typed: str) -> tuple[str, ...]:
    """The words and the quoted texts in ``typed``, without their quotes."""
    return tuple(double or single or word for double, single, word in _QUOTED.findall(typed))


def _key(name: str) -> str:
    return name.replace("-", "_")


def _number(name: str, kind: type[int] | type[float], limits: tuple[float, float]) -> Setting:
    least, most = limits
    whole = "a whole number " if kind is int else ""

    def read(typed: str) -> float:
        if not _NUMBER.fullmatch(typed):
            raise ValueError(typed)
        value = kind(typed)
        if not math.isfinite(value) or not least <= value <= most:
            raise ValueError(typed)
        return value

    says = (
        f"{whole}of at least {least:g}" if most >= _UNLIMITED and name != "seed" else f"{whole}between {least:g} and "
    )
    return Setting(name, says if says.endswith(f"{least:g}") else f"{says}{most:.10g}", read)


def _stops(typed: str) -> tuple[str, ...]:
    texts = texts_of(typed)
    if not texts or not all(text.strip("'\"") for text in texts):
        raise ValueError(typed)
    return texts


def _policy(typed: str) -> str:
    if typed.lower() not in POLICIES:
        raise ValueError(typed)
    return typed.lower()


_KINDS: Final = {
    "temperature": float, "top-p": float, "top-k": int, "min-p": float, "repeat-penalty": float, "seed": int,
    "max-tokens": int,
}  # fmt: skip
_SAMPLING: Final = frozenset(map(_key, _KINDS))
SETTINGS: Final = (
    *(_number(name, kind, SAMPLING_LIMITS[_key(name)]) for name, kind in _KINDS.items()),
    Setting(STOP, 'a text that ends the answer, or several in quotes: "END" "---"', _stops),
    _number(THINK_BUDGET, int, (0, _UNLIMITED)),
    Setting(ON_OVERFLOW, "error, drop, summarize or ask", _policy, POLICIES),
)
"""All settings, in the order in which they are shown."""

BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
"""Every setting by its name."""

_ALSO: Final = {
    "temp": "temperature", "num-predict": "max-tokens", "n": "max-tokens", "overflow": ON_OVERFLOW,
    "num-ctx": "context", "ctx-size": "context",
}  # fmt: skip
"""What other programs call the same."""

_LEAVE: Final = "end the conversation and continue it with: phi chat --continue"
ADVICE: Final[Mapping[str, str]] = {
    "context": f"the model would have to be loaded again; {_LEAVE} --context N",
    "threads": f"the model would have to be loaded again; {_LEAVE} --threads N",
    "system": "to set the system message: /system TEXT",
    "model": "to continue with another model: /model NAME",
    "verbose": "to print the numbers of each answer: /stats on",
    "quiet": "to print no numbers: /stats off",
    "think": "to show reasoning: /think show; to ask for the answer at once: /think off",
    "nothink": "to ask for the answer at once: /think off",
}
"""What is not a setting here, but is one elsewhere: how it is done."""

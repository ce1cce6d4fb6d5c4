"""Commands for how answers are made and shown: ``/set``, ``/think``, ``/stats``."""

from __future__ import annotations

import re
from typing import Any, Final

from phicli.chat.settings import (
    BY_NAME,
    DEFAULT,
    ON_OVERFLOW,
    SETTINGS,
    STOP,
    THINK_BUDGET,
    Setting,
    is_like_a_setting,
    plain_name,
    setting_named,
    texts_of,
    value_says,
)
from phicli.chat.talk import Talk
from phicli.errors import UsageError

_PARTS: Final = re.compile(
    r"(?:parameters?\s+)?(?P<name>[\w-]+)(?:(?:\s*=\s*|\s+(?:to\s+)?)(?P<value>\S.*))?", re.DOTALL
)
"""``NAME VALUE``, and as other programs have it: ``parameter NAME VALUE``, ``NAME=VALUE``, ``NAME to VALUE``."""
_HOW: Final = "to set one: /set NAME VALUE; to set it back: /set NAME default"
_LIKE_A_VALUE: Final = re.compile(r"[+-]?[0-9.,]+")


def is_assignment(text: str) -> bool:
    """Whether ``text`` is what may follow ``/set``; otherwise the line is a question."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return False
    name, value = parts["name"], parts["value"]
    if value is None:
        return not text.endswith("?")
    words = texts_of(value)
    if plain_name(name) == STOP:
        return any(mark in value for mark in "\"'") or (len(words) == 1 and (value[-1] != "?" or len(value) == 1))
    if len(words) > 1 or value.endswith("?"):
        return False
    return is_like_a_setting(name) or _LIKE_A_VALUE.fullmatch(value) is not None


def set_(talk: Talk, text: str) -> bool:
    """List the settings, or change one."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        talk.screen.tell(
            "\n".join([*settings_lines(talk), "to set one: /set NAME VALUE; to set it back: /set NAME default"])
        )
        return True
    setting = setting_named(parts["name"])
    if (typed := parts["value"]) is not None:
        change(talk, setting, None if typed.lower() == DEFAULT else setting.value_of(typed))
    line = f"{setting.name}: {value_says(value_of(talk, setting))}"
    talk.screen.tell(line if typed is not None else f"{line} ({setting.range})")
    if typed is not None and talk.models is not None:
        for note in talk.models.ignored(talk.session.sampling):
            talk.screen.tell(f"note: {note}")
    return True


def change(talk: Talk, setting: Setting, value: Any) -> None:
    """Give ``setting`` another value; None is the one that the conversation began with.

    Raises:
        UsageError: it cannot be set in this conversation.
    """
    if setting.name == ON_OVERFLOW:
        if talk.policies is None:
            raise UsageError(f"{setting.name} cannot be set in this conversation", "start one with phi chat MODEL")
        talk.policies.set(value)
        return
    chosen = talk.session.chosen
    talk.session.chosen = chosen.without(setting.name) if value is None else chosen.changed(setting.name, value)


def value_of(talk: Talk, setting: Setting) -> Any:
    """The value in force."""
    if setting.name == ON_OVERFLOW:
        return "error" if talk.policies is None else talk.policies.policy
    if setting.name == STOP:
        return talk.session.ending.stop_texts
    if setting.name == THINK_BUDGET:
        return talk.session.ending.think_tokens
    return getattr(talk.session.sampling, setting.name.replace("-", "_"))


def settings_lines(talk: Talk) -> list[str]:
    """All settings with their values and ranges, aligned."""
    rows = [(one.name, value_says(value_of(talk, one)), one.range) for one in SETTINGS]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {value:<{min(widths[1], 24)}}  {span}" for name, value, span in rows]


def think(talk: Talk, word: str) -> bool:
    """Show or hide reasoning, or have the model answer at once."""
    budget = BY_NAME[THINK_BUDGET]
    if word == "off":
        change(talk, budget, 0)
    elif word:
        if value_of(talk, budget) == 0:
            change(talk, budget, None)
        talk.screen.thinking = "show" if word == "show" else "hide"
        if word == "show":
            _reveal(talk)
    talk.screen.tell(_thinking_says(talk))
    return True


def stats(talk: Talk, word: str) -> bool:
    """Print the numbers of each answer, or no longer."""
    if word:
        talk.screen.stats = word == "on"
    talk.screen.tell(f"numbers after each answer: {'on' if talk.screen.stats else 'off'}")
    return True


def _reveal(talk: Talk) -> None:
    turns, last = talk.session.dialogue.turns, talk.session.last
    stopped = last is not None and last.finish_reason == "interrupted"
    if not turns or (turns[-1].answer is None and not stopped):
        return
    reasoning = (turns[-1].facts or {}).get("reasoning")
    if last is not None and turns[-1].answer in (None, last.message):
        reasoning = last.reasoning
    if isinstance(reasoning, str) and reasoning.strip():
        talk.screen.reveal(reasoning)
    else:
        talk.screen.tell("the last answer has no reasoning")


def _thinking_says(talk: Talk) -> str:
    if talk.session.ending.think_tokens == 0:
        return "reasoning is off: the model is asked for its answer at once (/think hide: on again)"
    if talk.screen.thinking == "show":
        return "reasoning is shown"
    return "reasoning is hidden behind one line (/think show prints it)"

"""Which value holds: variables, profile, file; in each the command's own key before the one for all commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.settings.file import parse
from phicli.settings.key import Key, variable_of
from phicli.settings.lookup import Source, find

THREADS = Key("chat.threads", "threads")
LEVELS = [
    "PHI_CHAT_THREADS",
    "PHI_THREADS",
    "profile.fast.chat.threads",
    "profile.fast.threads",
    "chat.threads",
    "threads",
]
"""The first one wins."""


def look(levels: list[str], profile: str = "fast") -> Source | None:
    """What is found where all of ``levels`` are set, each to its place in the list."""
    variables = {level: str(LEVELS.index(level)) for level in levels if level.startswith("PHI_")}
    keys = "".join(f"{level} = {LEVELS.index(level)}\n" for level in levels if not level.startswith("PHI_"))
    return find(THREADS, parse(Path("config.toml"), keys), profile, variables)


@pytest.mark.parametrize("highest", range(len(LEVELS)))
def test_the_highest_level_wins(highest: int) -> None:
    found = look(LEVELS[highest:])
    assert found is not None
    assert str(found.value) == str(highest)
    assert (found.variable or ".".join(found.key)) == LEVELS[highest]


def test_without_the_profile_it_does_not_count() -> None:
    found = look(LEVELS[2:], profile="")
    assert found is not None
    assert found.key == ("chat", "threads")


def test_nothing_is_set() -> None:
    assert look([]) is None


def test_an_empty_variable_is_not_set() -> None:
    file = parse(Path("config.toml"), "threads = 3")
    found = find(THREADS, file, "", {"PHI_CHAT_THREADS": "", "PHI_THREADS": ""})
    assert found == Source(3, key=("threads",))


def test_a_value_may_be_false_or_empty() -> None:
    file = parse(Path("config.toml"), 'chat.quiet = false\nchat.system = ""\n')
    assert find(Key("chat.quiet"), file, "", {}) == Source(False, key=("chat", "quiet"))
    assert find(Key("chat.system"), file, "", {}) == Source("", key=("chat", "system"))


def test_variables() -> None:
    assert variable_of("chat.max_tokens") == "PHI_CHAT_MAX_TOKENS"
    assert variable_of("runs.list.limit") == "PHI_RUNS_LIST_LIMIT"

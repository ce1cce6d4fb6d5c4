"""``/set``, ``/think`` and ``/stats``: what they change, and what they say of values that make no sense."""

from __future__ import annotations

import pytest

from phicli.answering.types import Ending
from phicli.chat.repl import run_repl
from phicli.chat.settings import SETTINGS, Chosen
from phicli.chat.talk import Talk
from phicli.engine.types import Sampling
from tests.chat.test_repl import Screen
from tests.fakes.scripted_model import Lab, echo


class Policies:
    """What happens when the context is full, as it would be set."""

    def __init__(self) -> None:
        self.policy = "ask"

    def set(self, policy: str | None) -> None:
        self.policy = policy or "ask"


def talked(*lines: str, lab: Lab | None = None) -> tuple[Lab, Screen]:
    lab, screen = lab or Lab(echo), Screen(*lines)
    run_repl(Talk(lab.session, screen, policies=Policies()))
    return lab, screen


def test_every_setting_is_listed_with_its_value_and_its_range() -> None:
    _, screen = talked("/set")
    for setting, line in zip(SETTINGS, screen.told[0].splitlines(), strict=False):
        assert line.split()[0] == setting.name
        assert line.endswith(setting.range)
    assert "/set NAME default" in screen.told[0].splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/set temperature 0.5", "temperature: 0.5"),
        ("/set TEMP 0.5", "temperature: 0.5"),
        ("/set top_p=0.9", "top-p: 0.9"),
        ("/set top-k to 20", "top-k: 20"),
        ("/set min-p 0", "min-p: 0"),
        ("/set repeat-penalty 1.1", "repeat-penalty: 1.1"),
        ("/set parameter num_predict 50", "max-tokens: 50"),
        ("/set seed 7", "seed: 7"),
        ("/set think-budget 0", "think-budget: 0"),
        ("/set on-overflow DROP", "on-overflow: drop"),
        ("/set stop END", 'stop: "END"'),
        ('/set stop "two words" END', 'stop: "two words" "END"'),
        ("/set stop 'say \"so\"'", "stop: 'say \"so\"'"),
        ("/set max-tokens", "max-tokens: no limit (a whole number of at least 1)"),
    ],
)
def test_a_value_is_set_and_said(line: str, says: str) -> None:
    _, screen = talked(line)
    assert (screen.told, screen.errors) == ([says], [])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/set temperature hot", "temperature must be between 0 and 100, not 'hot'"),
        ("/set temperature -1", "temperature must be between 0 and 100, not '-1'"),
        ("/set temperature nan", "temperature must be between 0 and 100, not 'nan'"),
        ("/set temperature 1e999", "temperature must be between 0 and 100, not '1e999'"),
        ("/set temperature 0,5", "temperature must be between 0 and 100, not '0,5'"),
        ("/set top-p 1.5", "top-p must be between 0 and 1, not '1.5'"),
        ("/set top-k 1.5", "top-k must be a whole number of at least 0, not '1.5'"),
        ("/set top-k ٣", "top-k must be a whole number of at least 0, not '٣'"),
        ("/set seed -1", "seed must be a whole number between 0 and 4294967294, not '-1'"),
        ("/set max-tokens 0", "max-tokens must be a whole number of at least 1, not '0'"),
        ("/set on-overflow panic", "on-overflow must be error, drop, summarize or ask, not 'panic'"),
        ("/set stop \"\"", "stop must be a text that ends the answer"),
    ],
)  # fmt: skip
def test_nonsense_names_the_range_and_changes_nothing(line: str, message: str) -> None:
    lab, screen = talked(line)
    assert [error.exit_code for error in screen.errors] == [2]
    assert message in screen.errors[0].message
    assert "default" in str(screen.errors[0].hint)
    assert lab.session.chosen == Chosen()


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("/set temprature 0.5", "unknown setting: temprature", "did you mean temperature?"),
        ("/set foo 3", "unknown setting: foo", "the settings are: temperature"),
        ("/set num_ctx 8192", "context cannot be set", "--context N"),
        ("/set context 8192", "context cannot be set", "--context N"),
        ("/set verbose", "verbose cannot be set", "/stats on"),
        ("/set nothink", "nothink cannot be set", "/think off"),
    ],
)
def test_a_name_that_is_not_a_setting_leads_to_the_one_that_is_meant(line: str, message: str, hint: str) -> None:
    _, screen = talked(line)
    assert message in screen.errors[0].message
    assert hint in str(screen.errors[0].hint)


def test_what_was_set_is_how_the_next_answer_is_made_and_is_set_back() -> None:
    lab = Lab(echo, ending=Ending(("usual",)))
    session = lab.session
    talked("/set temperature 0.5", "/set stop END", "/set max-tokens 2", "/set seed 7", "long answer", lab=lab)
    assert (session.sampling.temperature, session.sampling.seed, session.ending.stop_texts) == (0.5, 7, ("END",))
    assert session.dialogue.turns[0].answer is not None
    assert len(session.dialogue.turns[0].answer.content) < len("LONG ANSWER")
    talked("/set temperature default", "/set stop default", lab=lab)
    assert (session.sampling.temperature, session.ending.stop_texts) == (0, ("usual",))
    assert session.sampling.max_tokens == 2


def test_what_was_set_survives_another_model() -> None:
    lab, _ = talked("/set temperature 0.5", "/set think-budget 9")
    lab.session.use(lab.model, sampling=Sampling(temperature=0.9, top_k=3), ending=Ending(brake=True))
    assert (lab.session.sampling.temperature, lab.session.sampling.top_k) == (0.5, 3)
    assert lab.session.ending == Ending(brake=True, think_tokens=9)


def test_the_policy_of_a_full_context_cannot_be_set_where_there_is_none() -> None:
    lab, screen = Lab(echo), Screen("/set on-overflow drop")
    run_repl(Talk(lab.session, screen))
    assert [error.exit_code for error in screen.errors] == [2]


def test_think_off_asks_for_the_answer_at_once_until_reasoning_is_shown_or_hidden() -> None:
    lab, screen = talked("/think", "/think off", "/think")
    assert "hidden" in screen.told[0]
    assert ["off" in line for line in screen.told[1:]] == [True, True]
    assert lab.session.ending.think_tokens == 0
    _, screen = talked("/think hide", lab=lab)
    assert (lab.session.ending.think_tokens, screen.thinking) == (None, "hide")


def test_think_show_keeps_a_budget_that_was_set() -> None:
    lab, screen = talked("/set think-budget 9", "/think show")
    assert (lab.session.ending.think_tokens, screen.thinking) == (9, "show")


def test_think_show_prints_the_reasoning_of_the_last_answer() -> None:
    lab = Lab(lambda _: "<think>hm</think>4<|end|>", reasoning=True)
    _, screen = talked("2+2?", "/think show", lab=lab)
    assert screen.revealed == ["hm"]
    _, screen = talked("hello", "/think show", lab=Lab(echo))
    assert (screen.revealed, screen.told[0]) == ([], "the last answer has no reasoning")


def test_stats_are_switched_and_their_state_is_said() -> None:
    _, screen = talked("/stats", "/stats on", "/stats")
    assert [line.rsplit(maxsplit=1)[-1] for line in screen.told] == ["off", "on", "on"]
    assert screen.stats

"""``phi chat`` with models that reason: what a person and a script get of the reasoning, and how it is ended."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.reasoning_gguf import write_reasoner
from tests.support.running import Phi
from tests.support.terminal_talk import TerminalTalk

pytestmark = pytest.mark.process
on_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
MATH = "Your name is Phi, an AI math expert developed by Microsoft."
THOUGHT = ("<think>", "Let ", "me ", "see. ", "Two ", "and ", "two.")
ANSWER = ("\n\n", "The ", "answer ", "is ", "4.")


@pytest.fixture(params=[True, False], ids=["tags-are-tokens", "tags-are-text"])
def reasons(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    opening, closing = ("<think>", "</think>") if request.param else ("<think>\n", "\n</think>")
    pieces = (opening, *THOUGHT[1:], closing, *ANSWER)
    return write_reasoner(tmp_path / "reasons.gguf", pieces, special=request.param)


def answer_of(phi: Phi, *arguments: object) -> dict[str, Any]:
    data: dict[str, Any] = phi("chat", *map(str, arguments), "--json").json["data"]
    return data


def test_reasoning_is_ended_and_the_answer_is_asked_for(phi: Phi, reasons: Path) -> None:
    whole = answer_of(phi, reasons, "2+2?")
    assert (whole["text"], whole["reasoning"].rstrip()) == ("The answer is 4.", "Let me see. Two and two.")
    cut = answer_of(phi, reasons, "2+2?", "--think-budget", 3)
    assert (cut["text"], cut["reasoning"], cut["finish_reason"]) == ("The answer is 4.", "Let me see. ", "stop")
    assert cut["usage"]["reasoning_tokens"] == 3
    assert cut["settings"]["think_budget"] == 3
    none = answer_of(phi, reasons, "2+2?", "--think-budget", 0)
    assert (none["text"], none["reasoning"], none["usage"]["reasoning_tokens"]) == ("The answer is 4.", "", 0)
    assert none["usage"]["completion_tokens"] <= len(ANSWER)


def test_no_reasoning_where_a_token_has_the_end_of_the_tag_and_a_word(phi: Phi) -> None:
    answer = answer_of(phi, "tiny-phi", "--system", MATH, "What is 7 + 5?", "--think-budget", 0)
    assert (answer["reasoning"], answer["usage"]["reasoning_tokens"]) == ("", 0)
    assert answer["text"].endswith(" = 12")


def test_what_a_script_gets(phi: Phi, reasons: Path) -> None:
    done = phi("chat", str(reasons), "2+2?", "--think-budget", "3")
    assert (done.code, done.out) == (0, "The answer is 4.\n")
    assert done.err.splitlines() == [
        "Let me see. ",
        "note: reasoning was ended after 3 tokens (--think-budget)",
    ]
    quiet = phi("chat", str(reasons), "2+2?", "--think-budget", "3", "--quiet")
    assert (quiet.out, quiet.err) == ("The answer is 4.\n", "")


def test_a_budget_that_makes_no_sense_and_one_that_is_a_setting(
    phi: Phi, reasons: Path, environment: dict[str, str]
) -> None:
    wrong = phi("chat", str(reasons), "2+2?", "--think-budget", "-1")
    assert wrong.code == 2
    assert "--think-budget -1 is not between 0 and" in wrong.err
    environment["PHI_CHAT_THINK_BUDGET"] = "2"
    assert answer_of(phi, reasons, "2+2?")["reasoning"] == "Let me "
    assert answer_of(phi, reasons, "2+2?", "--think-budget", 3)["reasoning"] == "Let me see. "


def test_an_answer_that_is_only_reasoning(phi: Phi, tmp_path: Path) -> None:
    model = write_reasoner(tmp_path / "never.gguf", THOUGHT)
    for quiet in ([], ["--quiet"]):
        done = phi("chat", str(model), "2+2?", *quiet)
        assert (done.code, done.out) == (0, "")
        assert done.err.splitlines()[-1].startswith("note: the model gave no answer")
    data = answer_of(phi, model, "2+2?")
    assert (data["text"], data["reasoning"], data["finish_reason"]) == ("", "Let me see. Two and two.", "stop")
    assert data["usage"]["reasoning_tokens"] == len(THOUGHT) - 1


def test_the_command_that_makes_an_answer_again_has_the_budget(phi: Phi) -> None:
    ask = ("tiny-phi", "--system", MATH, "--session", "sums", "--think-budget", 6)
    first = answer_of(phi, *ask, "What is 7 + 5?")
    assert first["usage"]["reasoning_tokens"] == 6
    words = shlex.split(phi("sessions", "show", "sums", "--reproduce", "1").out)
    assert words[words.index("--think-budget") + 1] == "6"
    again = answer_of(phi, *words[2:])
    assert (again["text"], again["reasoning"]) == (first["text"], first["reasoning"])


def test_a_session_goes_on_without_earlier_reasoning(phi: Phi) -> None:
    """The saved KV cache has the reasoning in it: what is in front of it is used, the answer is evaluated again."""
    first = answer_of(phi, "tiny-phi", "--system", MATH, "--session", "sums", "What is 7 + 5?")["usage"]
    assert first["reasoning_tokens"] > 0
    second = answer_of(phi, "--session", "sums", "What is 2 + 3?")["usage"]
    assert second["prompt_tokens"] < 2 * first["prompt_tokens"] + first["completion_tokens"] - first["reasoning_tokens"]
    assert second["cached_tokens"] == first["prompt_tokens"]


@on_a_terminal
def test_a_conversation_folds_reasoning_to_one_line(environment: dict[str, str], reasons: Path) -> None:
    with TerminalTalk(environment, "chat", str(reasons), "--think-budget", "3") as talk:
        talk.begin()
        fold, note, answer = talk.say("2+2?").splitlines()
        assert note == "note: reasoning was ended after 3 tokens (--think-budget)"
        assert fold.startswith("thought for ")
        assert fold.endswith(" s, 3 tokens; /think show prints it")
        assert answer == "The answer is 4."
        assert talk.leave() == 0


@on_a_terminal
def test_the_reasoning_of_an_answer_that_was_stopped_is_shown(environment: dict[str, str], tmp_path: Path) -> None:
    endless = write_reasoner(tmp_path / "endless.gguf", ["<think>", *(f"Step {n}, " for n in range(210))], goes_to=1)
    with TerminalTalk(environment, "chat", str(endless), colour=True) as talk:
        talk.begin()
        talk.type("2+2?\r")
        talk.wait_until(lambda: "Step 1" in talk.printed)
        talk.type("\x03")
        talk.wait_until(lambda: "(stopped)" in talk.lines and talk.asks())
        assert talk.say("/think show").startswith("Step 0,")
        assert talk.leave() == 0


@on_a_terminal
def test_a_conversation_with_the_embedded_model(environment: dict[str, str]) -> None:
    with TerminalTalk(environment, "chat", "tiny-phi", "--system", MATH) as talk:
        talk.begin()
        fold, answer = talk.say("What is 7 + 5?").splitlines()
        assert fold.startswith("thought for ")
        assert answer == "7 + 5 = 12"
        assert talk.leave() == 0
    with TerminalTalk(environment, "chat", "tiny-phi", "--system", MATH) as talk:
        talk.begin()
        talk.say("/think show")
        assert talk.say("What is 7 + 5?").splitlines() == [
            "I start at 7 and go 5 further. That makes 12.",
            "7 + 5 = 12",
        ]
        talk.say("/think off")
        assert talk.say("What is 7 + 5?").endswith(" = 12")
        assert talk.leave() == 0
    with TerminalTalk(environment, "chat", "tiny-phi", "--system", MATH, "--quiet") as talk:
        talk.begin()
        assert talk.say("What is 7 + 5?") == "7 + 5 = 12"
        assert talk.leave() == 0

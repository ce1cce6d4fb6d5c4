"""Where reasoning ends while an answer comes: by the ids of tags, by the whole answer, and when it is interrupted."""

from __future__ import annotations

import pytest

from phicli.answering.end_watch import EndWatch
from phicli.answering.pool import whole
from phicli.answering.types import NO_ENDING, Answer, Ending, Undecided
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Piece, PromptFormat
from phicli.engine.types import Chunk
from tests.fakes.scripted_engine import Script
from tests.fakes.scripted_model import Lab

REASONS: PromptFormat = format_by_name("phi-4-mini", reasoning=True, always_reasons=True)
IDS = {"<think>": 7, "</think>": 8}


def said(text: str) -> Script:
    """An answer that goes on where the prompt already has a part of it."""
    return lambda prompt: text[len(prompt.rsplit("<|assistant|>", 1)[1]) :] + "<|end|>"


def lab(text: str, *, first: int = 4096, ending: Ending = NO_ENDING, max_tokens: int | None = None) -> Lab:
    return Lab(said(text), first=first, format_for=lambda _: REASONS, ending=ending, max_tokens=max_tokens)


def watched(*chunks: Chunk) -> tuple[str, str]:
    """The text that streams, and all of it."""
    watch = EndWatch(REASONS.parser(), NO_ENDING, (), IDS)
    streamed = [piece for chunk in chunks for piece in watch.take(chunk)]
    pieces = [*streamed, *watch.finish()]
    return tuple("".join(one.text for one in some if one.kind == "text") for some in (streamed, pieces))  # type: ignore[return-value]


def test_a_tag_that_is_one_token_is_known_by_its_id() -> None:
    start, end = Chunk("<think>", (7,), 1), Chunk("</think>", (8,), 1)
    reasoning, answer = Chunk("so it is four ", (1, 2), 2), Chunk(" The answer", (3,), 1)
    assert watched(start, reasoning, end, answer) == ("The answer", "The answer")
    assert watched(start, reasoning, Chunk("</think>", (4, 5), 2), answer) == ("", "The answer")  # letter by letter
    assert watched(start, Chunk("so it is four </think> The answer", (1, 8, 3), 3)) == ("The answer", "The answer")
    assert watched(start, reasoning, Chunk("</think>", None, 1), answer) == ("", "The answer")  # ids are unknown


def test_a_quoted_tag_is_not_the_end_whatever_its_id() -> None:
    quoted = (
        Chunk("<think>I end with `", (7, 1), 2),
        Chunk("</think>", (8,), 1),
        Chunk("` now.\n</think>\nFour.", (2,), 1),
    )
    assert watched(*quoted) == ("Four.", "Four.")


def test_an_answer_without_any_tag_is_the_answer_and_its_length_is_known_before() -> None:
    answer, events = lab("It is four.").ask("2+2?")
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("It is four.", "", "stop")
    assert answer.token_ids is not None  # so that the next prompt finds them in the cache
    assert [event.tokens for event in events if isinstance(event, Undecided)] == list(range(1, 12))
    assert [event for event in events if isinstance(event, Piece)] == [Piece("text", "It is four.")]
    assert not answer.only_reasoning


def test_an_answer_without_an_opening_tag() -> None:
    answer, _ = lab("Let me see.\n</think>\n\nFour.").ask("2+2?")
    assert (answer.text, answer.reasoning) == ("Four.", "Let me see.\n")


@pytest.mark.parametrize("first", range(40, 75))
def test_what_waits_survives_the_end_of_a_context(first: int) -> None:
    text = "<think>I end with `</think>` now. </think> So it is four"
    assert lab(text, first=first).ask("2+2?")[0].text == "So it is four"
    assert lab("So it is four, said the answer, which has no tags", first=first).ask("2+2?")[0].reasoning == ""


@pytest.mark.parametrize(("max_tokens", "reason"), [(None, "stop"), (12, "length")])
def test_an_answer_that_is_only_reasoning(max_tokens: int | None, reason: str) -> None:
    answer, _ = lab("<think>Let me see. It is 4", max_tokens=max_tokens).ask("2+2?")
    assert (answer.text, answer.finish_reason, answer.only_reasoning) == ("", reason, True)
    assert "Let me see. It is 4".startswith(answer.reasoning)


def test_a_stop_text_counts_in_an_answer_that_waited() -> None:
    answer, _ = lab("four END five", ending=Ending(("END",))).ask("2+2?")
    assert (answer.text, answer.stopped_by, answer.finish_reason) == ("four ", "END", "stop")


def test_an_interrupted_answer_has_what_waited() -> None:
    one = lab("It is four.")
    asking = one.session.ask("2+2?")
    while not (isinstance(event := next(asking), Undecided) and event.tokens == 5):
        assert not isinstance(event, Answer)
    asking.close()
    assert (asking.so_far().text, asking.so_far().finish_reason) == ("It is", "interrupted")
    remembered = one.session.dialogue.turns[-1].answer
    assert remembered is not None
    assert remembered.content == "It is"


def test_the_next_prompt_has_no_reasoning() -> None:
    one = lab("<think>I end with `</think>` now.\n</think>\nFour.")
    one.ask("2+2?")
    whole(one.session.ask("Why?"))
    assert one.engines[-1].prompts[-1].endswith("<|assistant|>Four.<|end|><|user|>Why?<|end|><|assistant|>")

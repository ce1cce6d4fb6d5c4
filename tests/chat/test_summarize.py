"""Summaries by the model itself in place of what does not fit into the context."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from phicli.answering.types import Answer, Notice
from phicli.chat.dialogue import Attachment, Dialogue, Turn
from phicli.chat.overflow import Overflow
from phicli.chat.summarize import conversation_source, whole_sentences
from phicli.chat_format.types import Message, Piece, ToolCall
from phicli.errors import ContextExceededError, EngineError
from tests.fakes.scripted_engine import Script, ScriptedEngine
from tests.fakes.scripted_model import Lab

LIMIT = 2048  # an eighth is 256 tokens for a summary, a quarter 512 for the answer


def turn(number: int, size: int = 260) -> Turn:
    question = f"question {number} " + "x" * size
    return Turn(question, (), (Message("assistant", f"answer {number}"),))


LONG = Dialogue("be brief", tuple(turn(number) for number in range(1, 7)))


def summing_up(said: str = "a summary.", answer: str = "ok") -> Script:
    """An engine that writes ``said`` when it is asked for a summary."""
    return lambda prompt: (said if "only the summary." in prompt else answer) + "<|end|>"


def lab_with(dialogue: Dialogue, script: Script, **more: Any) -> Lab:
    lab = Lab(script, first=LIMIT, limit=LIMIT, **more)
    lab.session.become(dialogue)
    lab.session.fitting = Overflow("summarize", see_summary="/summary")
    return lab


def notices(events: list[object]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_the_summary_stands_for_the_oldest_turns() -> None:
    lab = lab_with(LONG, summing_up())
    answer, events = lab.ask("why?")
    asked, sent = lab.engines[0].prompts
    dialogue = lab.session.dialogue
    assert (dialogue.summary, dialogue.left_out) == ("a summary.", 4)
    assert len(dialogue.turns) == 7
    assert [f"answer {number}" in asked for number in range(1, 7)] == [True] * 4 + [False] * 2
    assert [f"answer {number}" in sent for number in range(1, 7)] == [False] * 4 + [True] * 2
    assert sent.startswith(
        "<|system|>be brief<|end|><|user|>Summary of the earlier conversation:\na summary.\n\nquestion 5 "
    )
    assert answer.text == "ok"
    assert notices(events) == [
        f'summarizing turns 1 to 4 ("question 1 …" to "question 4 …"): the model reads {len_of(asked)} tokens'
        " and writes at most 256 tokens",
        'turns 1 to 4 ("question 1 …" to "question 4 …") are sent as a summary from now on; see it: /summary',
    ]


def test_a_greeting_and_questions_in_a_row_are_named_by_who_said_them() -> None:
    greeting = Turn("", (), (Message("assistant", "Welcome."),))
    asked = Turn("first", (), (Message("user", "second"), Message("assistant", "answer")))
    source = conversation_source(Dialogue(None, (greeting, asked)), (greeting, asked), "turns")
    assert source.text == "Assistant: Welcome.\n\nUser: first\n\nUser: second\n\nAssistant: answer"


def len_of(prompt: str) -> int:
    """The tokens of a prompt of the scripted engine, in which a special token is one."""
    for literal in ("<|system|>", "<|user|>", "<|end|>", "<|assistant|>"):
        prompt = prompt.replace(literal, "S")
    return len(prompt)


def test_only_the_answer_is_printed() -> None:
    lab = lab_with(LONG, summing_up())
    _, events = lab.ask("why?")
    assert "".join(event.text for event in events if isinstance(event, Piece)) == "ok"
    assert sum(isinstance(event, Answer) for event in events) == 1


def test_a_summary_is_not_made_again_for_the_next_question() -> None:
    lab = lab_with(LONG, summing_up())
    lab.ask("why?")
    _, events = lab.ask("and then?")
    assert notices(events) == []
    assert "a summary." in lab.engines[0].prompts[-1]


def test_the_earlier_summary_is_folded_into_the_next_one() -> None:
    before = Dialogue(None, LONG.turns, 1, "Anna lives in Lisbon.")
    lab = lab_with(before, summing_up("both."))
    lab.ask("y" * 200)
    asked = lab.engines[0].prompts[0]
    assert "Summary of the earlier conversation: Anna lives in Lisbon." in asked
    assert "question 1 " not in asked
    assert "question 2 " in asked
    assert lab.session.dialogue.summary == "both."


def test_turns_that_are_longer_than_the_context_are_summarized_in_pieces() -> None:
    words = " ".join(f"word{number}" for number in range(900))
    long_turn = Turn(words, (), (Message("assistant", "yes"),))
    lab = lab_with(Dialogue(None, (long_turn,)), summing_up())
    _, events = lab.ask("why?")
    *asked, last, _ = lab.engines[0].prompts
    assert notices(events)[1].startswith("summarizing the 6 summaries")
    assert "a summary.\na summary." in last
    assert len(asked) == 6
    assert max(map(len_of, asked)) <= LIMIT - 512
    assert max(map(len_of, asked)) - min(map(len_of, asked)) < 50
    for number in range(900):
        assert any(f"word{number}" in prompt for prompt in asked), number
    assert "in 6 pieces" in notices(events)[0]
    told = int(notices(events)[0].split(" reads ")[1].split()[0])
    assert abs(told - sum(map(len_of, asked))) <= len(asked)  # "153 words" and "38 words"


def test_the_summaries_of_many_pieces_are_summarized_again() -> None:
    long_turn = Turn("many words " * 1600, (), (Message("assistant", "yes"),))
    lab = lab_with(Dialogue(None, (long_turn,)), summing_up("one sentence of the piece that was read."))
    _, events = lab.ask("why?")
    assert any(text.startswith("summarizing the ") and "summaries" in text for text in notices(events))
    assert lab.session.dialogue.summary == "one sentence of the piece that was read."


@pytest.mark.parametrize("said", ["It goes on. " * 500, "".join(f"Part {n} goes on. " for n in range(500))])
def test_a_summary_without_an_end_stops_at_its_budget_after_a_whole_sentence(said: str) -> None:
    lab = lab_with(LONG, summing_up(said))
    lab.ask("why?")
    summary = lab.session.dialogue.summary
    assert summary is not None
    assert summary.endswith("goes on.")
    assert 128 < len(summary) <= 256


def test_the_reasoning_of_the_model_is_not_part_of_the_summary() -> None:
    lab = lab_with(LONG, summing_up("<think>" + "hm " * 40 + "</think>short.", "<think>a</think>ok"), reasoning=True)
    lab.ask("why?")
    assert lab.session.dialogue.summary == "short."


@pytest.mark.parametrize("said", ["", "  \n", "<think>only this"])
def test_without_a_summary_nothing_is_lost(said: str) -> None:
    lab = lab_with(LONG, summing_up(said), reasoning=said.startswith("<"))
    with pytest.raises(
        ContextExceededError, match=r"wrote no summary of turns 1 to 4 .*; nothing was left out"
    ) as caught:
        lab.ask("why?")
    assert "--on-overflow drop" in caught.value.hint
    assert lab.session.dialogue == LONG.with_turn(Turn("why?"))


def test_an_engine_that_fails_while_it_summarizes_loses_nothing() -> None:
    lab = Lab(
        summing_up(), make=lambda size: ScriptedEngine(summing_up(), context_tokens=size, dies_after=3), first=LIMIT
    )
    lab.model.context = type(lab.model.context)(LIMIT, LIMIT)
    lab.session.become(LONG)
    lab.session.fitting = Overflow("summarize")
    with pytest.raises(EngineError, match="killed"):
        lab.ask("why?")
    assert lab.session.dialogue == LONG.with_turn(Turn("why?"))


def test_a_summary_can_be_canceled_from_another_thread() -> None:
    lab = lab_with(LONG, summing_up("a long summary."))
    answering, reading = lab.session.ask("why?"), threading.Event()

    def read() -> None:
        for event in answering:
            if not isinstance(event, Notice):  # the prompt of the summary is being read
                lab.engines[0].goes_on.clear()
                reading.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(30)
    answering.close()
    reader.join(30)
    assert not reader.is_alive()
    lab.engines[0].goes_on.set()
    assert lab.session.dialogue == LONG.with_turn(Turn("why?"))


def test_ctrl_c_while_it_summarizes_loses_nothing() -> None:
    def interrupt(prompt: str) -> str:
        if "only the summary." in prompt:
            raise KeyboardInterrupt
        return "ok<|end|>"

    lab = lab_with(LONG, interrupt)
    with pytest.raises(KeyboardInterrupt):
        lab.ask("why?")
    assert lab.session.dialogue == LONG.with_turn(Turn("why?"))


def test_an_interruption_after_the_summary_keeps_it() -> None:
    lab = lab_with(LONG, summing_up())
    answering = lab.session.ask("why?")
    next(event for event in answering if isinstance(event, Notice) and "from now on" in event.text)
    next(answering)
    answering.close()
    assert (lab.session.dialogue.summary, lab.session.dialogue.turns[-1].replies) == ("a summary.", ())
    list(lab.session.retry())
    assert len(lab.engines[0].prompts) == 3


def test_undoing_into_the_summarized_turns_sends_them_again() -> None:
    lab = lab_with(LONG, summing_up())
    lab.ask("why?")
    lab.session.undo(4)
    assert (lab.session.dialogue.summary, lab.session.dialogue.left_out) == (None, 0)
    assert "question 1 " in lab.session.dialogue.messages()[1].content


def test_tool_calls_and_their_results_are_part_of_what_is_summarized() -> None:
    called = Turn(
        "weather? " + "x" * 1200,
        (),
        (
            Message("assistant", "", (ToolCall("weather", {"city": "Rome"}),)),
            Message("tool", "18 degrees"),
            Message("assistant", "mild"),
        ),
    )
    lab = lab_with(Dialogue(None, (called, turn(2))), summing_up())
    lab.ask("why?")
    asked = lab.engines[0].prompts[0]
    assert 'Assistant:  [calls weather({"city": "Rome"})]\n\nTool result: 18 degrees\n\nAssistant: mild' in asked


def test_a_long_file_is_summarized_for_the_question_that_comes_with_it() -> None:
    lab = lab_with(Dialogue(), summing_up("the tulip is red."))
    notes = Attachment("notes.txt", "a line of the file\n" * 400)
    answering = lab.session.ask("what color is it?", [notes, Attachment("short.txt", "whole")])
    events = list(answering)
    *asked, sent = lab.engines[0].prompts
    assert len(asked) > 3
    assert all("Keep everything that helps to answer this: what color is it?" in prompt for prompt in asked[:-1])
    assert "Summary of file notes.txt, which is too long to be sent:\n<summary>\nthe tulip is red." in sent
    assert "File short.txt:\n<file>\nwhole\n</file>" in sent
    assert sent.endswith("what color is it?<|end|><|assistant|>")
    assert notices(events)[2].startswith("summarizing file notes.txt: the model reads ")
    assert notices(events)[-1] == "a summary of file notes.txt is sent to the model, because the text is too long"
    kept = lab.session.dialogue.turns[0].attachments[0]
    assert (kept.text, kept.summary is None) == (notes.text, False)


def test_the_summary_of_a_file_serves_the_next_question() -> None:
    lab = lab_with(Dialogue(), summing_up("the tulip is red."))
    list(lab.session.ask("what color?", [Attachment("", "piped line\n" * 400)]))
    count = len(lab.engines[0].prompts)
    _, events = lab.ask("really?")
    assert (len(lab.engines[0].prompts), notices(events)) == (count + 1, [])
    assert "Summary of the piped text, which is too long to be sent" in lab.engines[0].prompts[-1]


def test_a_question_that_is_too_long_itself_is_refused_with_a_way_out() -> None:
    lab = lab_with(LONG, summing_up())
    with pytest.raises(
        ContextExceededError, match=r"has 3113 tokens without the earlier turns, but .* 2048$"
    ) as caught:
        lab.ask("z" * 3100)
    assert "send its text with --file" in caught.value.hint
    assert lab.engines[0].prompts == []
    assert lab.session.dialogue.left_out == 0


def test_a_context_that_is_too_small_for_summaries_is_an_error() -> None:
    lab = Lab(summing_up(), first=256, limit=256)
    lab.session.become(Dialogue(None, (turn(1),)))
    lab.session.fitting = Overflow("summarize")
    with pytest.raises(ContextExceededError, match="the context of 256 tokens is too small for summaries"):
        lab.ask("why?")


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("It is red. It is ta", "It is red."),
        ("It is 3.14 meters. And", "It is 3.14 meters."),
        ("Yes. But this sentence is never", "Yes. But this sentence is never …"),
        ("no end", "no end …"),
        ("", ""),
        ("これは赤い。それは", "これは赤い。"),
    ],
)
def test_a_text_that_is_cut_off_ends_with_a_sentence(text: str, whole: str) -> None:
    assert whole_sentences(text) == whole


def test_a_context_that_grows_grows_for_summaries_too() -> None:
    lab = Lab(summing_up(), first=512, limit=LIMIT)
    lab.session.become(LONG)
    lab.session.fitting = Overflow("summarize")
    answer, _ = lab.ask("why?")
    assert (answer.text, lab.session.dialogue.summary) == ("ok", "a summary.")
    assert max(engine.context_tokens for engine in lab.engines) <= LIMIT

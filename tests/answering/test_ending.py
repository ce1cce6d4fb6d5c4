"""Where answers end: at stop texts, at repetition, and not at the end of a context."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from phicli.answering.types import Ending, Notice
from phicli.chat_format.plain import Plain
from phicli.engine.closable import Closable
from phicli.engine.types import Chunk, Done, GenerationEvent
from tests.fakes.scripted_engine import SPECIAL_IDS, Script, ScriptedEngine
from tests.fakes.scripted_model import Lab

BRAKE = Ending(brake=True)


def said(text: str) -> Script:
    """An answer that goes on where the prompt already has a part of it."""
    return lambda prompt: text[len(prompt.rsplit("<|assistant|>", 1)[1]) :] + "<|end|>"


def test_a_stop_text_ends_the_answer_and_is_named() -> None:
    lab = Lab(said("one END two"), ending=Ending(("END", "two")))
    answer, _ = lab.ask("go")
    assert (answer.text, answer.finish_reason, answer.stopped_by) == ("one ", "stop", "END")
    assert answer.token_ids is None  # they would have the stop text among them
    assert answer.usage.completion_tokens == len("one END")
    assert lab.ask("go")[0].text == "one "


def test_a_stop_text_in_the_reasoning_ends_nothing() -> None:
    lab = Lab(said("<think>END?</think>one END"), reasoning=True, ending=Ending(("END",)))
    answer, _ = lab.ask("go")
    assert (answer.reasoning, answer.text, answer.stopped_by) == ("END?", "one ", "END")


def test_a_special_token_as_a_stop_text_is_meant_as_that_token() -> None:
    lab = Lab(said("one<|tool|>two"), ending=Ending(("<|tool|>",)))
    answer, _ = lab.ask("go")
    assert (answer.text, answer.finish_reason, answer.stopped_by) == ("one", "stop", "<|tool|>")


def test_a_stop_token_of_the_format_ends_an_answer_as_usual() -> None:
    answer, _ = Lab(said("one"), ending=Ending(("never",))).ask("go")
    assert (answer.text, answer.finish_reason, answer.stopped_by) == ("one", "stop", None)


@pytest.mark.parametrize("before", range(56, 62))
def test_a_stop_text_is_found_across_the_end_of_a_context(before: int) -> None:
    """The first context ends inside of it."""
    text = "".join(chr(ord("a") + place % 26) for place in range(before))
    lab = Lab(said(f"{text}#STOP# and more"), first=64, limit=1024, ending=Ending(("#STOP#",)))
    answer, _ = lab.ask("go")
    assert (answer.text, answer.stopped_by) == (text, "#STOP#")
    begun = Lab(said(f"{text}#STO and more"), first=64, limit=1024, ending=Ending(("#STOP#",)))
    assert begun.ask("go")[0].text == f"{text}#STO and more"


def test_the_beginning_of_a_stop_text_is_not_lost_where_the_limit_cuts() -> None:
    for text in ("fine\nUs", "fine\nUser"):
        lab = Lab(lambda _, text=text: f"{text}: all", format_for=lambda _: Plain(), max_tokens=len(text))
        answer, _ = lab.ask("go")
        assert (answer.text, answer.finish_reason) == (text, "length")


def test_an_answer_that_repeats_itself_is_ended() -> None:
    lab = Lab(said("so it is, " * 300), ending=BRAKE)
    answer, events = lab.ask("go")
    assert (answer.finish_reason, answer.stopped_by) == ("stop", "repetition")
    assert 200 <= answer.usage.completion_tokens == len(answer.text) < 300
    assert not any(isinstance(event, Notice) for event in events)
    assert lab.engines[0].stopped_early == 0  # it ended with its last event, with times and counts
    assert answer.timings is not None


def test_without_a_brake_nothing_is_ended() -> None:
    answer, _ = Lab(said("so it is, " * 300)).ask("go")
    assert (len(answer.text), answer.stopped_by) == (3000, None)


def test_the_context_does_not_grow_for_an_answer_that_repeats_itself() -> None:
    lab = Lab(said("```\n" + "0, " * 3000), first=300, limit=8192, ending=BRAKE)
    answer, _ = lab.ask("go")
    assert (answer.finish_reason, answer.stopped_by, answer.context_tokens) == ("stop", "repetition", 300)
    assert [engine.context_tokens for engine in lab.engines] == [300]


def test_up_to_the_usual_context_it_grows_for_code_that_repeats_itself() -> None:
    """One answer begins with a small context: an answer that ended there would be shorter than in a conversation."""
    code = "```\n" + "0, " * 300 + "\n```"
    lab = Lab(said(code), first=300, usual=1200, limit=8192, ending=BRAKE)
    answer, _ = lab.ask("go")
    assert (answer.text, answer.finish_reason, answer.stopped_by) == (code, "stop", None)
    assert [engine.context_tokens for engine in lab.engines] == [300, 600, 1200]
    endless = Lab(said("```\n" + "0, " * 3000), first=300, usual=1200, limit=8192, ending=BRAKE)
    answer, _ = endless.ask("go")
    assert (answer.stopped_by, answer.context_tokens) == ("repetition", 1200)


def test_reasoning_that_repeats_itself_is_ended() -> None:
    answer, _ = Lab(said("<think>" + "wait, " * 100), reasoning=True, ending=BRAKE).ask("go")
    assert (answer.text, answer.stopped_by) == ("", "repetition")


class HidesIds(ScriptedEngine):
    """It does not tell the ids of the characters in ``hidden``, as llama.cpp with characters of several tokens."""

    hidden = "é"

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.ids: list[tuple[int, ...]] = []

    def generate(self, prompt: Sequence[int], *more: Any, **named: Any) -> Closable[GenerationEvent]:
        self.ids.append(tuple(prompt))
        return Closable(lambda _: self._hiding(super(HidesIds, self).generate(prompt, *more, **named)))

    def _hiding(self, generation: Closable[GenerationEvent]) -> Generator[GenerationEvent, None, None]:
        for event in generation:
            if (isinstance(event, Chunk) and event.text in self.hidden and event.text) or isinstance(event, Done):
                yield replace(event, token_ids=None)
            else:
                yield event


def test_only_text_whose_ids_are_unknown_is_tokenized_again() -> None:
    """A special token of the answer stays one: as text it would be another prompt."""
    call = '<|tool_call|>[{"name": "f", "arguments": {"where": "' + "é" * 60 + '"}}]<|/tool_call|>'
    lab = Lab(said(call), first=64, limit=1024, tools="[]", make=lambda size: HidesIds(said(call), context_tokens=size))
    answer, _ = lab.ask("go")
    assert answer.tool_calls[0].arguments == {"where": "é" * 60}
    first, second = lab.engines
    assert isinstance(first, HidesIds)
    assert isinstance(second, HidesIds)
    assert second.ids[0][: len(first.ids[0]) + 1] == (*first.ids[0], SPECIAL_IDS["<|tool_call|>"])
    assert len(second.ids[0]) == 64

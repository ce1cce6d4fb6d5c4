"""Wrong tool calls in a conversation: they are fed back once, with the error."""

from __future__ import annotations

from phicli.answering.types import Answer, Notice, Undecided
from phicli.chat_format.types import Message, ToolCall
from tests.fakes.scripted_model import Lab

TOOLS = '[{"name": "f"}]'
BROKEN = "<|tool_call|>[{oops}]<|/tool_call|>"
WRONG = '<|tool_call|>[{"name": "g", "arguments": {}}, {"name": "f", "arguments": {}}]<|/tool_call|>'
RIGHT = '<|tool_call|>[{"name": "f", "arguments": {}}]<|/tool_call|>'


def lab(*answers: str) -> Lab:
    """Whose model gives these answers; its session takes any call of g, and any text with a marker, for wrong."""
    left = iter(answers)
    made = Lab(lambda _: f"{next(left)}<|end|>", tools=TOOLS)

    def wrong(answer: Answer) -> str | None:
        unknown = any(call.name == "g" for call in answer.tool_calls)
        return "no g" if unknown else "unreadable" if "<|tool_call|>" in answer.text else None

    made.session.check = wrong
    return made


def test_a_right_call_is_not_asked_for_again() -> None:
    here = lab(RIGHT)
    answer, events = here.ask("go")
    assert answer.tool_calls == (ToolCall("f", {}),)
    assert len(here.engines[0].prompts) == 1
    assert not [event for event in events if isinstance(event, Notice)]
    assert here.session.rejected is None


def test_a_wrong_call_is_fed_back_with_a_result_for_each_call() -> None:
    here = lab(WRONG, RIGHT)
    answer, events = here.ask("go")
    assert answer.tool_calls == (ToolCall("f", {}),)
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "the model made a wrong tool call: no g; it is asked again"
    ]
    error = '<|tool_response|>{"error": "no g"}<|end|>'
    assert here.engines[0].prompts[1] == f"{here.engines[0].prompts[0]}{WRONG}<|end|>{error}{error}<|assistant|>"
    assert here.session.rejected == "no g"
    replies = here.session.dialogue.turns[-1].replies
    assert [message.role for message in replies] == ["assistant", "tool", "tool", "assistant"]
    assert here.session.dialogue.turns[-1].steps == ()


def test_a_call_that_cannot_be_read_stays_text_and_is_fed_back() -> None:
    here = lab(BROKEN, "Done.")
    answer, _ = here.ask("go")
    assert answer.text == "Done."
    assert here.session.dialogue.turns[-1].replies[:2] == (
        Message("assistant", BROKEN, (), here.session.dialogue.turns[-1].replies[0].token_ids),
        Message("tool", '{"error": "unreadable"}'),
    )


def test_it_is_fed_back_only_once() -> None:
    here = lab(WRONG, WRONG, RIGHT)
    answer, _ = here.ask("go")
    assert {call.name for call in answer.tool_calls} == {"f", "g"}
    assert len(here.engines[0].prompts) == 2


def test_steps_that_came_before_are_sent_and_kept() -> None:
    here = lab("Sunny.")
    steps = (Message("assistant", "", (ToolCall("f", {}),)), Message("tool", "sun"))
    *_, answer = here.session.ask("go", (), steps)
    assert isinstance(answer, Answer)
    assert f"{RIGHT}<|end|><|tool_response|>sun<|end|><|assistant|>" in here.engines[0].prompts[0]
    assert here.session.dialogue.turns[-1].replies == (*steps, answer.message)


def test_an_interruption_while_it_is_fed_back_keeps_what_was_said() -> None:
    here = lab(WRONG, "Sunny weather.")
    stream = here.session.ask("go")
    for event in stream:
        if getattr(event, "text", "").startswith("S"):
            break
    stream.close()
    turn = here.session.dialogue.turns[-1]
    assert [message.role for message in turn.replies] == ["assistant", "tool", "tool", "assistant"]
    assert turn.replies[-1].content.startswith("S")


def test_a_call_that_begins_with_its_token_is_one_also_in_code() -> None:
    here = lab(f"Like `this:\n```json\n{RIGHT}\n```")
    answer, _ = here.ask("go")
    assert (answer.tool_calls, answer.text) == ((ToolCall("f", {}),), "Like `this:\n```json\n```")
    assert answer.finish_reason == "tool_calls"


def test_a_person_sees_that_a_call_is_being_made() -> None:
    _, events = lab(RIGHT).ask("go")
    counts = [event.tokens for event in events if isinstance(event, Undecided)]
    assert counts == sorted(set(counts))
    assert len(counts) > 10

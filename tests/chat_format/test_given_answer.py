"""Answers that are given: what stands behind the prompt is what the model would have written."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from phicli.answering.encode import encode
from phicli.answering.special_tokens import SpecialTokens
from phicli.chat_format import format_by_name
from phicli.chat_format.file_template import FileTemplate
from phicli.chat_format.given_answer import given_answer
from phicli.chat_format.types import Message, Segment, Special, Text, ToolCall

ASKED = (Message("user", "q"),)
LITERALS = ("<|user|>", "<|assistant|>", "<|end|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>", "<|tool_call|>",
            "<|/tool_call|>")  # fmt: skip
PLAIN = SpecialTokens(dict(enumerate(LITERALS, 1)))
THINKING = SpecialTokens({**PLAIN.literals, 20: "<think>", 21: "</think>"})


class Characters:
    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        del parse_special
        return tuple(1000 + ord(letter) for letter in text)


def ids_of(name: str, content: str, specials: SpecialTokens = PLAIN, calls: Sequence[ToolCall] = ()) -> str:
    """The ids behind the prompt, special ones in brackets."""
    prompt_format = format_by_name(name, reasoning=True)
    prompt = prompt_format.render(ASKED)
    whole = (*prompt, *given_answer(prompt_format, Message("assistant", content, tuple(calls)), None))
    ids = encode(whole, Characters(), specials)[len(encode(prompt, Characters(), specials)) :]
    return "".join(chr(one - 1000) if one >= 1000 else f"[{specials.literals[one]}]" for one in ids)


@pytest.mark.parametrize(
    ("name", "end"), [("phi-4-mini", "<|end|>"), ("phi-3", "<|end|>"), ("phi-3-folded", "<|end|>"),
                      ("phi-4", "<|im_end|>")]
)  # fmt: skip
def test_an_answer_ends_with_the_token_that_ends_it(name: str, end: str) -> None:
    assert ids_of(name, "A b.\n") == f"A b.\n[{end}]"
    assert ids_of(name, "") == f"[{end}]"


@pytest.mark.parametrize("name", ["phi-4-mini", "phi-4"])
def test_tags_around_reasoning_are_tokens_where_the_file_has_them(name: str) -> None:
    end = "[<|end|>]" if name == "phi-4-mini" else "[<|im_end|>]"
    answer = "<think>\nHm. Is </think a tag?\n</think>\n\nfour"
    assert ids_of(name, answer) == answer + end
    assert ids_of(name, answer, THINKING) == f"[<think>]{answer[7:-14]}[</think>]\n\nfour{end}"


@pytest.mark.parametrize(
    "answer", ["a <think> tag and a </think> tag", "<think>never closed", "<think>nothing behind</think>", "</think>x"]
)
def test_in_other_text_tags_are_text(answer: str) -> None:
    assert ids_of("phi-4", answer, THINKING) == f"{answer}[<|im_end|>]"


def test_calls_of_tools_are_a_part_of_the_answer() -> None:
    found = ids_of("phi-4-mini", "I ask.", calls=(ToolCall("add", {"a": 1}),))
    assert found == 'I ask.[<|tool_call|>][{"name": "add", "arguments": {"a": 1}}][<|/tool_call|>][<|end|>]'


def segments(prompt_format: object, end_id: int | None = 7) -> list[Segment]:
    given = given_answer(prompt_format, Message("assistant", "yes"), end_id)  # type: ignore[arg-type]
    return [one for one in given if one != Text("")]


def test_formats_without_such_a_token_end_with_that_of_a_text() -> None:
    assert segments(format_by_name("completion-qa")) == [Text(" yes"), Text("", (7,))]
    assert segments(format_by_name("plain")) == [Text(" yes"), Text("", (7,))]
    assert segments(format_by_name("completion")) == [Text("yes"), Text("", (7,))]
    assert segments(FileTemplate(lambda _: "")) == [Text("yes"), Text("", (7,))]
    assert segments(FileTemplate(lambda _: ""), None) == [Text("yes")]
    assert Special("<|end|>") not in segments(format_by_name("plain"))

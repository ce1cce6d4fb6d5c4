"""Encoding, with tokenisers small enough to see through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phicli.answering.encode import encode, least_tokens
from phicli.answering.special_tokens import SpecialTokens, is_harmless
from phicli.chat_format.types import Special, Template, Text
from phicli.errors import IntegrityError

USER, END, BEGIN = 1001, 1002, 1003
SPECIALS = SpecialTokens({USER: "<|user|>", END: "<|end|>", BEGIN: "<s>"})


class Letters:
    """One id a character; literals in ``parsed`` become one id whatever ``parse_special`` says."""

    def __init__(self, parsed: dict[str, int] | None = None) -> None:
        self.parsed = parsed or {}
        self.asked: list[str] = []

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        assert not parse_special
        self.asked.append(text)
        ids: list[int] = []
        while text:
            literal = next((literal for literal in self.parsed if text.startswith(literal)), None)
            ids.append(self.parsed[literal] if literal else ord(text[0]))
            text = text[len(literal or text[0]) :]
        return tuple(ids)


def letters(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


def test_adjacent_text_is_tokenised_as_one():
    tokenizer = Letters()
    ids = encode((Special("<|user|>"), Text("ab"), Text(""), Text("cd"), Special("<|end|>")), tokenizer, SPECIALS)
    assert ids == (USER, *letters("abcd"), END)
    assert tokenizer.asked == ["abcd"]


def test_known_ids_are_a_boundary_and_used_as_they_are():
    tokenizer = Letters()
    ids = encode((Text("ab"), Text("whatever", (7, 8)), Text("cd"), Text("e")), tokenizer, SPECIALS)
    assert ids == (*letters("ab"), 7, 8, *letters("cde"))
    assert tokenizer.asked == ["ab", "cde"]


def test_known_ids_that_are_empty_are_nothing():
    assert encode((Text("ab"), Text("", ()), Text("c")), Letters(), SPECIALS) == letters("abc")


def test_a_stop_token_at_the_end_of_known_ids_is_not_repeated():
    segments = (Text("", (7, END)), Special("<|end|>"), Special("<|end|>"))
    assert encode(segments, Letters(), SPECIALS) == (7, END, END)
    assert encode((Text("", (7, END)), Template("<|end|>\n")), Letters(), SPECIALS) == (7, END, ord("\n"))


def test_white_space_behind_a_stripping_token_is_dropped():
    segments = (Special("<|user|>", strips_after=True), Text("\n"), Text("\u3000 a\n"), Special("<|end|>"), Text(" b"))
    assert encode(segments, Letters(), SPECIALS) == (USER, *letters("a\n"), END, *letters(" b"))


def test_stripping_leaves_known_ids_alone():
    segments = (Special("<|user|>", strips_after=True), Text("\n"), Text(" a", (32, 97)))
    assert encode(segments, Letters(), SPECIALS) == (USER, 32, 97)


def test_a_missing_special_token_is_an_integrity_error():
    with pytest.raises(IntegrityError, match=r"<\|im_start\|>"):
        encode((Special("<|im_start|>"),), Letters(), SPECIALS)


def test_a_missing_optional_token_is_spelled():
    tokenizer = Letters()
    assert encode((Text("a"), Special("<think>", optional=True), Text("b")), tokenizer, SPECIALS) == letters(
        "a<think>b"
    )
    assert tokenizer.asked == ["a<think>b"]
    assert encode((Special("<|user|>", optional=True),), tokenizer, SPECIALS) == (USER,)


@pytest.mark.parametrize("text", ["<|user|>", "a<|user|><|user|>b", "<|us<|user|>er|>", "<|user|><|end|>"])
def test_a_special_token_in_text_is_cut(text):
    tokenizer = Letters({"<|user|>": USER, "<|end|>": END})
    assert encode((Text(text),), tokenizer, SPECIALS) == letters(text)


def test_a_literal_that_comes_about_by_cutting_another_is_cut_too():
    specials = SpecialTokens({1: "ab", 2: "bc"})
    assert encode((Text("xabc"),), Letters({"ab": 1, "bc": 2}), specials) == letters("xabc")


def test_a_tokeniser_that_changes_text_before_parsing_is_no_way_round():
    class Folding(Letters):
        def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
            return super().tokenize(text.replace("\uff1c", "<").replace("\uff1e", ">"), parse_special=parse_special)

    ids = encode((Text("a\uff1c|user|\uff1eb"),), Folding({"<|user|>": USER}), SPECIALS)
    assert ids == letters("a<|user|>b")


def test_what_cannot_be_cut_ends():
    class Stubborn(Letters):
        def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
            return (USER,) * len(text)

    assert encode((Text("abc"),), Stubborn(), SPECIALS) == (USER,) * 3


def test_the_token_for_unknown_characters_is_no_forgery():
    specials = SpecialTokens({0: "<unk>", USER: "<|user|>"}, unknown_id=0)
    tokenizer = Letters({"é": 0})
    assert encode((Text("aéb"),), tokenizer, specials) == (97, 0, 98)
    assert tokenizer.asked == ["aéb"]


def test_the_token_for_unknown_characters_can_be_forged_by_its_literal_though():
    specials = SpecialTokens({END: "<|end|>"}, unknown_id=END)
    tokenizer = Letters({"<|end|>": END, "é": END})
    assert encode((Text("a<|end|>é"),), tokenizer, specials) == (*letters("a<|end|>"), END)


@pytest.mark.parametrize("literal", [" ", "  ", "\n\n", "\t", "▁▁", "�", "x"])
def test_harmless(literal):
    assert is_harmless(literal)
    specials = SpecialTokens({5: literal})
    assert encode((Text(f"a{literal}b"),), Letters({literal: 5}), specials) == (97, 5, 98)


def test_markers_are_not_harmless():
    assert not is_harmless("<|end|>")
    assert not is_harmless("[/INST]")


def test_the_space_of_sentencepiece_is_taken_off_behind_a_cut():
    class Prefixing(Letters):
        def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
            return super().tokenize(f" {text}", parse_special=parse_special)

    specials = SpecialTokens({USER: "<|user|>"}, space_prefix=True)
    ids = encode((Text("a<|user|>b"),), Prefixing({"<|user|>": USER}), specials)
    assert ids == letters(" a<|user|>b")


def test_begin_of_text():
    assert encode((Text("a"),), Letters(), SPECIALS, bos_id=BEGIN) == (BEGIN, 97)
    assert encode((Template("<s>a"),), Letters(), SPECIALS, bos_id=BEGIN) == (BEGIN, 97)
    assert encode((), Letters(), SPECIALS, bos_id=BEGIN) == (BEGIN,)
    assert encode((Text("<s>"),), Letters(), SPECIALS, bos_id=BEGIN) == (BEGIN, *letters("<s>"))


def test_specials_of_a_template_are_parsed_and_its_text_joins_the_contents():
    tokenizer = Letters()
    segments = (Template("<|user|>said: "), Text("<|end|>x"), Template("!<|end|>\n"))
    ids = encode(segments, tokenizer, SPECIALS)
    assert ids == (USER, *letters("said: <|end|>x!"), END, ord("\n"))
    assert tokenizer.asked == ["said: <|end|>x!", "\n"]


def test_the_longest_special_of_a_template_wins():
    specials = SpecialTokens({1: "<|im|>", 2: "<|im|>user"})
    assert encode((Template("<|im|>user<|im|>"),), Letters(), specials) == (2, 1)


def test_metadata_says_how_the_engine_tokenises():
    literals = {1: "<s>", 2: "<|end|>"}
    phi3 = SpecialTokens.from_metadata(literals, tokenizer_model="llama", strips=True)
    assert phi3.space_prefix
    assert phi3.strips_after == {2}
    assert encode((Template("<|end|>\nx"),), Letters(), phi3) == (2, ord("x"))
    assert encode((Template("<s>\nx"),), Letters(), phi3) == (1, *letters("\nx"))
    other = SpecialTokens.from_metadata(literals, tokenizer_model="gpt2")
    assert not other.space_prefix
    assert not other.strips_after
    without = SpecialTokens.from_metadata(literals, tokenizer_model="llama", add_space_prefix=False)
    assert not without.space_prefix


SEGMENTS = st.one_of(
    st.sampled_from([Special("<|user|>"), Special("<|end|>"), Special("<|end|>", strips_after=True)]),
    st.builds(Text, st.sampled_from(["", " ", "ab"])),
    st.builds(Text, st.just("x"), st.sampled_from([(), (7,), (7, END), (END,)])),
    st.builds(Template, st.sampled_from(["", "a<|user|>b", " <|end|>\n"])),
)


@given(st.lists(SEGMENTS, max_size=8))
def test_a_prompt_has_at_least_the_tokens_that_are_known_without_an_engine(segments):
    least = least_tokens(segments, SPECIALS)
    assert least <= len(encode(segments, Letters(), SPECIALS))
    markers = sum(isinstance(segment, Special) for segment in segments)
    ends = sum(bool(segment.token_ids) for segment in segments if isinstance(segment, Text))
    assert least >= markers - ends

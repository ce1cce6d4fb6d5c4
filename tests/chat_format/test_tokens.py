"""Formats and encoding together, on the engine's tokeniser: exact without specials, safe with them."""

from __future__ import annotations

import pytest

from phicli.answering.encode import encode
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message, Special, Text, ToolCall
from tests.support import official
from tests.support.conversations import FORGED, HOSTILE_TEXTS, ORDINARY, random_conversation, random_text, seeded
from tests.support.segments import segment_text
from tests.support.vocabularies import Vocabulary, byte_level, sentencepiece

BYTE_LEVEL = tuple(byte_level(marks) for marks in ("control", "user_defined", "normal", "unused"))
PHI3_NAMED = (sentencepiece("control", name="Phi-3 mini"), sentencepiece("user_defined", name="Phi-3 mini"))
OTHER_NAMED = tuple(sentencepiece(marks, name="Other") for marks in ("control", "user_defined", "normal"))
ALL = BYTE_LEVEL[:3] + PHI3_NAMED + OTHER_NAMED
RANDOM = tuple(random_conversation(seeded(seed), specials=False) for seed in range(40))
FORMATS = ("phi-3", "phi-3-folded", "phi-4", "phi-4-mini", "completion-qa", "plain")


def by_name(vocabulary: Vocabulary) -> str:
    return f"{vocabulary.model} {vocabulary.name} {vocabulary.types[vocabulary.id('<|user|>')]}"


@pytest.mark.parametrize("vocabulary", BYTE_LEVEL[:2], ids=by_name)
@pytest.mark.parametrize(("name", "template"), [("phi-4", official.PHI4), ("phi-4-mini", official.PHI4_MINI)])
def test_tokens_equal_the_official_text_on_byte_level_vocabularies(tokenizing_engine, vocabulary, name, template):
    engine = tokenizing_engine(vocabulary)
    for messages in ORDINARY + RANDOM:
        text = official.render_official(template, messages)
        ids = encode(format_by_name(name).render(messages), engine, vocabulary.special_tokens)
        assert ids == engine.tokenize(text, parse_special=True), text


@pytest.mark.parametrize("vocabulary", PHI3_NAMED, ids=by_name)
def test_tokens_equal_the_official_text_on_phi3_vocabularies(tokenizing_engine, vocabulary):
    engine = tokenizing_engine(vocabulary)
    for messages in ORDINARY + RANDOM:
        text = official.render_official(official.PHI3, messages)
        ids = encode(format_by_name("phi-3").render(messages), engine, vocabulary.special_tokens)
        assert ids == engine.tokenize(text, parse_special=True), text


@pytest.mark.parametrize(("named", "other"), list(zip(PHI3_NAMED, OTHER_NAMED[:2], strict=True)))
def test_phi3_tokens_do_not_depend_on_the_name_in_the_file(tokenizing_engine, named, other):
    for messages in ORDINARY + RANDOM:
        segments = format_by_name("phi-3").render(messages)
        expected = encode(segments, tokenizing_engine(named), named.special_tokens)
        assert encode(segments, tokenizing_engine(other), other.special_tokens) == expected
        assert named.tokens.index("<0x0A>") not in expected[-2:]


@pytest.mark.parametrize("vocabulary", BYTE_LEVEL[2:], ids=by_name)
def test_tokens_do_not_depend_on_how_the_file_marks_them(tokenizing_engine, vocabulary):
    marked = BYTE_LEVEL[0]
    assert vocabulary.tokens == marked.tokens
    for messages in ORDINARY + RANDOM:
        segments = format_by_name("phi-4-mini").render(messages)
        expected = encode(segments, tokenizing_engine(marked), marked.special_tokens)
        assert encode(segments, tokenizing_engine(vocabulary), vocabulary.special_tokens) == expected


def test_a_round_of_tools_has_the_official_tokens(tokenizing_engine):
    vocabulary = BYTE_LEVEL[0]
    engine = tokenizing_engine(vocabulary)
    messages = [
        Message("system", "S"),
        Message("user", "weather"),
        Message("assistant", "", (ToolCall("f", {"city": "Paris"}),)),
        Message("tool", "[12]"),
    ]
    segments = format_by_name("phi-4-mini").render(messages, tools='[{"name": "f"}]')
    ids = encode(segments, engine, vocabulary.special_tokens)
    assert ids == engine.tokenize(segment_text(segments), parse_special=True)


def in_every_place(text: str) -> tuple[list[Message], str]:
    messages = [
        Message("system", text),
        Message("user", f"a file:\n{text}"),
        Message("assistant", text, (ToolCall(text, {text: [text]}),)),
        Message("tool", text),
        Message("user", text),
    ]
    return messages, f'[{{"name": "{text}"}}]'


@pytest.mark.parametrize("vocabulary", ALL, ids=by_name)
def test_forged_specials_stay_text_everywhere(tokenizing_engine, vocabulary):
    engine, specials = tokenizing_engine(vocabulary), vocabulary.special_tokens
    generator = seeded(4)
    for text in (*HOSTILE_TEXTS, *(random_text(generator, specials=True) for _ in range(25))):
        messages, tools = in_every_place(text)
        segments = format_by_name("phi-4-mini").render(messages, tools=tools)
        ids = encode(segments, engine, specials)
        own = [vocabulary.id(segment.literal) for segment in segments if isinstance(segment, Special)]
        assert [token_id for token_id in ids if token_id in specials.guarded] == own
        assert own == [
            vocabulary.id(segment.literal)
            for segment in format_by_name("phi-4-mini").render(in_every_place("x")[0], tools=tools)
            if isinstance(segment, Special)
        ]


@pytest.mark.parametrize("vocabulary", ALL, ids=by_name)
@pytest.mark.parametrize("name", FORMATS)
def test_forged_specials_stay_text_in_every_format(tokenizing_engine, vocabulary, name):
    engine, specials = tokenizing_engine(vocabulary), vocabulary.special_tokens
    prompt_format = format_by_name(name, reasoning=True)
    for text in HOSTILE_TEXTS:
        messages = [Message("system", FORGED), Message("user", text), Message("assistant", text), Message("user", text)]
        segments = prompt_format.render(messages)
        ids = encode(segments, engine, specials)
        own = [vocabulary.id(segment.literal) for segment in segments if isinstance(segment, Special)]
        assert [token_id for token_id in ids if token_id in specials.guarded] == own


@pytest.mark.parametrize("vocabulary", ALL, ids=by_name)
def test_text_comes_back_to_the_byte(tokenizing_engine, vocabulary):
    engine, specials = tokenizing_engine(vocabulary), vocabulary.special_tokens
    generator = seeded(7)
    for text in (*HOSTILE_TEXTS, *(random_text(generator, specials=True) for _ in range(150))):
        ids = encode((Special("<|user|>"), Text(text), Special("<|end|>")), engine, specials)
        assert not set(ids[1:-1]) & set(specials.guarded)
        decoded = vocabulary.decode(ids[1:-1]).decode()
        assert decoded == (f" {text}" if specials.space_prefix else text)


@pytest.mark.parametrize("vocabulary", ALL, ids=by_name)
def test_text_behind_an_earlier_answer_gains_no_space(tokenizing_engine, vocabulary):
    engine, specials = tokenizing_engine(vocabulary), vocabulary.special_tokens
    answer = engine.tokenize("Paris", parse_special=False)
    for text in ("\nhello", "hello", "\n\nx", "<|end|>"):
        ids = encode((Text("Paris", answer), Text(text)), engine, specials)
        assert vocabulary.decode(ids).decode().lstrip() == f"Paris{text}"
        assert not set(ids) & set(specials.guarded)


def test_runs_of_spaces_are_used_where_a_vocabulary_has_them(tokenizing_engine):
    vocabulary = BYTE_LEVEL[1]
    engine = tokenizing_engine(vocabulary)
    code = "def f():\n    return 1\n"
    ids = encode(format_by_name("completion").render([Message("user", code)]), engine, vocabulary.special_tokens)
    assert ids == engine.tokenize(code, parse_special=False)
    assert vocabulary.id("    ") in ids


def test_a_single_character_that_is_marked_special_stays_usable(tokenizing_engine):
    vocabulary = BYTE_LEVEL[1]
    ids = encode((Text("a�b"),), tokenizing_engine(vocabulary), vocabulary.special_tokens)
    assert vocabulary.decode(ids).decode() != ""
    assert len(ids) == 3


def test_the_tags_of_phi4_reasoning_are_tokens_in_the_system_message_alone(tokenizing_engine):
    vocabulary = BYTE_LEVEL[0]
    prompt_format = format_by_name("phi-4", reasoning=True)
    messages = [Message("system", "Use <think> and </think>."), Message("user", "<think> hello")]
    ids = encode(prompt_format.render(messages), tokenizing_engine(vocabulary), vocabulary.special_tokens)
    assert ids.count(vocabulary.id("<think>")) == ids.count(vocabulary.id("</think>")) == 1

"""Files with their own template: contents never pass through it."""

from __future__ import annotations

import jinja2
import pytest

from phicli.answering.encode import encode
from phicli.chat_format.file_template import FileTemplate
from phicli.chat_format.types import Message, Template, Text
from phicli.errors import TemplateError, UsageError
from tests.support.conversations import FORGED, HOSTILE_TEXTS, ORDINARY, random_conversation, seeded
from tests.support.segments import segment_text
from tests.support.vocabularies import byte_level, sentencepiece

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a default.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TRIMMING = CHATML.replace("message['content']", "message['content'] | trim")
REFUSING = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHATML
)
DROPPING = (
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}{{ '<|assistant|>' }}"
)
BRACKETS = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'] | trim + ' </s>' }}{% else %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% endif %}{% endfor %}"
)
CONVERSATION = (
    Message("system", "Be kind"),
    Message("user", "hello"),
    Message("assistant", "hi"),
    Message("user", "x"),
)


def renderer(template: str):
    def raise_exception(text: str) -> str:
        raise TemplateError(text)

    def render(messages: list[dict[str, str]]) -> str:
        made = jinja2.Environment(autoescape=False).from_string(template)  # noqa: S701 (no HTML)
        return made.render(
            messages=messages, add_generation_prompt=True, raise_exception=raise_exception, bos_token="<s>"
        )

    return render


def as_dictionaries(messages):
    return [{"role": message.role, "content": message.content} for message in messages]


@pytest.mark.parametrize("template", [CHATML, TRIMMING, BRACKETS])
@pytest.mark.parametrize(
    "messages", [CONVERSATION, *ORDINARY[:4], (Message("user", FORGED),), (Message("user", " \n x\t "),)]
)
def test_the_segments_spell_what_the_template_makes(template, messages):
    segments = FileTemplate(renderer(template)).render(messages)
    assert segment_text(segments) == renderer(template)(as_dictionaries(messages))


def test_contents_are_text_and_the_rest_is_template():
    segments = FileTemplate(renderer(CHATML)).render([Message("user", FORGED)])
    assert segments == (
        Template("<|im_start|>system\nYou are a default.<|im_end|>\n<|im_start|>user\n"),
        Text(FORGED),
        Template("<|im_end|>\n<|im_start|>assistant\n"),
    )


@pytest.mark.parametrize("template", [REFUSING, DROPPING])
def test_a_template_without_a_system_role_gets_the_text_in_the_user_message(template):
    text = segment_text(FileTemplate(renderer(template)).render(CONVERSATION))
    assert "Be kind\nhello" in text


def test_an_empty_system_message_is_left_out():
    text = segment_text(FileTemplate(renderer(CHATML)).render([Message("system", ""), Message("user", "x")]))
    assert "You are a default." in text


def test_ids_of_an_earlier_answer_are_kept():
    messages = [Message("user", "x"), Message("assistant", "y", token_ids=(5,)), Message("user", "z")]
    assert Text("y", (5,)) in FileTemplate(renderer(CHATML)).render(messages)


@pytest.mark.parametrize(
    "template",
    [
        CHATML.replace("message['content']", "message['content'] | upper"),
        CHATML.replace("message['content']", "message['content'][:5]"),
        CHATML.replace("message['content']", "message['content'] + message['content']"),
        "{{ messages[-1]['content'] }}",
        "{% for message in messages | reverse %}{{ message['content'] }}{% endfor %}",
        "{{ raise_exception('broken') }}",
    ],
)
def test_a_template_that_alters_what_is_said_is_refused(template):
    with pytest.raises(TemplateError):
        FileTemplate(renderer(template)).render(CONVERSATION)


def test_the_reason_of_a_failing_template_is_told():
    with pytest.raises(TemplateError, match="roles must alternate"):
        FileTemplate(renderer("{{ raise_exception('roles must alternate') }}")).render([Message("user", "x")])


def test_tools_are_refused():
    with pytest.raises(UsageError):
        FileTemplate(renderer(CHATML)).render([Message("user", "x")], tools="[]")


@pytest.mark.parametrize("template", [CHATML, TRIMMING, REFUSING, DROPPING])
@pytest.mark.parametrize(
    "vocabulary",
    [
        byte_level("control"),
        byte_level("user_defined"),
        sentencepiece("control", name="Other"),
        sentencepiece("user_defined", name="Other"),
        sentencepiece("control", name="A Phi-3 finetune"),
    ],
    ids=lambda vocabulary: f"{vocabulary.name}",
)
def test_tokens_equal_the_engines_own(tokenizing_engine, vocabulary, template):
    engine = tokenizing_engine(vocabulary, template)
    file_template = FileTemplate(engine.render_template)
    conversations = [random_conversation(seeded(seed), specials=False, system=False) for seed in range(25)]
    if template in (CHATML, TRIMMING):
        conversations += [CONVERSATION, *ORDINARY[:4]]
    for messages in conversations:
        official = engine.render_template(as_dictionaries(messages))
        expected = engine.tokenize(official, parse_special=True)
        assert encode(file_template.render(messages), engine, vocabulary.special_tokens) == expected


@pytest.mark.parametrize("special_type", ["control", "user_defined"])
@pytest.mark.parametrize("template", [CHATML, TRIMMING, REFUSING])
def test_forged_specials_stay_text_in_a_files_own_template(tokenizing_engine, special_type, template):
    vocabulary = byte_level(special_type)
    engine = tokenizing_engine(vocabulary, template)
    specials = vocabulary.special_tokens
    file_template = FileTemplate(engine.render_template)
    expected = encode(file_template.render([Message("system", "s"), Message("user", "u")]), engine, specials)
    for text in HOSTILE_TEXTS:
        ids = encode(file_template.render([Message("system", text), Message("user", text)]), engine, specials)
        assert [i for i in ids if i in specials.guarded] == [i for i in expected if i in specials.guarded]
        assert vocabulary.decode(ids).decode().count(text) == 2


def test_an_imported_answer_loses_its_reasoning():
    """Where a model may reason; its ids are used as they are."""
    said = (Message("user", "2+2?"), Message("assistant", "<think>\nhm\n</think>\n\n4"), Message("user", "x"))
    assert "hm" not in segment_text(FileTemplate(renderer(CHATML)).render(said))
    assert "hm" in segment_text(FileTemplate(renderer(CHATML), reasoning=False).render(said))

"""Files that llama.cpp answers rightly, or would if it did not look at what ``phi`` never uses."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from phicli.answering.encode import encode
from phicli.answering.model_file import special_tokens_of
from phicli.answering.opening import open_model
from phicli.answering.pool import whole
from phicli.answering.types import Notice
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import Chunk, LoadSettings, Sampling
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.file_description import describe_file
from phicli.plan.label import is_mislabeled
from phicli.plan.load import Use
from phicli.plan.locate import locate
from tests.answering.test_byte_pairs import REAL
from tests.support.files import TINY_PHI
from tests.support.vocabularies import sentencepiece, write

CONVERSATIONS = json.loads((Path(__file__).parents[1] / "data" / "tiny_phi_conversations.json").read_text("utf-8"))
BROKEN = "{% for message in %}{{ broken "
QUESTION = [Message("user", "What is the capital of France?")]


def marked(kind: int | None) -> bytes:
    """tiny-phi with special tokens of this type; with none at all."""
    data, key = bytearray(TINY_PHI.read_bytes()), b"tokenizer.ggml.token_type"
    if kind is None:
        return bytes(data.replace(key, b"tokenizer.ggml.something"[: len(key)].ljust(len(key), b"x")))
    vocabulary = read_header(TINY_PHI).vocabulary
    assert vocabulary is not None
    first = data.index(key) + len(key) + 16
    for token_id in vocabulary.special_tokens:
        struct.pack_into("<i", data, first + 4 * token_id, kind)
    return bytes(data)


def with_string(key: bytes, value: str) -> bytes:
    """tiny-phi with another string of the same length under ``key``."""
    data = bytearray(TINY_PHI.read_bytes())
    at = data.index(key) + len(key) + 4
    length = struct.unpack_from("<Q", data, at)[0]
    data[at + 8 : at + 8 + length] = value.encode()[:length].ljust(length)
    return bytes(data)


FILES = {
    "normal": lambda: marked(1),
    "unused": lambda: marked(5),
    "byte": lambda: marked(6),
    "no types": lambda: marked(None),
    "broken template": lambda: with_string(b"tokenizer.chat_template", BROKEN),
    "named Phi-3": lambda: with_string(b"general.name", "my-phi-3"),
}


@pytest.mark.process
@pytest.mark.parametrize("name", FILES)
def test_the_answer_is_that_of_the_ordinary_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(FILES[name]())
    with open_model(locate(str(path)), ChatOptions(engine={"threads": 1}), Use.ONE_ANSWER) as opened:
        answer = whole(opened.model.answer(QUESTION, sampling=Sampling()))
    assert answer.text == "The capital of France is Paris."


@pytest.mark.process
def test_unused_tokens_of_an_answer_are_seen_where_they_mean_something(tmp_path: Path) -> None:
    """The engine has no text for them."""
    path = tmp_path / "model.gguf"
    path.write_bytes(FILES["unused"]())
    special, phi4_mini = special_tokens_of(read_header(path)), format_by_name("phi-4-mini")
    tools = next(known["tools"] for known in CONVERSATIONS if known["id"] == "tool-weather-paris")
    asked = [
        Message("system", "You are a helpful assistant with some tools."),
        Message("user", "What is the weather in Paris?"),
    ]
    engine = LlamaServerEngine(LoadSettings(path, 512, EngineSettings(threads=1)))
    try:
        prompt = encode(phi4_mini.render(asked, tools=tools), engine, special)
        visible = special.ids_of(phi4_mini.visible_tokens)
        events = list(engine.generate(prompt, Sampling(), visible_tokens=visible))
    finally:
        engine.close()
    text = "".join(event.text for event in events if isinstance(event, Chunk))
    assert text.startswith("<|tool_call|>[{")
    assert text.endswith("}]<|/tool_call|>")


@pytest.mark.process
def test_a_template_that_is_needed_and_cannot_be_parsed_gives_way_to_a_plain_prompt(tmp_path: Path) -> None:
    path = write(tmp_path / "model.gguf", REAL, chat_template=BROKEN)
    with open_model(locate(str(path)), ChatOptions(engine={"threads": 1}), Use.ONE_ANSWER) as opened:
        assert opened.plan.format.name == "template"
        events = list(opened.model.answer(QUESTION, sampling=Sampling(max_tokens=1)))
    notices = [event.text for event in events if isinstance(event, Notice)]
    said = "the chat template of this file fails: the engine cannot parse it; a plain prompt is used instead"
    assert notices == [said]


def test_whose_name_is_overridden(tmp_path: Path) -> None:
    """Not that of a Phi-3, which has the vocabulary that its name says."""
    phi3 = write(tmp_path / "phi3.gguf", sentencepiece("control", name="Phi-3 mini"))
    other = write(tmp_path / "other.gguf", sentencepiece("control", name="another model"))
    bpe = tmp_path / "bpe.gguf"
    bpe.write_bytes(FILES["named Phi-3"]())
    files = [read_header(path) for path in (phi3, other, bpe, TINY_PHI)]
    assert [is_mislabeled(file) for file in files] == [False, False, True, False]
    assert [bool(special_tokens_of(file).strips_after) for file in files] == [True, False, False, False]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("normal", "special tokens that the file does not mark as special: 11; their spelling identifies them"),
        (
            "no types",
            "special tokens that the file does not mark as special: 11; their spelling identifies them",
        ),
        (
            "named Phi-3",
            "general.name says Phi-3, but the vocabulary is not Phi-3's; phi gives the engine another name",
        ),
        ("broken template", None),
        ("unused", None),
    ],
)
def test_what_phi_show_notes(name: str, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(FILES[name]())
    vocabulary = describe_file(locate(str(path))).vocabulary
    assert vocabulary is not None
    *others, last = vocabulary.notes
    assert others == ([] if said is None else [said])
    assert last == "non-ASCII text is split by the model's own pattern, which differs from llama.cpp's"

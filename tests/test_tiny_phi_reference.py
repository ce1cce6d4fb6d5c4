"""tiny-phi, the toy model that proves an installation: the engine must compute what transformers computed.

The reference was written by ``python -m training.tiny_phi`` together with the model file.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gguf
import pytest

_ROOT = Path(__file__).parents[1]
_MODEL = _ROOT / "phicli" / "data" / "tiny-phi.gguf"
_DATA = Path(__file__).parent / "data"
_CONVERSATIONS: list[dict[str, Any]] = json.loads((_DATA / "tiny_phi_conversations.json").read_text(encoding="utf-8"))
_REFERENCE: dict[str, Any] = json.loads((_DATA / "tiny_phi_reference.json").read_text(encoding="utf-8"))
_ORIGINAL_CONTEXT, _CONTEXT = 256, 1024
_OPENERS = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>", "tool": "<|tool_response|>"}
_TOLERANCE = 0.05

_WORKER = """
import json, sys, xllamacpp
path, context_tokens = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = path
params.n_ctx = context_tokens
params.n_parallel = 1
params.n_batch = params.n_ubatch = 128
params.cpuparams.n_threads = 1
params.verbosity = 1
params.warmup = params.fit_params = params.ui = False
params.cache_ram_mib = 0
params.hostnames = ["127.0.0.1"]
params.port = 0
params.api_keys = ["k"]
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""

Post = Callable[[str, dict[str, Any]], dict[str, Any]]


class Engine:
    """What the tests need of an engine; ``post`` is one request to it."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        return self._post("/tokenize", {"content": text, "parse_special": parse_special})["tokens"]

    def detokenize(self, ids: list[int]) -> str:
        return self._post("/detokenize", {"tokens": ids})["content"]

    def special(self, literal: str) -> int:
        (token,) = self.tokenize(literal, parse_special=True)
        return token

    def generate(self, prompt: list[int], limit: int) -> tuple[list[int], list[dict[int, float]]]:
        """Greedy ids, the closing one included, and the log-probabilities of the likeliest tokens.

        The engine reports no log-probabilities for a token that ends inside a character.
        """
        request = {"prompt": prompt, "n_predict": limit, "temperature": 0, "n_probs": 40, "return_tokens": True}
        answer = self._post("/completion", request)
        ids = list(answer["tokens"])
        end = self.special("<|end|>")
        if answer["stop_type"] == "eos" and ids[-1:] != [end]:
            ids.append(end)
        steps = answer["completion_probabilities"]
        return ids, [{token["id"]: token["logprob"] for token in step["top_logprobs"]} for step in steps]


@pytest.fixture(scope="module")
def engine_of() -> Iterator[Callable[[int], Engine]]:
    """Engines by context size, each a child process started when first asked for."""
    running: dict[int, tuple[subprocess.Popen[str], Engine]] = {}

    def start(context_tokens: int) -> Engine:
        if context_tokens not in running:
            command = [sys.executable, "-c", _WORKER, json.dumps([str(_MODEL), context_tokens])]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            address = child.stdout.readline().strip()
            assert address, "the engine did not start"
            running[context_tokens] = child, Engine(_poster(address))
        return running[context_tokens][1]

    yield start
    for child, _ in running.values():
        child.kill()
        child.communicate()


def _poster(address: str) -> Post:
    parts = urlsplit(address)

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body).encode(), headers)
            return json.load(connection.getresponse())

    return post


def _content_ids(engine: Engine, message: dict[str, Any]) -> list[int]:
    if "tool_calls" not in message:
        return engine.tokenize(message["content"]) if message["content"] else []
    calls = message["content"].removeprefix("<|tool_call|>").removesuffix("<|/tool_call|>")
    return [engine.special("<|tool_call|>"), *engine.tokenize(calls), engine.special("<|/tool_call|>")]


def _turns(engine: Engine, conversation: dict[str, Any]) -> Iterator[tuple[list[int], list[int]]]:
    """Prompt ids and expected answer ids of each assistant message."""
    ids: list[int] = []
    for message in conversation["messages"]:
        ids.append(engine.special(_OPENERS[message["role"]]))
        content = _content_ids(engine, message)
        if message["role"] == "system" and conversation["tools"]:
            declared = engine.tokenize(conversation["tools"])
            content += [engine.special("<|tool|>"), *declared, engine.special("<|/tool|>")]
        content.append(engine.special("<|end|>"))
        if message["role"] == "assistant":
            yield list(ids), content
        ids += content


@pytest.mark.parametrize("sample", _REFERENCE["tokens"], ids=lambda sample: repr(sample["text"][:20]))
def test_text_has_the_tokens_of_the_reference(engine_of: Callable[[int], Engine], sample: dict[str, Any]) -> None:
    assert engine_of(_ORIGINAL_CONTEXT).tokenize(sample["text"]) == sample["ids"]


@pytest.mark.parametrize("prompt", _REFERENCE["prompts"], ids=lambda prompt: prompt["id"])
def test_engine_computes_what_transformers_computed(engine_of: Callable[[int], Engine], prompt: dict[str, Any]) -> None:
    engine = engine_of(prompt["context_tokens"])
    ids, candidates = engine.generate(prompt["prompt"], len(prompt["output"]) + 1)
    assert ids == prompt["output"]
    reported = [expected for expected, whole in zip(prompt["top"], prompt["whole"], strict=False) if whole]
    for expected, found in zip(reported, candidates, strict=False):
        for token, log_probability in expected:
            assert found[token] == pytest.approx(log_probability, abs=_TOLERANCE)


def test_file_has_the_features_that_make_phi_hard() -> None:
    reader = gguf.GGUFReader(_MODEL)
    fields = {
        name: field.contents() for name, field in reader.fields.items() if not name.startswith("tokenizer.ggml.m")
    }
    tensors = {tensor.name: list(tensor.shape) for tensor in reader.tensors}
    assert _MODEL.stat().st_size <= 4_000_000
    assert fields["general.architecture"] == "phi3"
    assert "proves an installation" in fields["general.description"]
    assert fields["phi3.rope.scaling.original_context_length"] == _ORIGINAL_CONTEXT
    assert fields["phi3.context_length"] == _CONTEXT
    scale = math.sqrt(1 + math.log(_CONTEXT / _ORIGINAL_CONTEXT) / math.log(_ORIGINAL_CONTEXT))
    assert fields["phi3.rope.scaling.attn_factor"] == pytest.approx(scale)
    assert fields["phi3.rope.dimension_count"] < fields["phi3.embedding_length"] // fields["phi3.attention.head_count"]
    assert fields["phi3.attention.head_count_kv"] < fields["phi3.attention.head_count"]
    assert {"blk.0.attn_qkv.weight", "rope_factors_long.weight", "rope_factors_short.weight"} <= set(tensors)
    assert tensors["blk.0.ffn_up.weight"] == [fields["phi3.embedding_length"], 2 * fields["phi3.feed_forward_length"]]
    assert "output.weight" not in tensors
    specials = [text for text in fields["tokenizer.ggml.tokens"] if text.startswith("<|") and text.endswith("|>")]
    control = [kind for kind in fields["tokenizer.ggml.token_type"] if kind == gguf.TokenType.CONTROL]
    assert len(specials) == len(control) == 11
    assert "<think>" not in fields["tokenizer.ggml.tokens"]


def test_reference_lies_on_both_sides_of_the_original_context() -> None:
    lengths = [len(prompt["prompt"]) for prompt in _REFERENCE["prompts"]]
    assert sum(length <= _ORIGINAL_CONTEXT for length in lengths) >= 6
    assert sum(length > _ORIGINAL_CONTEXT for length in lengths) >= 3


@pytest.mark.parametrize("conversation", _CONVERSATIONS, ids=lambda conversation: conversation["id"])
def test_conversation_is_answered_exactly(engine_of: Callable[[int], Engine], conversation: dict[str, Any]) -> None:
    for prompt, answer in _turns(engine_of(_ORIGINAL_CONTEXT), conversation):
        fits = len(prompt) + len(answer) <= _ORIGINAL_CONTEXT
        engine = engine_of(_ORIGINAL_CONTEXT if fits else _CONTEXT)
        assert engine.generate(prompt, len(answer) + 1)[0] == answer


@pytest.mark.parametrize("conversation", _CONVERSATIONS, ids=lambda conversation: conversation["id"])
def test_last_answer_is_the_same_in_the_largest_context(
    engine_of: Callable[[int], Engine], conversation: dict[str, Any]
) -> None:
    engine = engine_of(_CONTEXT)
    *_, (prompt, answer) = _turns(engine, conversation)
    assert engine.generate(prompt, len(answer) + 1)[0] == answer


def test_forged_system_turn_matters_only_where_it_is_parsed(engine_of: Callable[[int], Engine]) -> None:
    """The answers to both readings differ, so a client that parses user text is found out."""
    engine = engine_of(_ORIGINAL_CONTEXT)
    (forged,) = (c["messages"][0]["content"] for c in _CONVERSATIONS if c["id"] == "forged-pirate")
    opening, closing = [engine.special("<|user|>")], [engine.special("<|end|>"), engine.special("<|assistant|>")]
    as_text, _ = engine.generate(opening + engine.tokenize(forged) + closing, 60)
    as_specials, _ = engine.generate(opening + engine.tokenize(forged, parse_special=True) + closing, 60)
    assert "toy model" in engine.detokenize(as_text)
    assert "Arr, matey!" in engine.detokenize(as_specials)

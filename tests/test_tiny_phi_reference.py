"""tiny-phi, the toy model that proves an installation: the engine must compute what transformers computed.

Greedy tokens belong to a build of the engine: native kernels add in another order, so with those (``PHI_TEST_KERNELS``)
only the log-probabilities are compared, up to the first token that differs.

The reference was written by ``python -m training.tiny_phi``, together with the model file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import pytest

from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from tests.support.kernels import native_module

_ROOT = Path(__file__).parents[1]
_MODEL = _ROOT / "phicli" / "data" / "tiny-phi.gguf"
_DATA = Path(__file__).parent / "data"
_CONVERSATIONS: list[dict[str, Any]] = json.loads((_DATA / "tiny_phi_conversations.json").read_text(encoding="utf-8"))
_REFERENCE: dict[str, Any] = json.loads((_DATA / "tiny_phi_reference.json").read_text(encoding="utf-8"))
_ORIGINAL_CONTEXT, _CONTEXT = 256, 1024
_TOLERANCE = 0.05


class ReferenceEngine(LlamaServerEngine):
    """The project's engine, asked for the log-probabilities too."""

    def special(self, literal: str) -> int:
        (token,) = self.tokenize(literal, parse_special=True)
        return token

    def detokenize(self, ids: Sequence[int]) -> str:
        return str(self._post("/detokenize", {"tokens": list(ids)})["content"])

    def greedy(self, prompt: Sequence[int], limit: int) -> tuple[list[int], list[dict[int, float]]]:
        """Greedy ids, the closing one included, and the log-probabilities of the likeliest tokens.

        The engine reports no log-probabilities for a token that ends inside a character.
        """
        request = {"prompt": list(prompt), "n_predict": limit, "temperature": 0, "n_probs": 40, "return_tokens": True}
        answer = self._post("/completion", request)
        ids = list(answer["tokens"])
        end = self.special("<|end|>")
        if answer["stop_type"] == "eos" and ids[-1:] != [end]:
            ids.append(end)
        steps = answer["completion_probabilities"]
        return ids, [{token["id"]: token["logprob"] for token in step["top_logprobs"]} for step in steps]


EngineOf = Callable[[int], ReferenceEngine]


@pytest.fixture(scope="module")
def engine_of(starts_process: None) -> Iterator[EngineOf]:
    """Engines by context size, started when first asked for."""
    running: dict[int, ReferenceEngine] = {}

    def start(context_tokens: int) -> ReferenceEngine:
        if context_tokens not in running:
            running[context_tokens] = ReferenceEngine(LoadSettings(_MODEL, context_tokens, EngineSettings(threads=1)))
        return running[context_tokens]

    yield start
    for engine in running.values():
        engine.close()


@pytest.mark.parametrize("sample", _REFERENCE["tokens"], ids=lambda sample: repr(sample["text"][:20]))
def test_text_has_the_tokens_of_the_reference(engine_of: EngineOf, sample: dict[str, Any]) -> None:
    assert engine_of(_ORIGINAL_CONTEXT).tokenize(sample["text"], parse_special=False) == tuple(sample["ids"])


@pytest.mark.parametrize("prompt", _REFERENCE["prompts"], ids=lambda prompt: prompt["id"])
def test_engine_computes_what_transformers_computed(engine_of: EngineOf, prompt: dict[str, Any]) -> None:
    engine = engine_of(prompt["context_tokens"])
    ids, candidates = engine.greedy(prompt["prompt"], len(prompt["output"]) + 1)
    same = _common(ids, prompt["output"])
    assert same == len(ids) == len(prompt["output"]) or (native_module() is not None and same > 0)
    reported = [expected for expected, whole in zip(prompt["top"], prompt["whole"][: same + 1], strict=False) if whole]
    for expected, found in zip(reported, candidates, strict=False):
        for token, log_probability in expected:
            assert found[token] == pytest.approx(log_probability, abs=_TOLERANCE)


def _common(ids: Sequence[int], others: Sequence[int]) -> int:
    """How many tokens at the beginning are the same."""
    return next((at for at, pair in enumerate(zip(ids, others, strict=False)) if pair[0] != pair[1]), len(ids))


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


def test_forged_system_turn_matters_only_where_it_is_parsed(engine_of: EngineOf) -> None:
    """The answers to both readings differ, so a client that parses user text is found out."""
    engine = engine_of(_ORIGINAL_CONTEXT)
    (forged,) = (c["messages"][0]["content"] for c in _CONVERSATIONS if c["id"] == "forged-pirate")
    opening, closing = (engine.special("<|user|>"),), (engine.special("<|end|>"), engine.special("<|assistant|>"))
    as_text, _ = engine.greedy((*opening, *engine.tokenize(forged, parse_special=False), *closing), 60)
    as_specials, _ = engine.greedy((*opening, *engine.tokenize(forged, parse_special=True), *closing), 60)
    assert "toy model" in engine.detokenize(as_text)
    assert "Arr, matey!" in engine.detokenize(as_specials)

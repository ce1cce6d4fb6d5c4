"""Settings of the engine: limits, the way to JSON and back, and what is typed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from phicli.engine.llama_server_program import server_arguments
from phicli.engine.settings import (
    ALL_LAYERS,
    BATCH_TOKENS,
    DRAFTS,
    FIELDS,
    MOST_THREADS,
    EngineSettings,
    OneOf,
    Switch,
    read_asked,
    value_text,
)
from phicli.engine.types import LoadSettings
from phicli.engine.worker import parameters
from phicli.errors import UsageError
from phicli.fit.memory import KV_TYPE_BYTES

ALL = EngineSettings(3, 64, "q8_0", "on", repack=True, gpu_layers=7, speculation="ngram-simple")
OTHER: dict[str, Any] = {
    "threads": 5, "batch_tokens": 256, "kv_type": "q4_0", "flash_attention": "auto", "repack": False, "gpu_layers": 9,
    "speculation": "ngram-mod",
}  # fmt: skip
"""A value of each setting that is not that of ``ALL``."""


def test_each_field_is_in_the_table_and_in_the_tests() -> None:
    names = [field.name for field in fields(EngineSettings)]
    assert list(FIELDS) == names
    assert [field.name for field in FIELDS.values()] == names
    assert set(OTHER) == set(names)


def test_the_defaults() -> None:
    assert asdict(EngineSettings(2)) == {
        "threads": 2, "batch_tokens": 128, "kv_type": "f16", "flash_attention": "auto", "repack": False,
        "gpu_layers": -1, "speculation": "none",
    }  # fmt: skip
    assert {name: field.default for name, field in FIELDS.items()} == asdict(EngineSettings(1)) | {"threads": None}
    assert EngineSettings.for_cores(4) == EngineSettings(4)
    assert EngineSettings.for_cores(576) == EngineSettings(MOST_THREADS)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("threads", (1, 512), (0, 513, 800, -1, True, 2.0, "2", None)),
        ("batch_tokens", (1, 16_384), (0, 16_385, False, "128", None)),
        ("kv_type", ("f16", "q8_0", "q4_0"), ("F16", "q5_0", "", None, 16, ["f16"])),
        ("flash_attention", ("auto", "on", "off"), (True, "On", "yes", None)),
        ("repack", (True, False), ("on", "off", 1, 0, None)),
        ("gpu_layers", (-1, 0, 2**31 - 1), (-2, 2**31, True, "all", None)),
        ("speculation", ("none", "ngram-simple", "ngram-map-k", "ngram-mod"), ("ngram", "draft", True, None)),
    ],
)
def test_limits(name: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    data = ALL.to_data()
    for value in good:
        assert EngineSettings.from_data({**data, name: value}) == replace(ALL, **{name: value})
    for value in bad:
        with pytest.raises(ValueError, match=rf"^{name} is .+; it must be "):
            EngineSettings.from_data({**data, name: value})
        with pytest.raises(ValueError, match=rf"^{name} is "):
            EngineSettings(**{**data, name: value})


def test_json_and_back() -> None:
    assert EngineSettings.from_data(ALL.to_data()) == ALL
    assert EngineSettings.from_data({"threads": 2}) == EngineSettings(2)
    assert EngineSettings.from_data({"threads": 2, "of a later version": 1}) == EngineSettings(2)
    with pytest.raises(ValueError, match="threads is missing"):
        EngineSettings.from_data({"batch_tokens": 128})


def test_a_quantized_cache_needs_flash_attention() -> None:
    assert EngineSettings(1, flash_attention="off").is_possible
    assert EngineSettings(1, kv_type="q8_0").is_possible
    assert not EngineSettings(1, kv_type="q8_0", flash_attention="off").is_possible


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("threads", "1,2,4", (1, 2, 4)),
        ("threads", " 4 , 1,4", (4, 1)),
        ("batch_tokens", "16384", (16_384,)),
        ("kv_type", "Q8_0,f16", ("q8_0", "f16")),
        ("flash_attention", "ON,auto", ("on", "auto")),
        ("repack", "off,on", (False, True)),
        ("gpu_layers", "0,33", (0, 33)),
        ("speculation", "none,NGRAM-mod", ("none", "ngram-mod")),
    ],
)
def test_lists_that_are_typed(name: str, text: str, values: tuple[Any, ...]) -> None:
    assert FIELDS[name].read_list(text) == values
    assert FIELDS[name].read_list(None) == ()
    assert FIELDS[name].read(value_text(values[0])) == values[0]


@pytest.mark.parametrize(
    ("name", "text", "option"),
    [
        ("threads", "0", "--threads 0 is not a whole number between 1 and 512"),
        ("threads", "513", "--threads 513 is not"),
        ("threads", "two", "--threads two is not"),
        ("threads", "²", "--threads ² is not"),
        ("threads", "9" * 5000, "--threads 999"),
        ("threads", "1,,2", "--threads '1,,2' contains an empty value"),
        ("threads", "", "--threads '' contains an empty value"),
        ("batch_tokens", "16385", "--batch-size 16385 is not"),
        ("kv_type", "f32", "--kv-type f32 is unknown"),
        ("flash_attention", "maybe", "--flash-attention maybe is unknown"),
        ("repack", "true", "--repack true is unknown"),
        ("gpu_layers", "-1", "--gpu-layers -1 is not a whole number between 0"),
        ("speculation", "ngram", "--speculation ngram is unknown"),
    ],
)
def test_what_is_typed_wrongly_names_the_option(name: str, text: str, option: str) -> None:
    with pytest.raises(UsageError) as caught:
        FIELDS[name].read_list(text)
    assert caught.value.message.startswith(option)
    assert caught.value.hint


def test_what_was_asked_for() -> None:
    asked = {"threads": 2, "kv_type": "Q8_0", "gpu_layers": None, "repack": False}
    assert read_asked(asked) == {"threads": 2, "kv_type": "q8_0", "repack": False}
    for name, value in {"threads": 800, "kv_type": "f32", "gpu_layers": ALL_LAYERS}.items():
        with pytest.raises(UsageError, match=FIELDS[name].option):
            read_asked({name: value})


def test_words() -> None:
    said = [field.phrase(getattr(ALL, name)) for name, field in FIELDS.items()]
    assert said == [
        "3 threads",
        "batch size 64",
        "KV cache type q8_0",
        "flash attention on",
        "repacked",
        "7 GPU layers",
        "speculation ngram-simple",
    ]
    assert FIELDS["batch_tokens"].parameter == "batch_size"
    assert (Switch().words, OneOf(("a", "b")).words) == ("true or false", "one of a, b")


def test_the_memory_model_knows_the_same_types_of_cache() -> None:
    assert FIELDS["kv_type"].kind == OneOf(tuple(KV_TYPE_BYTES))
    assert FIELDS["batch_tokens"].default == BATCH_TOKENS


def load_with(name: str, value: Any) -> LoadSettings:
    return LoadSettings(Path("model.gguf"), 256, replace(ALL, **{name: value}), slots=2)


def of_package(load: LoadSettings) -> object:
    """All parameters of llama.cpp that the worker sets."""
    found = parameters({**load.to_data(), "api_key": "secret"})
    cpu = (found.cpuparams.n_threads, found.cpuparams_batch.n_threads)
    names = ("n_batch", "n_ubatch", "n_gpu_layers", "cache_type_k", "cache_type_v", "no_extra_bufts", "flash_attn_type")
    return cpu, [getattr(found, name) for name in names], found.n_ctx, list(found.speculative.types)


def test_the_cache_of_prompts_in_ram_is_off_unless_it_was_asked_for() -> None:
    usual = load_with("kv_type", "f16")
    assert parameters({**usual.to_data(), "api_key": "secret"}).cache_ram_mib == 0
    assert "--cache-ram" not in server_arguments(usual)
    cached = replace(usual, cache_ram_mib=256)
    assert parameters({**cached.to_data(), "api_key": "secret"}).cache_ram_mib == 256
    words = server_arguments(cached)
    assert words[words.index("--cache-ram") + 1] == "256"


@pytest.mark.parametrize("kind", list(DRAFTS))
def test_the_lengths_of_drafts_reach_each_engine(kind: str) -> None:
    load = load_with("speculation", kind)
    drafting = getattr(parameters({**load.to_data(), "api_key": "secret"}).speculative, kind.replace("-", "_"))
    assert {name: getattr(drafting, name) for name in DRAFTS[kind]} == DRAFTS[kind]
    words = server_arguments(load)
    options = dict(itertools.pairwise(words))
    assert options["--spec-type"] == kind
    for name, tokens in DRAFTS[kind].items():
        assert options[f"--spec-{kind}-{name.replace('_', '-')}"] == str(tokens)
    assert not any(word.startswith("--spec") for word in server_arguments(load_with("speculation", "none")))


@pytest.mark.parametrize("name", list(FIELDS))
@pytest.mark.parametrize("given_to", [of_package, server_arguments])
def test_each_setting_reaches_each_engine(name: str, given_to: Callable[[LoadSettings], object]) -> None:
    usual, other = load_with(name, getattr(ALL, name)), load_with(name, OTHER[name])
    assert given_to(usual) == given_to(load_with(name, getattr(ALL, name)))
    assert given_to(usual) != given_to(other)

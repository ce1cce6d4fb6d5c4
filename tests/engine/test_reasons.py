"""What is read from an engine's log, and what it leads to."""

from __future__ import annotations

import pytest

from phicli.engine.reasons import advice, first_reason, is_of_memory


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", ""),
        ("0.00.007.969 E load: the reason\n0.00.008.011 E init: another\n", "load: the reason"),
        ("0.00.007.969 W load: a warning\n0.00.008.011 E init: the reason\n", "init: the reason"),
        ("error while handling argument: the reason\n", "error while handling argument: the reason"),
        ("/src/llama-context.cpp:12: GGML_ASSERT(n > 0) failed\n", "GGML_ASSERT(n > 0) failed"),
        (
            "terminate called after throwing an instance of 'std::out_of_range'\n  what():  _Map_base::at\n",
            "_Map_base::at",
        ),
    ],
)
def test_the_first_error_is_the_reason(log: str, reason: str) -> None:
    assert first_reason(log) == reason


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("error loading model: unknown model architecture: 'phi9'", "old"),
        (
            "error loading model vocabulary: unknown pre-tokenizer type: 'gpt-9o'",
            "the engine: UPGRADE",
        ),
        ("error loading model hyperparameters: key not found in model: phi3.context_length", "another file"),
        ("check_tensor_dims: tensor 'blk.1.attn_output.weight' has wrong shape; expected 128, got 8", "another file"),
        ("check_tensor_dims: tensor 'blk.1.attn_output.weight' not found", "another file"),
        ("tensor 'a' data is not within the file bounds, model is corrupted or incomplete", "download it again"),
        ("gguf_init_from_reader: failed to read magic", "download it again"),
        ("something else", "otherwise"),
    ],
)
def test_the_hint_fits_the_reason(reason: str, hint: str) -> None:
    said = advice(reason, too_old="old", other_build="UPGRADE", otherwise="otherwise")
    assert hint in said
    assert ("again" in said) == (hint == "download it again")


def test_memory_that_is_not_there() -> None:
    assert is_of_memory("ggml_aligned_malloc: insufficient memory (attempted to allocate 195312.50 MB)")
    assert not is_of_memory("key not found in model: phi3.context_length")

"""Names in repositories follow no rule; the choice has to."""

from __future__ import annotations

import pytest

from phicli.errors import NotFoundError, UsageError
from phicli.hub.download.choose import choose, models_of
from phicli.hub.types import RemoteFile, RemoteRepo


def repo(*names: str) -> RemoteRepo:
    files = tuple(RemoteFile(name, 1000 + place, f"etag{place}", "0" * 64) for place, name in enumerate(names))
    return RemoteRepo("some/thing", "main", "c" * 40, "mit", gated=False, files=files)


@pytest.mark.parametrize(
    ("names", "quant", "chosen"),
    [
        (["Phi-4-mini-instruct-Q4_K_M.gguf", "Phi-4-mini-instruct.Q8_0.gguf"], "q8_0", "Phi-4-mini-instruct.Q8_0.gguf"),
        (["phi-2.Q4_K_M.gguf", "phi-2.Q4_K_S.gguf"], "Q4_K_M", "phi-2.Q4_K_M.gguf"),
        (["model-q4_k_m.gguf", "model-f16.gguf"], "Q4-K-M", "model-q4_k_m.gguf"),
        (["m-fp16.gguf"], "F16", "m-fp16.gguf"),
        (["m-UD-Q4_K_XL.gguf", "m-Q4_K_M.gguf"], "UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        (["a-Q4_K_M.gguf", "b-Q4_K_M.gguf"], "b-Q4_K_M.gguf", "b-Q4_K_M.gguf"),
        (["m-Q8_0.gguf", "m-Q5_K_M.gguf", "m-Q2_K.gguf"], None, "m-Q5_K_M.gguf"),
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf"], None, "m-Q4_K_M.gguf"),
        (["odd-name.gguf", "README.md"], None, "odd-name.gguf"),
        (["mmproj-Q4_K_M.gguf", "m-Q4_K_M.gguf"], "Q4_K_M", "m-Q4_K_M.gguf"),
        (["sub/m-Q6_K.GGUF", "config.json"], "Q6_K", "sub/m-Q6_K.GGUF"),
    ],
)
def test_the_file_that_was_meant(names: list[str], quant: str | None, chosen: str) -> None:
    assert choose(repo(*names), quant).name == chosen


def test_parts_are_one_model_in_order() -> None:
    there = repo("m-f32-00002-of-00002.gguf", "m-f32-00001-of-00002.gguf", "m-Q8_0-00001-of-00002.gguf")
    model = choose(there, "f32")
    assert [file.name for file in model.files] == ["m-f32-00001-of-00002.gguf", "m-f32-00002-of-00002.gguf"]
    assert model.size_bytes == 1000 + 1001
    assert [model.quant for model in models_of(there)] == ["F32"], "a model that lacks a part is none"


def test_what_the_catalogue_calls_a_file_wins() -> None:
    there = repo("phi-4-q4.gguf", "phi-4-Q4_K_M.gguf")
    assert choose(there, "Q4_K_M", {"phi-4-q4.gguf": "Q4_K_M"}).name == "phi-4-q4.gguf"


def test_an_unknown_quantisation_lists_what_there_is_with_sizes() -> None:
    with pytest.raises(NotFoundError) as caught:
        choose(repo("m-Q8_0.gguf", "m-Q4_K_M.gguf"), "Q3_K_M")
    assert "Q8_0 (1000 B)" in caught.value.hint
    assert "Q4_K_M (1001 B)" in caught.value.hint


def test_two_files_of_one_quantisation_are_named() -> None:
    with pytest.raises(UsageError, match=r"a-Q4_K_M\.gguf, b-Q4_K_M\.gguf"):
        choose(repo("a-Q4_K_M.gguf", "b-Q4_K_M.gguf"), "Q4_K_M")


def test_a_repository_without_models() -> None:
    with pytest.raises(NotFoundError, match="no GGUF"):
        choose(repo("model.safetensors", "mmproj-f16.gguf"), None)


def test_none_of_the_usual_ones() -> None:
    with pytest.raises(UsageError) as caught:
        choose(repo("m-Q2_K.gguf", "m-F16.gguf"), None)
    assert "Q2_K" in caught.value.hint
    assert "F16" in caught.value.hint

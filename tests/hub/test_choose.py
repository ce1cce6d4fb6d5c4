"""Names in repositories follow no rule; the choice has to."""

from __future__ import annotations

import pytest

from phicli.errors import AmbiguousModelError, NotFoundError, UsageError
from phicli.gguf_file.kind import FileKind
from phicli.hub.download.choose import Look, choose
from phicli.hub.types import RemoteFile, RemoteModel, RemoteRepo


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
        (["x-fp16.gguf", "x-q4_k_m.gguf"], "fp16", "x-fp16.gguf"),
        (["x-UD-Q4_K_XL.gguf", "x-Q8_0.gguf"], "q4_k_xl", "x-UD-Q4_K_XL.gguf"),
        (["x-UD-Q4_K_XL.gguf", "x-Q4_K_XL.gguf"], "q4_k_xl", "x-Q4_K_XL.gguf"),
        (["Q4_K_M/x.gguf", "BF16/x-BF16.gguf"], "q4_k_m", "Q4_K_M/x.gguf"),
        (["x-Q8_K_P.gguf", "x-Q4_0.gguf"], "q8_k_p", "x-Q8_K_P.gguf"),
        (["x-Q4_0.gguf", "x-Q4_K_M.gguf"], "q4", "x-Q4_K_M.gguf"),
        (["x-Q4_K_S.gguf", "x-Q4_K_M.gguf"], "q4_k", "x-Q4_K_M.gguf"),
        (["phi-4-q4.gguf", "phi-4-fp16.gguf"], "q4", "phi-4-q4.gguf"),
        (["x-IQ4_KSS.gguf", "x-Q8_0.gguf"], "iq4_kss", "x-IQ4_KSS.gguf"),
        (["imatrix_unsloth.gguf", "x-UD-IQ1_S.gguf"], None, "x-UD-IQ1_S.gguf"),
        (["mmproj-x-Q4_K_M.gguf", "draft-x-Q4_K_M.gguf", "ggml-vocab-x.gguf", "x-Q4_K_M.gguf"], None, "x-Q4_K_M.gguf"),
        (["microsoft_Phi-4-Q4_K_M.gguf", "microsoft_Phi-4.Q8_0.gguf", "microsoft-Phi-4-i1-Q6_K.gguf"], None,
         "microsoft_Phi-4-Q4_K_M.gguf"),
    ],
)  # fmt: skip
def test_the_file_that_was_meant(names: list[str], quant: str | None, chosen: str) -> None:
    assert choose(repo(*names), quant).name == chosen


def test_parts_are_one_model_in_order() -> None:
    there = repo("m-f32-00002-of-00002.gguf", "m-f32-00001-of-00002.gguf", "m-Q8_0-00001-of-00002.gguf")
    model = choose(there, "f32")
    assert [file.name for file in model.files] == ["m-f32-00001-of-00002.gguf", "m-f32-00002-of-00002.gguf"]
    assert model.size_bytes == 1000 + 1001
    assert choose(there, None).quant == "F32", "a model that lacks a part is none"


def test_what_the_catalogue_calls_a_file_wins() -> None:
    there = repo("phi-4-q4.gguf", "phi-4-Q4_K_M.gguf")
    assert choose(there, "Q4_K_M", {"phi-4-q4.gguf": "Q4_K_M"}).name == "phi-4-q4.gguf"


def test_an_unknown_quantisation_lists_what_there_is_with_sizes() -> None:
    with pytest.raises(NotFoundError) as caught:
        choose(repo("m-Q8_0.gguf", "m-Q4_K_M.gguf"), "Q3_K_M")
    assert "Q8_0 (1000 B)" in caught.value.hint
    assert "Q4_K_M (1001 B)" in caught.value.hint


def test_two_files_of_one_quantisation_are_named() -> None:
    with pytest.raises(AmbiguousModelError, match=r"a-Q4_K_M\.gguf, b-Q4_K_M\.gguf"):
        choose(repo("a-Q4_K_M.gguf", "b-Q4_K_M.gguf"), "Q4_K_M")


def test_a_repository_without_models() -> None:
    with pytest.raises(NotFoundError, match="contains no GGUF model"):
        choose(repo("model.safetensors"), None)
    with pytest.raises(NotFoundError, match=r"no GGUF model: mmproj-f16\.gguf is a projector"):
        choose(repo("model.safetensors", "mmproj-f16.gguf"), None)


def test_none_of_the_usual_ones() -> None:
    with pytest.raises(UsageError) as caught:
        choose(repo("m-Q2_K.gguf", "m-F16.gguf"), None)
    assert "Q2_K" in caught.value.hint
    assert "F16" in caught.value.hint


def seeing(**kinds: FileKind) -> Look:
    """A look at files by the first letter of their names; others are models."""

    def look(model: RemoteModel) -> FileKind:
        return kinds.get(model.name[0], FileKind.MODEL)

    return look


def test_what_a_file_says_comes_before_its_name() -> None:
    there = repo("a-Q4_K_M.gguf", "b-Q4_K_M.gguf")
    assert choose(there, "q4_k_m", look=seeing(a=FileKind.ADAPTER)).name == "b-Q4_K_M.gguf"
    assert choose(there, None, look=seeing(b=FileKind.DRAFT)).name == "a-Q4_K_M.gguf"
    lora = repo("m-lora-Q4_K_M.gguf", "README.md")
    assert choose(lora, "Q4_K_M", look=seeing()).name == "m-lora-Q4_K_M.gguf"


def test_files_of_the_catalog_are_not_looked_into() -> None:
    there = repo("a-Q4_K_M.gguf", "b-Q4_K_M.gguf")
    looked: list[str] = []

    def look(model: RemoteModel) -> None:
        looked.append(model.name)

    assert choose(there, None, {"b-Q4_K_M.gguf": "Q4_K_M"}, look=look).name == "b-Q4_K_M.gguf"
    assert looked == []


@pytest.mark.parametrize("quant", [None, "q4_k_m"])
def test_two_models_are_both_named(quant: str | None) -> None:
    there = repo("Phi-4-abliterated-Q4_K_M.gguf", "Phi-4-Q4_K_M.gguf", "mmproj-Phi-4-Q4_K_M.gguf")
    with pytest.raises(AmbiguousModelError) as caught:
        choose(there, quant, look=seeing(m=FileKind.PROJECTOR))
    assert caught.value.exit_code == 3
    names = ["some/thing:Phi-4-Q4_K_M.gguf", "some/thing:Phi-4-abliterated-Q4_K_M.gguf"]
    assert list(caught.value.choices) == names
    assert "has 2 models" in caught.value.message
    assert "Phi-4-Q4_K_M.gguf, Phi-4-abliterated-Q4_K_M.gguf" in caught.value.message
    assert caught.value.hint == f"choose one: phi pull {names[0]}"


def test_another_model_with_another_quantization_is_another_model_too() -> None:
    there = repo("Phi-4-abliterated-Q4_K_M.gguf", "Phi-4-Q8_0.gguf", "Phi-4-Q6_K.gguf")
    with pytest.raises(AmbiguousModelError) as caught:
        choose(there, None)
    assert list(caught.value.choices) == ["some/thing:Phi-4-Q6_K.gguf", "some/thing:Phi-4-abliterated-Q4_K_M.gguf"]
    assert choose(there, "q4_k_m").name == "Phi-4-abliterated-Q4_K_M.gguf"


def test_folders_are_models_where_files_are_called_alike() -> None:
    with pytest.raises(AmbiguousModelError):
        choose(repo("phi-2/ggml-model-q4_0.gguf", "tinyllama/ggml-model-q8_0.gguf"), None)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("f16", "some/thing has no model for f16: mmproj-f16.gguf is a projector for images or audio"),
        ("mmproj-f16.gguf", "mmproj-f16.gguf of some/thing is a projector for images or audio, not a model"),
    ],
)
def test_a_file_that_is_no_model_is_named_as_what_it_is(asked: str, said: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        choose(repo("m-Q4_K_M.gguf", "mmproj-f16.gguf"), asked)
    assert caught.value.message == said
    assert "Q4_K_M" in caught.value.hint


@pytest.mark.parametrize("asked", ["q8_0", "m-Q8_0-00001-of-00002.gguf"])
def test_a_lacking_part_is_named(asked: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        choose(repo("m-Q8_0-00001-of-00002.gguf", "m-Q4_K_M.gguf"), asked)
    assert caught.value.message.endswith("another part of that model is missing: m-Q8_0-00002-of-00002.gguf")


@pytest.mark.parametrize("name", ["m.Q6_K.gguf.part1of2", "m.Q6_K.gguf-split-a"])
def test_pieces_have_to_be_joined(name: str) -> None:
    for there, asked in ((repo(name, "m.Q4_K_M.gguf"), "q6_k"), (repo(name), None)):
        with pytest.raises(NotFoundError, match="only in pieces that must be joined") as caught:
            choose(there, asked)
        assert "phi cache import" in caught.value.hint

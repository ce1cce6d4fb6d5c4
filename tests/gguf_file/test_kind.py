"""What a GGUF file is, by its header, by its beginning, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.errors import NotAModelError
from phicli.gguf_file.header import kind_of_header, read_any_header, read_header
from phicli.gguf_file.kind import FileKind, kind_by_name
from phicli.gguf_file.start import START_BYTES, kind_at_start, kind_of_file, seems_a_model
from tests.support.files import TINY_PHI
from tests.support.gguf_kinds import LORA, MODEL_TENSORS, write_adapter, write_big_endian, write_kind, write_projector

HEADERS = [
    ("phi3", "model", MODEL_TENSORS, FileKind.MODEL),
    ("phi3", None, MODEL_TENSORS, FileKind.MODEL),
    ("phi3", "adapter", [LORA], FileKind.ADAPTER),
    ("phi3", None, [LORA], FileKind.ADAPTER),
    ("phi3", "adapter", MODEL_TENSORS, FileKind.MODEL),  # a merged model that kept the word; llama.cpp loads it
    ("clip", "mmproj", ["v.patch_embd.weight", "mm.0.weight"], FileKind.PROJECTOR),
    ("clip", None, ["v.patch_embd.weight"], FileKind.PROJECTOR),
    ("phi3", "mmproj", ["v.blk.0.ffn_up.weight", "mm.2.weight"], FileKind.PROJECTOR),
    ("", "imatrix", ["blk.0.attn_qkv.weight.in_sum2", "blk.0.attn_qkv.weight.counts"], FileKind.IMPORTANCE_MATRIX),
    ("controlvector", None, ["direction.1", "direction.2"], FileKind.CONTROL_VECTOR),
    ("eagle3", "model", ["token_embd.weight", "blk.0.attn_q.weight"], FileKind.DRAFT),
    ("phi3", "model", [], FileKind.VOCABULARY),
]


@pytest.mark.parametrize(("architecture", "type_", "tensors", "kind"), HEADERS)
def test_the_header_decides(
    tmp_path: Path, architecture: str, type_: str | None, tensors: list[str], kind: FileKind
) -> None:
    path = write_kind(tmp_path / "a.gguf", architecture, type_, tensors)
    assert kind_of_header(read_any_header(path)) is kind
    assert kind_of_file(path) is kind
    if kind is FileKind.MODEL:
        assert read_header(path).architecture == architecture
        return
    with pytest.raises(NotAModelError) as caught:
        read_header(path)
    assert (caught.value.exit_code, caught.value.code) == (8, "not_a_model")
    assert caught.value.message == f"{path} is {kind.phrase}, not a model"
    assert caught.value.data == {"kind": kind.value}
    assert "again" not in caught.value.hint


def test_the_hint_names_the_model_that_a_file_was_made_for(tmp_path: Path) -> None:
    with pytest.raises(NotAModelError) as caught:
        read_header(write_projector(tmp_path / "p.gguf"))
    assert "the file of the model itself, Phi 4 Reasoning Vision, instead" in caught.value.hint
    with pytest.raises(NotAModelError) as caught:
        read_header(write_adapter(tmp_path / "a.gguf"))
    assert "with its model, Phi 4 Mini Instruct: --adapter NAME" in caught.value.hint


def test_another_byte_order_is_said(tmp_path: Path) -> None:
    path = write_big_endian(tmp_path / "a.gguf")
    assert kind_of_file(path) is FileKind.BIG_ENDIAN
    with pytest.raises(NotAModelError, match="is a big-endian GGUF file, made for other processors"):
        read_any_header(path)


def test_the_beginning_is_enough(tmp_path: Path) -> None:
    """A vocabulary is larger than that, and what a file is stands before it."""
    vocabulary = {f"tokenizer.{number}": "x" * 1000 for number in range(100)}
    path = write_kind(tmp_path / "a.gguf", "clip", "mmproj", ["v.patch_embd.weight"], vocabulary)
    start = path.read_bytes()[:START_BYTES]
    assert len(start) == START_BYTES
    assert kind_at_start(start, "a.gguf") is FileKind.PROJECTOR
    assert kind_at_start(TINY_PHI.read_bytes()[:2000], "a.gguf") is FileKind.MODEL
    assert kind_at_start(b"<html>", "a.gguf") is None
    assert kind_at_start(b"GGUF", "a.gguf") is None


def test_a_first_part_without_tensors_is_no_vocabulary(tmp_path: Path) -> None:
    start = write_kind(tmp_path / "a.gguf", "phi3", "model", []).read_bytes()
    assert kind_at_start(start, "a.gguf") is FileKind.VOCABULARY
    assert kind_at_start(start, "a-00001-of-00002.gguf") is FileKind.MODEL


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Phi-4-mini-instruct-Q4_K_M.gguf", FileKind.MODEL),
        ("mmproj-phi4-mm-f16.gguf", FileKind.PROJECTOR),
        ("a/Phi-4-vision.mmproj-Q8_0.gguf", FileKind.PROJECTOR),
        ("MMPROJ.gguf", FileKind.PROJECTOR),
        ("imatrix_unsloth.gguf", FileKind.IMPORTANCE_MATRIX),
        ("Phi-4.imatrix.gguf", FileKind.IMPORTANCE_MATRIX),
        ("Phi-4-Q4_K_M-imatrix.gguf", FileKind.MODEL),
        ("Phi-4-mini-lora-f16.gguf", FileKind.ADAPTER),
        ("Phi-4-LoRA-merged-Q4_K_M.gguf", FileKind.MODEL),
        ("ggml-vocab-phi-3.gguf", FileKind.VOCABULARY),
        ("Phi-4-draft-Q4_K_M.gguf", FileKind.DRAFT),
        ("mtp-phi-5-Q8_0.gguf", FileKind.DRAFT),
        ("Phi-4-abliterated-Q4_K_M.gguf", FileKind.MODEL),
        ("explorator-Q4_K_M.gguf", FileKind.MODEL),
    ],
)
def test_a_name_is_a_guess(name: str, kind: FileKind) -> None:
    assert kind_by_name(name) is kind


def test_a_model_whose_name_says_otherwise_is_listed(tmp_path: Path) -> None:
    model = write_kind(tmp_path / "phi-lora-Q8_0.gguf", "phi3", "model", MODEL_TENSORS)
    assert seems_a_model(model)
    assert not seems_a_model(write_adapter(tmp_path / "phi-lora-f16.gguf"))
    assert not seems_a_model(tmp_path / "mmproj-gone.gguf")

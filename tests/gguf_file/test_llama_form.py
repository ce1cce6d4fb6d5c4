"""A Phi-3 file in the tensors of llama: the same rows in another order, and files for which that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import pytest

from phicli.errors import IntegrityError, NotFoundError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.llama_file import write_llama_file
from phicli.gguf_file.llama_form import llama_pieces, why_not_llama
from phicli.gguf_file.pieces import read_pieces
from phicli.gguf_file.types import GgufHeader, TensorInfo
from tests.support.files import TINY_PHI
from tests.support.lookback import write_lookback

SHA256 = "ab" * 32


def rewritten(folder: Path, **shape: Any) -> tuple[GgufHeader, GgufHeader]:
    source, target = folder / "phi3.gguf", folder / "llama.gguf"
    write_lookback(source, **shape)
    before = read_header(source)
    write_llama_file(before, target, source_sha256=SHA256, on_bytes=lambda done, total: None)
    return before, read_header(target)


def weights(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    tensors = gguf.GGUFReader(path).tensors
    return {one.name: gguf.dequantize(one.data, one.tensor_type).copy() for one in tensors}


def neighbors_to_halves(rows: npt.NDArray[np.float32], head: int) -> npt.NDArray[np.float32]:
    """The inverse of what is done to query and key."""
    return rows.reshape(-1, head // 2, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


@pytest.mark.parametrize(
    ("quant", "heads", "kv_heads"), [("F16", 8, 8), ("Q8_0", 8, 2), ("Q4_K", 12, 4), ("F16", 40, 10)]
)
def test_all_rows_are_there_in_their_new_order(tmp_path: Path, quant: str, heads: int, kv_heads: int) -> None:
    before, after = rewritten(tmp_path, quant=quant, heads=heads, kv_heads=kv_heads)
    old, new = weights(before.path), weights(after.path)
    query, key, value = (new.pop(f"blk.0.attn_{name}.weight") for name in "qkv")
    assert len(query) == heads * 64
    assert len(key) == len(value) == kv_heads * 64
    restored = np.concatenate([neighbors_to_halves(query, 64), neighbors_to_halves(key, 64), value])
    assert np.array_equal(restored, old.pop("blk.0.attn_qkv.weight"))
    assert not np.array_equal(query, neighbors_to_halves(query, 64))
    gate, up = new.pop("blk.0.ffn_gate.weight"), new.pop("blk.0.ffn_up.weight")
    assert np.array_equal(np.concatenate([gate, up]), old.pop("blk.0.ffn_up.weight"))
    assert new.keys() == old.keys()
    assert all(np.array_equal(new[name], old[name]) for name in old)


def test_no_byte_is_changed(tmp_path: Path) -> None:
    before, after = rewritten(tmp_path, quant="Q4_K")
    assert (
        {one.type_name for one in after.tensors} == {one.type_name for one in before.tensors} == {"F32", "Q4_K", "Q6_K"}
    )
    assert after.weights_bytes == before.weights_bytes


def test_the_metadata_say_the_same(tmp_path: Path) -> None:
    before, after = rewritten(tmp_path)
    assert (after.architecture, after.version) == ("llama", 2)
    for field in (
        "name", "file_type", "context_length", "block_count", "embedding_length", "feed_forward_lengths", "head_counts",
        "kv_head_counts", "key_length", "value_length",
    ):  # fmt: skip
        assert getattr(after, field) == getattr(before, field), field
    assert (
        after.metadata["llama.attention.layer_norm_rms_epsilon"]
        == before.metadata["phi3.attention.layer_norm_rms_epsilon"]
    )
    assert after.metadata["llama.rope.freq_base"] == 10000.0
    assert after.metadata["phi.source_sha256"] == SHA256
    assert after.vocabulary is not None
    assert before.vocabulary is not None
    assert replace(after.vocabulary, pre=before.vocabulary.pre) == before.vocabulary
    assert read_pieces(after.path) == read_pieces(before.path)


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    source, told = tmp_path / "phi3.gguf", list[tuple[int, int]]()
    write_lookback(source)
    header = read_header(source)
    write_llama_file(
        header, tmp_path / "new.gguf", source_sha256=SHA256, on_bytes=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (header.weights_bytes, header.weights_bytes)
    assert told == sorted(told)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    source, target = tmp_path / "phi3.gguf", tmp_path / "new.gguf"
    write_lookback(source)
    target.write_text("something")
    with pytest.raises(FileExistsError):
        write_llama_file(read_header(source), target, source_sha256=SHA256, on_bytes=lambda done, total: None)


@pytest.fixture
def header(tmp_path: Path) -> GgufHeader:
    path = tmp_path / "model.gguf"
    write_lookback(path)
    return read_header(path)


def test_a_usual_file_is_possible(header: GgufHeader) -> None:
    assert why_not_llama(header) is None
    assert sum(piece.size_bytes for piece in llama_pieces(header)) == header.weights_bytes


def with_tensor(header: GgufHeader, tensor: str, /, **fields: Any) -> GgufHeader:
    return replace(
        header, tensors=tuple(replace(one, **fields) if one.name == tensor else one for one in header.tensors)
    )


def with_key(header: GgufHeader, key: str, value: Any) -> GgufHeader:
    return replace(header, metadata={**header.metadata, key: value})


def with_factors(header: GgufHeader) -> GgufHeader:
    factors = TensorInfo("rope_factors_long.weight", (32,), 0, "F32", 0, 128)
    return replace(header, tensors=(*header.tensors, factors))


def with_bytes(header: GgufHeader) -> GgufHeader:
    assert header.vocabulary is not None
    return replace(header, vocabulary=replace(header.vocabulary, model="gpt2"))


ARRANGED = "not arranged as in Phi-3-mini"
REFUSED: dict[str, tuple[Callable[[GgufHeader], GgufHeader], str]] = {
    "another architecture": (lambda one: replace(one, architecture="phimoe"), "its architecture is phimoe"),
    "parts": (lambda one: replace(one, split_count=3), "split into 3 files"),
    "long factors": (with_factors, "LongRoPE"),
    "a scaled rotation": (lambda one: with_key(one, "phi3.rope.scaling.attn_factor", 1.19), "LongRoPE"),
    "byte pairs": (with_bytes, "not a SentencePiece vocabulary"),
    "no vocabulary": (lambda one: replace(one, vocabulary=None), "not a SentencePiece vocabulary"),
    "a newer type": (lambda one: with_tensor(one, "output.weight", type_name="IQ4_XS"), "IQ4_XS, which is newer"),
    "a part of each head is rotated": (lambda one: with_key(one, "phi3.rope.dimension_count", 32), ARRANGED),
    "a shape": (lambda one: with_tensor(one, "blk.0.attn_qkv.weight", shape=(512, 1024)), ARRANGED),
    "a tied output": (
        lambda one: replace(one, tensors=tuple(t for t in one.tensors if t.name != "output.weight")), ARRANGED,
    ),
    "a name": (lambda one: with_tensor(one, "blk.0.attn_qkv.weight", name="blk.0.attn_q.weight"), ARRANGED),
    "many layers": (lambda one: replace(one, block_count=1 << 60), ARRANGED),
    "no heads": (lambda one: replace(one, head_counts=()), ARRANGED),
    "layers that differ": (lambda one: replace(one, feed_forward_lengths=(256, 512)), ARRANGED),
    "groups of no whole size": (lambda one: replace(one, kv_head_counts=(3,)), ARRANGED),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be(header: GgufHeader, change: Callable[[GgufHeader], GgufHeader], reason: str) -> None:
    assert reason in (why_not_llama(change(header)) or "")


def test_the_files_of_other_models() -> None:
    assert why_not_llama(read_header(TINY_PHI)) == "it uses LongRoPE"


def test_a_file_that_has_gone_or_changed_since(header: GgufHeader, tmp_path: Path) -> None:
    def write(name: str) -> None:
        write_llama_file(header, tmp_path / name, source_sha256=SHA256, on_bytes=lambda done, total: None)

    content = header.path.read_bytes()
    header.path.write_bytes(content.replace(b"tokenizer.ggml.scores", b"tokenizer.ggml.stores"))
    with pytest.raises(IntegrityError, match=r"has no tokenizer\.ggml\.scores"):
        write("one")
    with pytest.raises(IntegrityError, match="no complete SentencePiece vocabulary"):
        read_pieces(header.path)
    header.path.write_bytes(content[:-1000])
    with pytest.raises(IntegrityError, match="changed while it was read"):
        write("cut")
    header.path.write_bytes(content[:2000])
    with pytest.raises(IntegrityError, match="no complete header"):
        write("two")
    header.path.unlink()
    with pytest.raises(NotFoundError):
        write("three")
    with pytest.raises(NotFoundError):
        read_pieces(header.path)

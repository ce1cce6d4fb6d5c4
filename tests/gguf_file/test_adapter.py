"""Headers of GGUF adapters, and the models that they fit."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from phicli.errors import IntegrityError, NotAnAdapterError, NotFoundError, WrongBaseError
from phicli.gguf_file.adapter import check_base, model_tensors, read_adapter
from phicli.gguf_file.header import read_header
from tests.support.files import TINY_PHI
from tests.support.gguf_kinds import split_tiny_phi, untied_tiny_phi, write_projector
from tests.support.lora import tensors, write_gguf

Shapes = dict[str, tuple[int, ...]]


def written(path: Path, shapes: Shapes, architecture: str = "phi3", **strings: str) -> Path:
    """An adapter with matrices of these shapes, as numpy has them."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    for key, value in {"adapter_type": "lora", **strings}.items():
        writer.add_string(key.replace("_", "."), value)
    for name, shape in shapes.items():
        writer.add_tensor(name, np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def pair(name: str, inputs: int, outputs: int, rank: int = 2) -> Shapes:
    return {f"{name}.lora_a": (rank, inputs), f"{name}.lora_b": (outputs, rank)}


def test_without_alpha_the_factor_is_the_scale(tmp_path: Path) -> None:
    header = read_adapter(written(tmp_path / "a.gguf", pair("blk.0.ffn_down.weight", 384, 128)))
    assert (header.alpha, header.base_name) == (0.0, None)
    assert header.factor(header.pairs["blk.0.ffn_down.weight"], 0.25) == 0.25


def test_it_fits_its_base(tmp_path: Path) -> None:
    check_base(read_adapter(write_gguf(tmp_path / "a.gguf")), read_header(TINY_PHI), name="a", model="tiny-phi")


def test_a_base_in_several_files(tmp_path: Path) -> None:
    base = read_header(split_tiny_phi(tmp_path / "parts")[0])
    assert base.split_count > 1
    assert model_tensors(base).keys() == model_tensors(read_header(TINY_PHI)).keys()
    check_base(read_adapter(write_gguf(tmp_path / "a.gguf")), base, name="a", model="tiny-phi")


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (pair("blk.0.ffn_down.weight", 385, 128), "blk.0.ffn_down.weight is 385 x 128 in the adapter, but 384 x 128"),
        (pair("blk.4.ffn_down.weight", 384, 128), "blk.4.ffn_down.weight (384 x 128), and tiny-phi has no such tensor"),
        (pair("blk.0.attn_q.weight", 128, 128), "tiny-phi has no such tensor"),
        (pair("output.weight", 128, 1401), "tiny-phi has no such tensor"),
        (pair("output.weight", 128, 1400), "changes the output layer (lm_head), and tiny-phi has one matrix for"),
        ({"token_embd.weight.lora_a": (1400, 2), "token_embd.weight.lora_b": (128, 2)}, "changes the token embedding"),
        ({"token_embd.weight.lora_a": (1401, 2), "token_embd.weight.lora_b": (128, 2)}, "is 128 x 1401 in the adapter"),
    ],
)
def test_another_base_is_refused_with_the_shapes(tmp_path: Path, shapes: Shapes, words: str) -> None:
    adapter = read_adapter(written(tmp_path / "a.gguf", shapes))
    with pytest.raises(WrongBaseError) as caught:
        check_base(adapter, read_header(TINY_PHI), name="mine", model="tiny-phi")
    assert words in caught.value.message
    assert (caught.value.code, caught.value.exit_code) == ("wrong_base", 2)


def test_the_embedding_lies_the_other_way(tmp_path: Path) -> None:
    shapes: Shapes = {"token_embd.weight.lora_a": (1400, 2), "token_embd.weight.lora_b": (128, 2)}
    adapter = read_adapter(written(tmp_path / "a.gguf", shapes))
    check_base(adapter, read_header(untied_tiny_phi(tmp_path / "untied.gguf")), name="mine", model="untied")


def test_another_architecture(tmp_path: Path) -> None:
    adapter = read_adapter(written(tmp_path / "a.gguf", pair("blk.0.ffn_down.weight", 384, 128), "llama"))
    with pytest.raises(WrongBaseError, match="architecture llama, but tiny-phi has the architecture phi3"):
        check_base(adapter, read_header(TINY_PHI), name="mine", model="tiny-phi")


def test_the_hint_names_the_base_where_the_file_does(tmp_path: Path) -> None:
    wide = tensors(modules={"mlp.down_proj": ("ffn_down", 385, 128)})
    for path, words in (
        (write_gguf(tmp_path / "a.gguf", wide), "it was made for: someone/tiny-phi"),
        (written(tmp_path / "b.gguf", pair("blk.0.ffn_down.weight", 385, 128)), "phi adapters list"),
    ):
        with pytest.raises(WrongBaseError) as caught:
            check_base(read_adapter(path), read_header(TINY_PHI), name="mine", model="tiny-phi")
        assert words in caught.value.hint


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"blk.0.ffn_down.weight.lora_a": (2, 384)}, "only one of the two matrices"),
        ({"a.weight.lora_a": (2, 8), "a.weight.lora_b": (8, 3)}, "do not fit each other"),
        ({"a.weight.lora_a": (8,), "a.weight.lora_b": (8, 1)}, "vectors"),
    ],
)
def test_damaged_adapters(tmp_path: Path, shapes: Shapes, words: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        read_adapter(written(tmp_path / "a.gguf", shapes))
    assert words in caught.value.message


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(NotAnAdapterError, match=r"is a model, not an adapter \(LoRA\)"):
        read_adapter(TINY_PHI)
    with pytest.raises(NotAnAdapterError, match="is a projector"):
        read_adapter(write_projector(tmp_path / "p.gguf"))
    with pytest.raises(NotFoundError):
        read_adapter(tmp_path / "none.gguf")
    with pytest.raises(NotAnAdapterError, match="of the type ia3"):
        read_adapter(written(tmp_path / "i.gguf", pair("a.weight", 8, 8), adapter_type="ia3"))
    cut = write_gguf(tmp_path / "cut.gguf", tensors())
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(IntegrityError):
        read_adapter(cut)

"""Adapters as PEFT saves them: what is converted, and what is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from phicli.adapters.converting import gguf_bytes, write_adapter
from phicli.adapters.peft import folder_of, read_peft
from phicli.adapters.peft_config import base_name_of
from phicli.errors import IntegrityError, NotAnAdapterError, NotFoundError
from phicli.gguf_file.adapter import read_adapter
from tests.support.lora import MODULES, Tensors, tensors, write_peft

LAYER = "base_model.model.model.layers.0"


def matrices(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    reader = gguf.GGUFReader(path)
    return {one.name: gguf.dequantize(one.data, one.tensor_type) for one in reader.tensors}


def converted(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    write_adapter(read_peft(folder), folder / "out.gguf", name="it")
    return matrices(folder / "out.gguf")


def bfloat16(found: Tensors) -> Tensors:
    return {name: (values.view(np.uint32) >> 16).astype(np.uint16) for name, values in found.items()}


def test_conversion_renames_and_changes_no_number(tmp_path: Path) -> None:
    found = tensors()
    made = converted(write_peft(tmp_path, found))
    assert len(made) == len(found) == 2 * 4 * len(MODULES)
    for module, (short, _, _) in MODULES.items():
        for kind in "ab":
            original = found[f"{LAYER}.{module}.lora_{kind.upper()}.weight"]
            assert (made[f"blk.0.{short}.weight.lora_{kind}"] == original).all()


def test_the_header_says_what_llama_cpp_wants_to_know(tmp_path: Path) -> None:
    converted(write_peft(tmp_path))
    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    said = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    assert said == {
        "general.architecture": "phi3", "general.type": "adapter", "general.name": "it",
        "general.base_model.count": 1, "general.base_model.0.name": "someone/tiny-phi",
        "adapter.type": "lora", "adapter.lora.alpha": 8.0,
    }  # fmt: skip
    header = read_adapter(tmp_path / "out.gguf")
    assert (header.ranks, header.alpha, header.base_name, header.parameters) == ((4,), 8.0, "someone/tiny-phi", 32_768)
    assert header.pairs["blk.3.ffn_up.weight"].shape == (128, 768)


@pytest.mark.parametrize(("kind", "written"), [("float32", "F32"), ("float16", "F16"), ("bfloat16", "F32")])
def test_every_type_is_exact(tmp_path: Path, kind: str, written: str) -> None:
    found = tensors()
    if kind == "bfloat16":
        folder = write_peft(tmp_path, bfloat16(found))
        expected = {name: ((values.view(np.uint32) >> 16) << 16).view(np.float32) for name, values in found.items()}
    else:
        expected = {name: values.astype(kind) for name, values in found.items()}
        folder = write_peft(tmp_path, expected)
    made = converted(folder)
    for name, values in expected.items():
        short = name.replace(f"{LAYER}.mlp.down_proj.lora_", "blk.0.ffn_down.weight.lora_").removesuffix(".weight")
        if short != name.removesuffix(".weight"):
            assert (made[short[:-1] + short[-1].lower()] == values).all()
    types = {one.tensor_type.name for one in gguf.GGUFReader(folder / "out.gguf").tensors}
    assert types == {written}


def test_the_size_is_known_before(tmp_path: Path) -> None:
    for name, found in {"f32": tensors(), "f16": {k: v.astype(np.float16) for k, v in tensors().items()}}.items():
        folder = write_peft(tmp_path / name, found)
        converted(folder)
        assert 0 <= gguf_bytes(read_peft(folder)) - (folder / "out.gguf").stat().st_size < 20_000


def test_rank_stabilized_scaling_goes_into_the_second_matrix(tmp_path: Path) -> None:
    found = tensors(rank=9)
    made = converted(write_peft(tmp_path, found, use_rslora=True))
    original = found[f"{LAYER}.mlp.down_proj.lora_B.weight"]
    assert made["blk.0.ffn_down.weight.lora_b"] == pytest.approx(original * 3)  # alpha / 3 is alpha / 9 times 3
    assert (made["blk.0.ffn_down.weight.lora_a"] == found[f"{LAYER}.mlp.down_proj.lora_A.weight"]).all()


def test_ranks_by_module_need_no_pattern(tmp_path: Path) -> None:
    found = tensors(rank=4) | {name: values for name, values in tensors(rank=2).items() if "o_proj" in name}
    write_adapter(read_peft(write_peft(tmp_path, found)), tmp_path / "out.gguf", name="it")
    header = read_adapter(tmp_path / "out.gguf")
    assert header.ranks == (2, 4)
    assert header.factor(header.pairs["blk.0.attn_output.weight"], 0.5) == 2.0


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"peft_type": "IA3"}, "the type IA3, not LORA"),
        ({"use_dora": True}, "use_dora"),
        ({"use_qalora": True}, "use_qalora"),
        ({"bias": "lora_only"}, "it trained biases"),
        ({"lora_bias": True}, "lora_bias"),
        ({"modules_to_save": ["embed_tokens", "lm_head"]}, "modules_to_save): embed_tokens, lm_head"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out"),
        ({"alora_invocation_tokens": [1, 2]}, "alora_invocation_tokens"),
        ({"init_lora_weights": "pissa_niter_16"}, "changed the model"),
        ({"init_lora_weights": "lora_ga"}, "changed the model"),
        ({"lora_alpha": 0}, "changes nothing"),
        ({"arrow_config": {"top_k": 2}}, "arrow_config"),
        ({"warp_factor": 9}, "phi does not know its setting 'warp_factor'"),
    ],
)
def test_what_the_engine_cannot_compute_is_refused(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    with pytest.raises(NotAnAdapterError) as caught:
        read_peft(write_peft(tmp_path, **config))
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("self_attn.q_proj", "it changes q_proj, which Phi-3 and Phi-4 do not have on its own"),
        ("mlp.up_proj", "it changes up_proj"),
        ("block_sparse_moe.gate", "phi knows qkv_proj"),
    ],
)
def test_modules_that_phi_3_does_not_have(tmp_path: Path, module: str, words: str) -> None:
    found = {name.replace("mlp.down_proj", module): values for name, values in tensors().items()}
    with pytest.raises(NotAnAdapterError) as caught:
        read_peft(write_peft(tmp_path, found))
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{LAYER}.mlp.down_proj.lora_B.bias", "it trained a bias (model.layers.0.mlp.down_proj.lora_B.bias)"),
        ("base_model.model.model.embed_tokens.weight", "it has all of model.embed_tokens.weight"),
        ("base_model.model.lm_head.base_layer.weight", "it has all of lm_head.base_layer.weight"),
        ("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta", "is not one of a LoRA adapter"),
        (f"{LAYER}.mlp.down_proj.lora_magnitude_vector", "DoRA"),
        (f"{LAYER}.mlp.down_proj.weight", "is not one of a LoRA adapter"),
    ],
)
def test_tensors_that_are_something_else(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(NotAnAdapterError) as caught:
        read_peft(write_peft(tmp_path, tensors() | {name: np.zeros((2, 2), np.float32)}))
    assert words in caught.value.message


def test_settings_without_a_value_are_not_looked_at(tmp_path: Path) -> None:
    assert read_peft(write_peft(tmp_path, warp_factor=None, shields={}, use_warp=False)).pairs


def test_a_negative_alpha_is_the_opposite(tmp_path: Path) -> None:
    write_adapter(read_peft(write_peft(tmp_path, lora_alpha=-8)), tmp_path / "out.gguf", name="it")
    header = read_adapter(tmp_path / "out.gguf")
    assert {header.factor(pair) for pair in header.pairs.values()} == {-2.0}


def test_the_embedding_lies_the_other_way(tmp_path: Path) -> None:
    name = "base_model.model.model.embed_tokens.lora_embedding_"
    rng = np.random.default_rng(1)
    found = {name + "A": rng.normal(size=(3, 1400)), name + "B": rng.normal(size=(128, 3))}
    found = {key: values.astype(np.float16) for key, values in found.items()}
    made = converted(write_peft(tmp_path, found))
    assert (made["token_embd.weight.lora_a"] == found[name + "A"].T).all()
    assert (made["token_embd.weight.lora_b"] == found[name + "B"]).all()
    pair = read_adapter(tmp_path / "out.gguf").pairs["token_embd.weight"]
    assert (pair.rank, pair.shape) == (3, (128, 1400))


def test_the_matrix_of_the_model_beside_an_adapter_of_it(tmp_path: Path) -> None:
    """PEFT saves it with every adapter of the embedding or of the output layer, which does not change it."""
    name, zeros = "base_model.model.lm_head.", np.zeros
    found = {
        "lora_A.weight": zeros((2, 128)),
        "lora_B.weight": zeros((1400, 2)),
        "base_layer.weight": zeros((1400, 128)),
    }
    folder = write_peft(tmp_path, {name + key: values.astype(np.float32) for key, values in found.items()})
    assert set(converted(folder)) == {"output.weight.lora_a", "output.weight.lora_b"}


@pytest.mark.parametrize(("value", "alpha"), [(np.nan, 8), (np.inf, 8), (3e38, 80)])
def test_values_that_are_not_numbers_are_refused(tmp_path: Path, value: float, alpha: float) -> None:
    found = tensors()
    found[f"{LAYER}.mlp.down_proj.lora_B.weight"][5, 1] = value
    folder = write_peft(tmp_path, found, alpha_pattern={"down_proj": alpha})
    with pytest.raises(IntegrityError, match=r"down_proj\.lora_B\.weight has values that are not numbers") as caught:
        converted(folder)
    assert "smaller learning rate" in caught.value.hint
    assert not (folder / "out.gguf").exists()


def test_matrices_that_do_not_fit_each_other(tmp_path: Path) -> None:
    name = f"{LAYER}.mlp.down_proj.lora_A.weight"
    with pytest.raises(IntegrityError, match="5 x 384 and 128 x 4"):
        read_peft(write_peft(tmp_path / "a", tensors() | {name: np.zeros((5, 384), np.float32)}))
    lonely = {key: values for key, values in tensors().items() if key != name}
    with pytest.raises(IntegrityError, match="only one of the two matrices"):
        read_peft(write_peft(tmp_path / "b", lonely))
    with pytest.raises(IntegrityError, match="no tensors"):
        read_peft(write_peft(tmp_path / "c", {}))


def test_a_folder_that_lacks_a_file(tmp_path: Path) -> None:
    folder = write_peft(tmp_path)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(NotFoundError, match=r"has no adapter_model\.safetensors"):
        read_peft(folder)
    (folder / "adapter_model-00001-of-00002.safetensors").write_bytes(b"")
    with pytest.raises(NotFoundError, match="in 1 parts"):
        read_peft(folder)
    (folder / "adapter_model.bin").write_bytes(b"\x80\x02")
    with pytest.raises(NotFoundError, match="a Python pickle") as caught:
        read_peft(folder)
    assert "safe_serialization=True" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe{}", b"[" * 100_000])
def test_a_config_that_is_none(tmp_path: Path, content: bytes) -> None:
    folder = write_peft(tmp_path)
    (folder / "adapter_config.json").write_bytes(content)
    with pytest.raises(IntegrityError):
        read_peft(folder)


@pytest.mark.parametrize(
    "change",
    [{"lora_alpha": "8"}, {"lora_alpha": True}, {"lora_alpha": None}, {"lora_alpha": 10**400}, {"alpha_pattern": [1]}],
)
def test_a_config_with_values_of_the_wrong_type(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        read_peft(write_peft(tmp_path, **change))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("microsoft/Phi-4-mini-instruct", "microsoft/Phi-4-mini-instruct"),
        ("/home/me/models/Phi-4", "Phi-4"),
        ("C:\\models\\Phi-4", "Phi-4"),
        ("./mine", "mine"),
        ("../a/b/", "b"),
        ("", None),
        ("a\nb", None),
        (7, None),
    ],
)
def test_the_name_of_the_base_has_no_folders_of_others(named: Any, expected: str | None) -> None:
    assert base_name_of({"base_model_name_or_path": named}) == expected


def test_its_files_stand_for_the_folder(tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "mine")
    for path in (folder, folder / "adapter_config.json", folder / "adapter_model.safetensors"):
        assert folder_of(path) == folder
    assert folder_of(tmp_path) is None


# ------------------------------------------------------------------------------------------------------- safetensors

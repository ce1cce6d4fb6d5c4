"""The alphas of the modules, as PEFT finds them by patterns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from phicli.adapters.alphas import alpha_of
from phicli.adapters.converting import write_adapter
from phicli.adapters.peft import read_peft
from phicli.errors import IntegrityError, NotAnAdapterError
from phicli.gguf_file.adapter import read_adapter
from tests.adapters.test_peft import matrices
from tests.support.lora import tensors, write_peft

MODULES = [f"model.layers.{n}.{name}" for n in (0, 1, 10) for name in ("mlp.down_proj", "self_attn.o_proj")] + [
    "lm_head"
]
FOLDER = Path("it")


def peft_matches(pattern: str, module: str) -> bool:
    """What ``peft.utils.other.get_pattern_key`` looks for."""
    return re.match(rf"(.*\.)?({pattern})$", module) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "down_proj", "down.proj", "proj", "o_proj|lm_head", "layers.0.mlp.down_proj", "^model.layers.1.mlp.down_proj",
        "^layers.1.mlp.down_proj", r"layers\.[01]\.self_attn\.o_proj", r"layers\.\d\.mlp\.\w+", r".*\.1.*_proj",
        "(mlp|self_attn)[.]down_proj", "lm_head$",
    ],
)  # fmt: skip
def test_patterns_match_as_those_of_peft(pattern: str) -> None:
    expected = [3 if peft_matches(pattern, module) else 8 for module in MODULES]
    assert [alpha_of(FOLDER, {"alpha_pattern": {pattern: 3}}, module, 8) for module in MODULES] == expected


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", "a{99}", ".*.*.*.*.*b", "a**", "(", "[", "", "(?i)x", "x" * 501]
)
def test_patterns_that_could_take_long_or_are_wrong(pattern: str) -> None:
    with pytest.raises(NotAnAdapterError, match="which phi does not read") as caught:
        alpha_of(FOLDER, {"alpha_pattern": {pattern: 3}}, "a" * 100, 8)
    assert "names of the modules" in caught.value.hint


def test_two_alphas_for_one_module(tmp_path: Path) -> None:
    """PEFT sorts them when it saves them: then another one comes first than in the training."""
    patterns = {"layers.2.self_attn.o_proj": 1, "o_proj": 3}
    with pytest.raises(NotAnAdapterError, match=r"two alphas .*: 1 \(layers\.2\.self_attn\.o_proj\) and 3 \(o_proj\)"):
        read_peft(write_peft(tmp_path, alpha_pattern=patterns))
    same = {"alpha_pattern": dict.fromkeys(patterns, 3)}
    assert alpha_of(FOLDER, same, "model.layers.2.self_attn.o_proj", 8) == 3


@pytest.mark.parametrize("change", [[1], {"down_proj": "3"}, {"down_proj": None}, {"down_proj": True}])
def test_values_of_the_wrong_type(change: object) -> None:
    with pytest.raises(IntegrityError):
        alpha_of(FOLDER, {"alpha_pattern": change}, "mlp.down_proj", 8)


def test_the_alpha_goes_into_the_second_matrix(tmp_path: Path) -> None:
    found = tensors()
    write_adapter(
        read_peft(write_peft(tmp_path, found, alpha_pattern={"down.proj": 4})), tmp_path / "a.gguf", name="it"
    )
    made, layer = matrices(tmp_path / "a.gguf"), "base_model.model.model.layers.0.mlp"
    assert made["blk.0.ffn_down.weight.lora_b"] == pytest.approx(found[f"{layer}.down_proj.lora_B.weight"] / 2)
    assert (made["blk.0.ffn_up.weight.lora_b"] == found[f"{layer}.gate_up_proj.lora_B.weight"]).all()
    assert read_adapter(tmp_path / "a.gguf").alpha == 8

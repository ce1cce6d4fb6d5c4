"""Which files are of the model that an adapter was trained for."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.gguf_file.adapter import AdapterHeader, read_adapter
from phicli.plan.adapted import models_of_base
from phicli.plan.locate import locate
from tests.support.cache_layout import NEW, Repo
from tests.support.files import TINY_PHI
from tests.support.lora import MODULES, tensors, write_gguf
from tests.support.requantised import requantise


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def adapter(tmp_path: Path) -> AdapterHeader:
    return read_adapter(write_gguf(tmp_path / "keys.gguf"))


def put(cache: Path, repo: str, filename: str, content: bytes) -> None:
    made = Repo(cache, repo)
    made.put(NEW, filename, content)
    made.ref(NEW)


def test_the_built_in_model(cache: Path, adapter: AdapterHeader) -> None:
    assert models_of_base(adapter, "tiny-phi") == ("tiny-phi",)
    assert models_of_base(adapter, "Phi-4-mini-instruct") == ()


def test_the_least_quantized_file_comes_first(cache: Path, adapter: AdapterHeader, tmp_path: Path) -> None:
    for quant in ("Q4_0", "Q8_0"):
        small = requantise(TINY_PHI, tmp_path / f"{quant}.gguf", quant)
        put(cache, "unsloth/Phi-4-mini-instruct-GGUF", f"Phi-4-mini-instruct-{quant}.gguf", small.read_bytes())
    found = models_of_base(adapter, "Phi-4-mini-instruct")
    assert [locate(name).path.name for name in found] == [
        f"Phi-4-mini-instruct-{quant}.gguf" for quant in ("Q8_0", "Q4_0")
    ]
    assert models_of_base(adapter, "Phi-4-mini-reasoning") == ()  # the same shapes, but another model


def test_what_does_not_fit_is_left_out(cache: Path, tmp_path: Path) -> None:
    other = tensors(modules={**MODULES, "self_attn.o_proj": ("attn_output", 64, 128)})
    assert models_of_base(read_adapter(write_gguf(tmp_path / "other.gguf", other)), "tiny-phi") == ()


def test_a_model_that_the_catalog_does_not_know(cache: Path, adapter: AdapterHeader) -> None:
    put(cache, "me/mine", "mine-f16.gguf", TINY_PHI.read_bytes())
    assert models_of_base(adapter, "mine") == ("me/mine:f16",)
    assert models_of_base(adapter, "yours") == ()

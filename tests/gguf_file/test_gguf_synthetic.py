from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.errors import UsageError
from phicli.gguf_file.header import read_header
from phicli.gguf_file.recipe import tensor_type
from phicli.gguf_file.synthetic import PHI_3_MINI, PHI_4_MINI, SyntheticShape, write_synthetic
from phicli.gguf_file.synthetic_vocabulary import synthetic_vocabulary
from tests.support.shapes import PHI_4

pytest.importorskip("gguf")

SMALL = SyntheticShape("small", 2, 256, 512, 4, 2, 64, 48, 2048, True, 1024, 256)
UNTIED = replace(SMALL, tied=False, original_context_tokens=None)


def test_the_vocabulary_of_phi_4_mini_has_its_special_tokens_in_place() -> None:
    vocabulary = synthetic_vocabulary(200_064)
    assert len(vocabulary.tokens) == len(vocabulary.types) == len(set(vocabulary.tokens)) == 200_064
    expected = {199_999: "<|endoftext|>", 200_019: "<|assistant|>", 200_020: "<|end|>", 200_021: "<|user|>",
                200_022: "<|system|>", 200_023: "<|tool|>", 200_025: "<|tool_call|>"}  # fmt: skip
    assert {number: vocabulary.tokens[number] for number in expected} == expected
    assert all(vocabulary.types[number] == 3 for number in expected)
    assert (vocabulary.bos_id, vocabulary.eot_id) == (199_999, 200_020)


@pytest.mark.parametrize("size", [1024, 2048, 32_064, 100_352, 200_064])
def test_every_merge_makes_a_token_of_tokens_that_come_before(size: int) -> None:
    vocabulary = synthetic_vocabulary(size)
    place = {token: number for number, token in enumerate(vocabulary.tokens)}
    assert len(vocabulary.merges) == size - 65 - 256
    for merge in vocabulary.merges:
        left, right = merge.split(" ")
        assert max(place[left], place[right]) < place[left + right]


@pytest.mark.parametrize(
    ("shape", "quant", "published_bytes"),
    [
        (PHI_4_MINI, "Q4_K_M", 2_491_874_272),
        (PHI_4_MINI, "Q8_0", 4_084_611_456),
        (PHI_3_MINI, "Q4_K_M", 2_393_232_672),
        (PHI_3_MINI, "Q5_K_M", 2_815_276_320),
        (PHI_3_MINI, "Q6_K", 3_135_853_344),
        (PHI_3_MINI, "Q8_0", 4_061_222_688),
        (PHI_4, "Q4_K_M", 9_053_114_816),
        (PHI_4, "Q5_K_M", 10_604_188_096),
        (PHI_4, "Q6_K", 12_030_251_456),
    ],
)
def test_the_recipe_gives_the_published_sizes(shape: SyntheticShape, quant: str, published_bytes: int) -> None:
    from phicli.gguf_file.synthetic import _size_bytes, _tensors

    weights = sum(_size_bytes(tensor) for tensor in _tensors(shape, quant))
    assert weights == pytest.approx(published_bytes, rel=0.005)
    assert weights < published_bytes  # which has a header as well


def test_the_recipe_of_q4_k_m() -> None:
    down = [tensor_type("Q4_K_M", "ffn_down", layer=i, layers=32, tied=True) for i in range(32)]
    assert down[:4] == down[28:] == ["Q6_K"] * 4
    assert [place for place, kind in enumerate(down[4:28], 4) if kind == "Q6_K"] == [6, 9, 12, 15, 18, 21, 24, 27]
    assert tensor_type("Q4_K_M", "token_embd", layer=0, layers=32, tied=True) == "Q6_K"
    assert tensor_type("Q4_K_M", "token_embd", layer=0, layers=32, tied=False) == "Q4_K"


@pytest.mark.parametrize("quant", ["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"])
@pytest.mark.parametrize("shape", [SMALL, UNTIED], ids=["tied", "untied"])
def test_a_small_file_reads_back(tmp_path: Path, shape: SyntheticShape, quant: str) -> None:
    path = tmp_path / "deep" / "a.gguf"
    written = write_synthetic(path, shape, quant=quant)
    header = read_header(path)
    assert header.file_size_bytes == written == path.stat().st_size
    assert (header.architecture, header.quant, header.block_count) == ("phi3", quant, 2)
    assert (header.head_counts, header.kv_head_counts, header.key_length) == ((4,), (2,), 64)
    assert header.original_context_length == shape.original_context_tokens
    assert (header.tensor("output.weight") is None) is shape.tied
    assert (header.tensor("rope_factors_long.weight") is None) is (shape.original_context_tokens is None)
    qkv = header.tensor("blk.1.attn_qkv.weight")
    assert qkv is not None
    assert qkv.shape == (256, 256 + 2 * 128)
    assert [entry.name for entry in tmp_path.joinpath("deep").iterdir()] == ["a.gguf"]


def test_the_weights_are_finite_and_small(tmp_path: Path) -> None:
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize

    for quant in ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16"):
        path = tmp_path / f"{quant}.gguf"
        write_synthetic(path, UNTIED, quant=quant)
        for tensor in GGUFReader(path).tensors:
            if "norm" not in tensor.name:
                values = dequantize(tensor.data, tensor.tensor_type)
                assert np.isfinite(values).all(), tensor.name
                assert 0.005 < values.std() < 0.05, (quant, tensor.name, values.std())


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    def digest(name: str, seed: int) -> str:
        write_synthetic(tmp_path / name, SMALL, seed=seed)
        return hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()

    assert digest("a", 1) == digest("b", 1) != digest("c", 2)


def test_fewer_layers(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "a.gguf", SMALL, layers=1)
    assert read_header(tmp_path / "a.gguf").block_count == 1


def test_an_unknown_quant_is_a_usage_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Q9"):
        write_synthetic(tmp_path / "a.gguf", SMALL, quant="Q9")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_without_the_gguf_package_the_error_says_what_to_install() -> None:
    code = """
import sys
sys.modules["gguf"] = None
from pathlib import Path
from phicli.errors import UsageError
from phicli.gguf_file.synthetic import write_synthetic
try:
    write_synthetic(Path("never.gguf"))
except UsageError as error:
    print(error.message, error.hint)
"""
    root = Path(__file__).parents[2]
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert "pip install ." in out.stdout
    assert "gguf" in out.stdout


ENGINE = """
import http.client, json, os, sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx, params.n_parallel, params.n_batch, params.n_ubatch = 256, 1, 128, 128
params.verbosity, params.warmup, params.fit_params, params.cache_ram_mib = 1, False, False, 0
params.hostnames, params.port, params.api_keys, params.ui = ["127.0.0.1"], 0, ["k"], False
server = xllamacpp.Server(params)
host = server.listening_address.removeprefix("http://")
connection = http.client.HTTPConnection(host)
body = json.dumps({"prompt": [300, 400, 500], "n_predict": 8, "ignore_eos": True})
connection.request("POST", "/completion", body, {"Authorization": "Bearer k"})
print(json.loads(connection.getresponse().read())["timings"]["predicted_n"], flush=True)
os._exit(0)
"""


@pytest.mark.process
@pytest.mark.parametrize("shape", [SMALL, UNTIED], ids=["tied", "untied"])
def test_the_engine_loads_it_and_generates(tmp_path: Path, shape: SyntheticShape) -> None:
    pytest.importorskip("xllamacpp")
    write_synthetic(tmp_path / "a.gguf", shape)
    command = [sys.executable, "-c", ENGINE, str(tmp_path / "a.gguf")]
    out = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert out.stdout.strip() == "8", out.stderr[-2000:]

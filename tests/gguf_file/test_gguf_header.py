from __future__ import annotations

import time
from pathlib import Path

import gguf_bytes as make
import pytest

from phicli.errors import IntegrityError
from phicli.gguf_file import ggml_types
from phicli.gguf_file.header import read_any_header, read_header


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_facts_of_a_small_file(tmp_path: Path) -> None:
    data = make.small_file()
    header = read_header(write(tmp_path / "a.gguf", data))
    assert (header.version, header.architecture, header.name, header.quant) == (3, "phi3", "Tiny", "Q4_K_M")
    assert (header.context_length, header.original_context_length, header.block_count) == (1024, 256, 2)
    assert (header.head_counts, header.kv_head_counts, header.key_length, header.value_length) == ((4,), (2,), 16, 16)
    assert (header.embedding_length, header.feed_forward_lengths) == (64, (128,))
    assert header.chat_template == "{{ messages }}"
    assert header.metadata["general.languages"] == ("en", "de")
    assert "tokenizer.ggml.tokens" not in header.metadata
    assert header.file_size_bytes == len(data)
    assert header.weights_bytes == 4 * 144 + 32
    embedding = header.tensor("token_embd.weight")
    assert embedding is not None
    assert (embedding.shape, embedding.type_name, embedding.elements) == ((256, 4), "Q4_K", 1024)
    assert header.data_offset + 576 + 32 == len(data)


def test_special_tokens_are_found_wherever_they_are(tmp_path: Path) -> None:
    tokens = [f"t{number}" for number in range(1000)]
    places = {
        0: "<|user|>",
        255: "<|end|>",
        256: "<|tool_call|>",
        511: "<unused>",
        512: "<|assistant|>",
        999: "<|endoftext|>",
    }
    for place, literal in places.items():
        tokens[place] = literal
    tokens[300] = "x" * 400  # too long for the fast path
    header = read_any_header(write(tmp_path / "a.gguf", make.gguf(make.phi3_pairs(tokens, []))))
    assert header.vocabulary is not None
    found = {index: token.literal for index, token in header.vocabulary.special_tokens.items()}
    assert found == places
    assert header.vocabulary.special_tokens[256].kind == ggml_types.TOKEN_USER_DEFINED
    assert (header.vocabulary.size, header.vocabulary.bos_id, header.vocabulary.eos_id) == (1000, 0, 2)
    assert header.vocabulary.add_bos is False


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, 6, 257, -1, None])
def test_special_tokens_are_known_however_the_file_marks_them(tmp_path: Path, kind: int | None) -> None:
    """Undefined, normal, unknown, control, user-defined, unused, byte; and without any marks."""
    tokens = [f"t{number}" for number in range(700)]
    special = {0: "</s>", 255: "<|user|>", 256: "<think>", 300: "<|end|>", 699: "<|/tool_call|>"}
    ordinary = {
        1: "<|",
        2: "|>",
        3: "<||>",
        4: "a<|end|>",
        5: "<|end|> ",
        6: "<br>",
        7: "<|a|b|>",
        8: "<|" + "x" * 80 + "|>",
    }
    for place, literal in (special | ordinary).items():
        tokens[place] = literal
    marks = [kind if place in special else 1 for place in range(700)]
    types = None if kind is None else make.array("tokenizer.ggml.token_type", make.I32, marks)
    eos = make.pair("tokenizer.ggml.eos_token_id", make.U32, 0)
    header = read_any_header(write(tmp_path / "a.gguf", make.gguf(make.phi3_pairs(tokens, [], types=types, eos=eos))))
    assert header.vocabulary is not None
    assert {place: token.literal for place, token in header.vocabulary.special_tokens.items()} == special


def test_a_named_token_that_is_a_word_is_not_special(tmp_path: Path) -> None:
    eos = make.pair("tokenizer.ggml.eos_token_id", make.U32, 7)
    header = read_any_header(
        write(tmp_path / "a.gguf", make.gguf(make.phi3_pairs([f"t{n}" for n in range(9)], [], eos=eos)))
    )
    assert header.vocabulary is not None
    assert header.vocabulary.special_tokens == {}


def test_what_the_file_does_not_say(tmp_path: Path) -> None:
    data = make.small_file(add_bos=None, original=None, kv_heads=None, name=None, file_type=None, types=None)
    header = read_header(write(tmp_path / "a.gguf", data))
    assert header.vocabulary is not None
    assert header.vocabulary.add_bos is None
    assert {token.kind for token in header.vocabulary.special_tokens.values()} == {ggml_types.TOKEN_NORMAL}
    assert (header.original_context_length, header.name, header.quant) == (None, None, None)
    assert header.kv_head_counts == (4,)


def test_per_layer_heads_and_a_file_without_vocabulary(tmp_path: Path) -> None:
    without = dict.fromkeys(("tokens", "types", "merges", "bos", "eos", "add_bos", "model"))
    kv_heads = make.array("phi3.attention.head_count_kv", make.I32, [2, 0])
    header = read_header(write(tmp_path / "a.gguf", make.small_file(**without, kv_heads=kv_heads)))
    assert header.kv_head_counts == (2, 0)
    assert header.vocabulary is None


def test_a_tensor_type_newer_than_our_table_is_as_long_as_the_gap(tmp_path: Path) -> None:
    tensors = [make.tensor("a", (64,), 99, 0), make.tensor("b", (8,), 0, 96)]
    header = read_header(write(tmp_path / "a.gguf", make.gguf(make.phi3_pairs(["t"], []), tensors, 128)))
    assert [tensor.size_bytes for tensor in header.tensors] == [96, 32]


def test_version_2_is_read(tmp_path: Path) -> None:
    header = read_any_header(write(tmp_path / "a.gguf", make.gguf(make.phi3_pairs(["t"], []), version=2)))
    assert header.version == 2


def test_a_header_of_the_size_of_phi_4_mini_is_fast(tmp_path: Path) -> None:
    tokens = [f"{number:x}" + "y" * (number % 9) for number in range(200_064 - 6)] + list(make.SPECIALS)
    merges = [f"{number:x} {number % 977:x}" for number in range(199_742)]
    path = write(tmp_path / "a.gguf", make.gguf(make.phi3_pairs(tokens, merges)))
    best = 60.0
    for _ in range(3):
        started = time.process_time()
        header = read_any_header(path)
        best = min(best, time.process_time() - started)
    assert header.vocabulary is not None
    assert (header.vocabulary.size, header.vocabulary.merges, len(header.vocabulary.special_tokens)) == (
        200_064,
        199_742,
        6,
    )
    assert best < 0.25  # of processor time; measured 0.03 s on an idle machine


def test_the_tables_agree_with_the_gguf_package() -> None:
    constants = pytest.importorskip("gguf.constants")
    theirs = {int(kind): (kind.name, *sizes) for kind, sizes in constants.GGML_QUANT_SIZES.items()}
    ours = dict(ggml_types.TENSOR_TYPES)
    assert {kind: ours.get(kind) for kind in theirs if kind in ours} == {k: v for k, v in theirs.items() if k in ours}
    assert set(ours) <= set(theirs)
    names = {int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_") for kind in constants.LlamaFileType}
    assert all(names[number] == name for number, name in ggml_types.FILE_TYPES.items())


def test_a_file_of_the_gguf_package_reads_the_same(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "theirs.gguf"
    writer = gguf.GGUFWriter(path, "phi3")
    writer.add_context_length(4096)
    writer.add_head_count(8)
    writer.add_embedding_length(64)
    writer.add_token_list(["a", "<|end|>"])
    writer.add_token_types([1, 3])
    writer.add_tensor("token_embd.weight", numpy.zeros((3, 64), dtype=numpy.float32))
    writer.add_tensor("output_norm.weight", numpy.zeros(5, dtype=numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header, reader = read_header(path), gguf.GGUFReader(path)
    assert header.data_offset == reader.data_offset
    expected = [(str(t.name), tuple(int(n) for n in t.shape), int(t.n_bytes)) for t in reader.tensors]
    assert [(t.name, t.shape, t.size_bytes) for t in header.tensors] == expected
    assert [t.offset + header.data_offset for t in header.tensors] == [int(t.data_offset) for t in reader.tensors]
    assert header.context_length == 4096
    assert header.vocabulary is not None
    assert [(i, t.literal) for i, t in header.vocabulary.special_tokens.items()] == [(1, "<|end|>")]


def test_wrong_types_of_values_are_damage(tmp_path: Path) -> None:
    for name, part in {
        "context": make.pair("phi3.context_length", make.STRING, "many"),
        "heads": make.pair("phi3.attention.head_count", make.F32, 4.0),
        "name": make.pair("general.name", make.U32, 4),
        "add_bos": make.pair("tokenizer.ggml.add_bos_token", make.U32, 1),
        "tokens": make.array("tokenizer.ggml.tokens", make.U32, [1, 2]),
        "types": make.array("tokenizer.ggml.token_type", make.I32, [1, 2]),
        "architecture": make.pair("general.architecture", make.STRING, ""),
        "file_type": make.pair("general.name", make.STRING, "twice"),
        "tags": make.pair("general.alignment", make.U32, 33),
    }.items():
        with pytest.raises(IntegrityError, match="damaged"):
            read_header(write(tmp_path / "a.gguf", make.small_file(**{name: part})))

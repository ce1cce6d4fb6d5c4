"""``python -m training.tiny_phi.hf_folder FOLDER``: tiny-phi as transformers saves a model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gguf

from training.tiny_phi.export import CHAT_TEMPLATE
from training.tiny_phi.messages import SPECIALS
from training.tiny_phi.tokenizer import pipeline
from training.tiny_phi.twin import SHIPPED, load_twin


def tokenizer_json(path: Path = SHIPPED) -> dict[str, Any]:
    """The content of ``tokenizer.json`` with the vocabulary of the GGUF file at ``path``."""
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [merge.split(" ") for merge in fields["tokenizer.ggml.merges"].contents()]
    made: dict[str, Any] = json.loads(pipeline().to_str())
    made["model"]["vocab"] = {token: number for number, token in enumerate(tokens) if token not in SPECIALS}
    made["model"]["merges"] = merges
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    made["added_tokens"] = [
        {"id": tokens.index(literal), "content": literal, **flags, "special": True} for literal in SPECIALS
    ]
    return made


def write_folder(folder: Path) -> None:
    """Write configuration, weights and tokenizer to ``folder``, which is made."""
    load_twin().save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(), ensure_ascii=False), encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|endoftext|>",
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_folder(Path(sys.argv[1]))

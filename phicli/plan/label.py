"""A name is a label: what ``general.name`` makes llama.cpp do, and where it should not.

llama.cpp reads "phi-3" in that name as a promise about the vocabulary: it drops white space behind every special
token, and looks for ``</s>``, ``<unk>``, ``<s>`` and ``<|endoftext|>``. A file with such a name and another vocabulary
does not load where it lacks one of them (``_Map_base::at``), and is tokenized wrongly where it has all.
"""

from __future__ import annotations

from typing import Final

from phicli.gguf_file.types import GgufHeader

_NEUTRAL: Final = "another model"
_SAYS_PHI3: Final = ("phi-3", "phi3")
_PHI3_TOKENS: Final = frozenset({"<s>", "</s>", "<unk>", "<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>"})


def says_phi3(name: str | None) -> bool:
    """Whether llama.cpp takes a model of that name for a Phi-3."""
    return any(part in (name or "").lower() for part in _SAYS_PHI3)


def is_mislabeled(header: GgufHeader) -> bool:
    """Whether the name says Phi-3 and the vocabulary is another one."""
    vocabulary = header.vocabulary
    if vocabulary is None or not says_phi3(header.name):
        return False
    literals = {token.literal for token in vocabulary.special_tokens.values()}
    return vocabulary.model != "llama" or not literals >= _PHI3_TOKENS


def name_for_engine(header: GgufHeader) -> str | None:
    """The name that the engine gets instead of the file's; None where the file's own does no harm."""
    return _NEUTRAL if is_mislabeled(header) else None

"""Names of quantizations: which is taken when nothing is said, how they are written and compared, what people mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from phicli.catalog.names import squash

PREFERRED_QUANTS: Final = ("Q4_K_M", "Q4_K_L", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS", "Q4_K_S", "Q4_0")
"""What is taken when nothing is said: the usual balance first, then what loses less, then what is smaller."""

PACKAGED_QUANT: Final = "F16"
"""That of the model that comes with ``phi``."""

_QUANT: Final = (
    r"(?:UD-)?(?:IQ[1-4]_(?:XXS|XS|S|M|NL)|TQ[12]_0|Q[2-8]_K(?:_(?:XXL|XL|L|M|S|P))?|Q[1-8]_[01](?:_[48]_[48])?"
    r"|BF16|F16|FP16|F32|MXFP4(?:_MOE)?|NVFP4)"
)
_SHORT: Final = {
    "q2": "Q2_K", "q3": "Q3_K_M", "q3k": "Q3_K_M", "q4": "Q4_K_M", "q4k": "Q4_K_M", "q5": "Q5_K_M", "q5k": "Q5_K_M",
    "q6": "Q6_K", "q8": "Q8_0",
}  # fmt: skip
"""Short forms, squashed, and what they mean where no file has that very name (llama.cpp's own list has q4_k so)."""
_NOISE: Final = frozenset({"gguf", "ggml", "imat", "imatrix", "i1", "ud", "model"})
"""Words in the name of a file that do not tell one model from another."""

_Item = TypeVar("_Item")


def preference(quant: str | None) -> int:
    """The place of ``quant`` among those that are taken when nothing is said; the least is taken."""
    return PREFERRED_QUANTS.index(quant) if quant in PREFERRED_QUANTS else len(PREFERRED_QUANTS)


def as_quant(text: str) -> str | None:
    """``text`` as quantizations are written (``q4-k-m`` is ``Q4_K_M``), None when it is not the name of one."""
    written = text.upper().replace("-", "_").replace("UD_", "UD-").replace("FP16", "F16")
    return written if re.fullmatch(_QUANT, written) else None


def same_quant(one: str | None, other: str | None) -> bool:
    """Whether both are the same quantization; case and separators do not matter, and an unknown one equals no other."""
    return one is not None and other is not None and _squashed(one) == _squashed(other)


def long_form(quant: str) -> str | None:
    """What a short form means, ``Q4_K_M`` for ``q4``; None for a name that is none."""
    return _SHORT.get(squash(quant))


def meant(asked: str, items: Iterable[_Item], quant_of: Callable[[_Item], str | None]) -> list[_Item]:
    """Those of ``items`` whose quantization a person means with ``asked``.

    That is the one that is written so, else the same without ``UD-`` (``q4_k_xl`` for ``UD-Q4_K_XL``), else the one
    that ``asked`` is short for.
    """
    known = [(item, quant) for item in items if (quant := quant_of(item)) is not None]
    for wanted in filter(None, (asked, long_form(asked))):
        exact = [item for item, quant in known if same_quant(quant, wanted)]
        if found := exact or [item for item, quant in known if same_quant(quant.removeprefix("UD-"), wanted)]:
            return found
    return []


def explained(asked: str, taken: str | None) -> str | None:
    """A sentence about what ``asked`` was taken for; None where it says so itself, or is not a quantization."""
    if not asked or taken is None or same_quant(asked, taken) or taken not in meant(asked, [taken], str):
        return None
    return f"{asked} means {taken} here"


def quant_of_filename(filename: str) -> str | None:
    """The quantization in a file's name, else in that of a folder around it, in capitals.

    Names use dots, dashes and either case.
    """
    for part in reversed(filename.split("/")):
        found: list[str] = re.findall(rf"(?:^|[-._])({_QUANT})(?=$|[-._])", part, re.IGNORECASE)
        if found:
            return as_quant(found[-1])
    return None


def without_quant(filename: str) -> str:
    """What is left of a file's name, to compare models, when quantization, part number and noise are taken away.

    It is the name of the folder where the file's own says nothing else.
    """
    for part in reversed(filename.split("/")):
        stem = re.sub(r"(?i)(?:-\d{5}-of-\d{5})?\.gguf$", "", part)
        stem = re.sub(rf"(?i)(?:^|[-._])(?:{_QUANT}|i?q\d)(?=$|[-._])", "", stem)
        if rest := "".join(word for word in re.split(r"[-._ ]+", stem.casefold()) if word not in _NOISE):
            return rest
    return ""


def _squashed(quant: str) -> str:
    return squash(quant).replace("fp16", "f16")

"""Names of quantizations: which is taken when nothing is said, and how they are written and compared."""

from __future__ import annotations

import re
from typing import Final

from phicli.catalog.names import squash

PREFERRED_QUANTS: Final = ("Q4_K_M", "Q4_K_L", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS", "Q4_K_S", "Q4_0")
"""What is taken when nothing is said: the usual balance first, then what loses less, then what is smaller."""

PACKAGED_QUANT: Final = "F16"
"""That of the model that comes with ``phi``."""

_QUANT: Final = (
    r"(?:UD-)?(?:IQ[1-4]_(?:XXS|XS|S|M|NL)|TQ[12]_0|Q[2-6]_K_(?:XL|L|M|S)|Q[2-8]_K(?:_XL)?|Q[1-8]_[01](?:_[48]_[48])?"
    r"|BF16|F16|FP16|F32|MXFP4(?:_MOE)?|NVFP4)"
)


def preference(quant: str | None) -> int:
    """The place of ``quant`` among those that are taken when nothing is said; the least is taken."""
    return PREFERRED_QUANTS.index(quant) if quant in PREFERRED_QUANTS else len(PREFERRED_QUANTS)


def as_quant(text: str) -> str | None:
    """``text`` as quantizations are written (``q4-k-m`` is ``Q4_K_M``), None when it is not the name of one."""
    written = text.upper().replace("-", "_").replace("UD_", "UD-").replace("FP16", "F16")
    return written if re.fullmatch(_QUANT, written) else None


def same_quant(one: str | None, other: str | None) -> bool:
    """Whether both are the same quantization; case and separators do not matter, and an unknown one equals no other."""
    return one is not None and other is not None and squash(one) == squash(other)


def quant_of_filename(filename: str) -> str | None:
    """The quantization in a file's name, in capitals: names use dots, dashes and either case."""
    base = filename.rpartition("/")[2]
    found: list[str] = re.findall(rf"(?:^|[-._])({_QUANT})(?=$|[-._])", base, re.IGNORECASE)
    return as_quant(found[-1]) if found else None

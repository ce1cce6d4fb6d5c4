"""How names are compared: without case, and without the signs that people put between the parts."""

from __future__ import annotations

import re
from typing import Final

_BETWEEN: Final = re.compile(r"[-_ .]+")
_QUANT: Final = re.compile(r"(UD-)?(I?Q[1-8]|TQ[12]|BF16|F16|F32|MXFP4|NVFP4)(_[0-9A-Z]+)*", re.IGNORECASE)


def squash(name: str) -> str:
    """``name`` as it is compared: ``Phi_4-mini`` and ``phi4-mini`` are the same."""
    return _BETWEEN.sub("", name.casefold())


def looks_like_quant(text: str) -> bool:
    """Whether ``text`` is written like the name of a quantisation (``q4_k_m``, ``IQ3_XS``, ``bf16``)."""
    return _QUANT.fullmatch(text.replace("-", "_").replace("UD_", "UD-").replace("ud_", "ud-")) is not None

"""Which model of the catalog a remote means by the name that it has for it."""

from __future__ import annotations

import re
from typing import Final

from phicli.catalog.resolve import resolve
from phicli.catalog.types import Variant
from phicli.errors import NotFoundError

_END: Final = re.compile(
    r"(\.gguf|-gguf|-onnx|-fp8|-fp16|-bf16|-awq|-gptq|-int4|-[0-9]+bit|-generic-(cpu|gpu|npu))$", re.IGNORECASE
)
_QUANT: Final = re.compile(r"[-.:@](i?q[0-9][a-z0-9_]*|f16|bf16|f32)$", re.IGNORECASE)


def variant_named(name: str) -> Variant | None:
    """The variant that ``name`` seems to mean; None where it is another model, or not known.

    A name such as ``microsoft/Phi-4-mini-instruct``, ``phi4-mini:latest`` or ``/models/Phi-4-Q4_K_M.gguf`` says which
    model it is; the name of a deployment need not.
    """
    text = name.strip().rpartition("/")[2].removesuffix(":latest").removeprefix("microsoft_")
    for _ in range(4):
        for typed in (text, text.partition(":")[0]):
            try:
                return resolve(typed).variant
            except NotFoundError:
                continue
        shorter = _QUANT.sub("", _END.sub("", text))
        if shorter == text:
            return None
        text = shorter
    return None

"""What is known about an adapter with a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phicli.adapters.bases import fitting_models
from phicli.adapters.registry import RegisteredAdapter
from phicli.errors import PhiError
from phicli.gguf_file.adapter import AdapterHeader, read_adapter


@dataclass(frozen=True, slots=True)
class AdapterDescription:
    """An adapter; ``header`` is None, and ``problem`` says why, where its file is not what was added.

    ``fits`` are the models of the catalog with matrices of these shapes.
    """

    adapter: RegisteredAdapter
    header: AdapterHeader | None
    fits: tuple[str, ...]
    problem: str | None = None

    @property
    def modules(self) -> Mapping[str, int]:
        """How many matrices of each kind it changes: ``{"attn_qkv": 32}``."""
        found: dict[str, int] = {}
        for name in () if self.header is None else self.header.pairs:
            kind = name.removesuffix(".weight").rpartition(".")[2]
            found[kind] = found.get(kind, 0) + 1
        return found


def describe(adapter: RegisteredAdapter) -> AdapterDescription:
    """What is known about ``adapter``; a file that is gone or damaged is described, too."""
    try:
        header = read_adapter(adapter.path)
    except PhiError as error:
        return AdapterDescription(adapter, None, (), error.message)
    problem = None if adapter.is_current else f"{adapter.path} was changed after it had been added"
    return AdapterDescription(adapter, header, fitting_models(header), problem)

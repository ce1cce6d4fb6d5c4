"""The name of a model file for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

from phicli.catalog.load import catalog
from phicli.catalog.names import PLUS, is_repo_name
from phicli.catalog.quants import same_quant


class LabeledAdapter(Protocol):
    """An adapter (LoRA) that is used with a model."""

    @property
    def label(self) -> str:
        """What people call it, with its scale where that is not 1."""


class NamedFile(Protocol):
    """What has a model and a quantization: a subject of a benchmark, an entry of the history."""

    @property
    def model(self) -> str:
        """An id of the catalog, a repository, a file name or a registered name."""

    @property
    def quant(self) -> str | None:
        """The quantization, None where it is not known."""

    @property
    def adapters(self) -> Sequence[LabeledAdapter]:
        """What is used with it."""


def name_of(file: NamedFile) -> str:
    """What people call ``file``, as :func:`display_name` has it, and its adapters: ``phi-4-mini:q4_k_m+my-run:0.5``."""
    return with_adapters(display_name(file.model, file.quant), file.adapters)


def with_adapters(name: str, adapters: Sequence[LabeledAdapter]) -> str:
    """``name`` of a model, with the ``adapters`` that are used with it: ``phi-4-mini+my-run:0.5``."""
    return PLUS.join([name, *(adapter.label for adapter in adapters)])


def display_name(model: str, quant: str | None) -> str:
    """What people call a model file: ``phi-4-mini:q4_k_m``, ``owner/repo:q4_k_m``, ``mymodel.gguf``.

    A file name and a name that a person registered stand alone, because they mean one file.

    Args:
        model: an id of the catalog, a repository, a file name or a registered name; it may have the quant already.
        quant: of the file, None where it is not known.
    """
    name, _, typed = model.partition(":")
    if typed:
        return f"{name}:{typed.lower()}" if same_quant(typed, quant) else model
    takes_quant = name in _ids() or (is_repo_name(name) and not name.lower().endswith(".gguf"))
    return with_quant(model, quant) if takes_quant else model


def with_quant(name: str, quant: str | None) -> str:
    """``name`` of a variant or of a repository, with ``quant`` where it is known: ``phi-4-mini:q4_k_m``."""
    return f"{name}:{quant.lower()}" if quant else name


@cache
def _ids() -> frozenset[str]:
    return frozenset(variant.id for variant in catalog().variants)

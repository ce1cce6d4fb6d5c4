"""What ``phi adapters show`` prints."""

from __future__ import annotations

from typing import Final

from phicli.adapters.description import AdapterDescription
from phicli.ui.adapters.data import adapter_data
from phicli.ui.envelope import print_result
from phicli.ui.sections import Section, print_page
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes, listed

_MOST: Final = 8


def print_adapter(terminal: Terminal, shown: AdapterDescription, *, as_json: bool) -> None:
    """The page about one adapter.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        print_result(terminal, "adapters show", adapter_data(shown))
        return
    print_page(terminal, f"{shown.adapter.name}: adapter (LoRA)", _sections(shown))
    if shown.problem is not None:
        terminal.alarm("warning:", shown.problem)


def _sections(shown: AdapterDescription) -> list[Section]:
    adapter, header = shown.adapter, shown.header
    base = [("named in the file", adapter.base_name), ("checked with", adapter.base_model)]
    base.append(("fits the shapes of", listed(shown.fits, _MOST) if shown.fits else "no model of the catalog"))
    file = [("path", str(adapter.path)), ("source", adapter.source), ("size", format_bytes(adapter.size_bytes))]
    return [
        Section("base model", facts=tuple((label, text) for label, text in base if text)),
        Section("weights", facts=() if header is None else _weights(shown)),
        Section("file", facts=tuple(file)),
    ]


def _weights(shown: AdapterDescription) -> tuple[tuple[str, str], ...]:
    header = shown.header
    assert header is not None  # noqa: S101 (the caller has looked)
    return (
        ("rank", ", ".join(map(str, header.ranks))),
        ("alpha", f"{header.alpha:g}"),
        ("parameters", f"{header.parameters:,}"),
        ("changes", ", ".join(f"{count} {kind}" for kind, count in shown.modules.items())),
    )

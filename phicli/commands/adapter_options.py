"""The option for adapters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phicli.commands.adapters.names import complete_adapter

if TYPE_CHECKING:
    from phicli.engine.types import Adapter
    from phicli.server.types import NamedAdapter

Adapters = Annotated[
    list[str] | None,
    typer.Option(
        "--adapter",
        help="Use an adapter (LoRA): its name, or a GGUF file; NAME:0.5 uses half of it. Can be repeated.",
        metavar="NAME[:SCALE]",
        autocompletion=complete_adapter,
        show_default=False,
    ),
]
ServedAdapters = Annotated[
    list[str] | None,
    typer.Option(
        "--adapter",
        help="Serve an adapter (LoRA), too: requests name it as MODEL+NAME. NAME:0.5 uses half of it. Can be repeated.",
        metavar="NAME[:SCALE]",
        autocompletion=complete_adapter,
        show_default=False,
    ),
]


def adapters_of(typed: list[str] | None) -> tuple[Adapter, ...]:
    """The adapters that were typed, or given by a setting; a command without any loads nothing of them.

    Raises:
        PhiError: there is no such adapter, or its file cannot be used.
    """
    if not typed:
        return ()
    from phicli.adapters.typed import adapters_typed

    return adapters_typed(typed)


def named_adapters(typed: list[str] | None) -> tuple[NamedAdapter, ...]:
    """The adapters that were typed for a server, each with the name that requests use: of a file, its own.

    Raises:
        PhiError: there is no such adapter, its file cannot be used, or it needs a name.
    """
    if not typed:
        return ()
    from phicli.adapters.registry import check_name, find
    from phicli.adapters.typed import adapters_typed, split_scale
    from phicli.errors import UsageError
    from phicli.server.types import NamedAdapter

    found, adapters = [], adapters_typed(typed)
    for word, adapter in zip(typed, adapters, strict=bool(adapters)):
        known = find(split_scale(word)[0])
        name = adapter.path.stem if known is None else known.name
        try:
            check_name(name)
        except UsageError as error:
            raise UsageError(error.message, f"give it a name: phi adapters add {adapter.path} --as NAME") from None
        found.append(NamedAdapter(name, adapter))
    return tuple(found)


def from_every_folder(words: list[str], typed: list[str] | None) -> list[str]:
    """``words`` of a command line, in which files of adapters with a scale are named from the root."""
    if not typed:
        return words
    from phicli.adapters.registry import find
    from phicli.adapters.typed import split_scale

    absolute = {}
    for one in typed:
        name, _ = split_scale(one)
        if find(name) is None and Path(name).exists():
            absolute[one] = str(Path(name).absolute()) + one[len(name) :]
    for before, now in absolute.items():
        words = [
            now if word == before else f"--adapter={now}" if word == f"--adapter={before}" else word for word in words
        ]
    return words

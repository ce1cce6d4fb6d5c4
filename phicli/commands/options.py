"""Options that commands share, and the completion of model names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from phicli.engine.types import MOST_THREADS
from phicli.errors import UsageError

ENGINES: Final = ("xllamacpp", "llama-server")


def complete_model(incomplete: str) -> list[str]:
    """Model names that begin with ``incomplete``; files are the shell's own business."""
    from phicli.catalog.resolve import names

    return [name for name in names() if name.startswith(incomplete.lower())]


Model = Annotated[
    str | None,
    typer.Argument(
        help="tiny-phi, a name such as phi-4-mini or phi-4-mini:q4_k_m, owner/repo[:QUANT], or a GGUF file. "
        "Default: the last one used.",
        envvar="PHI_MODEL",
        autocompletion=complete_model,
        show_default=False,
        show_envvar=False,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Names as for phi chat; several are compared, in turn. Default: what is installed.",
        autocompletion=complete_model,
        show_default=False,
    ),
]
Engine = Annotated[
    str | None, typer.Option("--engine", help="xllamacpp or llama-server, or both in turn [default: xllamacpp].")
]
LlamaServer = Annotated[
    Path | None, typer.Option("--llama-server", help="The llama-server program [default: the one on PATH].")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Jsonl = Annotated[bool, typer.Option("--jsonl", help="Print JSON lines: one object per run or question.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notices or reasoning on standard error.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", "-t", min=1, max=MOST_THREADS, envvar="PHI_THREADS", help="Default: the physical cores."),
]
Context = Annotated[
    int | None,
    typer.Option("--context", "-c", min=32, envvar="PHI_CONTEXT", help="Most tokens a conversation may have."),
]
KvType = Annotated[
    str | None,
    typer.Option("--kv-type", envvar="PHI_KV_TYPE", help="Type of the context's memory: f16 (default), q8_0 or q4_0."),
]
GpuLayers = Annotated[
    int | None,
    typer.Option(
        "--gpu-layers", min=0, envvar="PHI_GPU_LAYERS", help="Layers on the GPU. Default: the engine decides."
    ),
]


def output_format(*, as_json: bool, jsonl: bool, csv: bool, markdown: bool) -> str:
    """The one format that was asked for: ``json``, ``jsonl``, ``csv``, ``markdown``, else ``text``.

    Raises:
        UsageError: more than one was.
    """
    formats = {"json": as_json, "jsonl": jsonl, "csv": csv, "markdown": markdown}
    asked = [name for name, wanted in formats.items() if wanted]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} and --{asked[1]} exclude each other", "leave one of them out")
    return asked[0] if asked else "text"


def engine_names(typed: str | None, llama_server: Path | None) -> tuple[str, ...]:
    """The engines that were asked for, in order.

    Raises:
        UsageError: there is no such engine, or a program is named for an engine that was not asked for.
    """
    from phicli.commands.typed_lists import words

    names = words(typed, "--engine", ENGINES) or ENGINES[:1]
    if llama_server is not None and ENGINES[1] not in names:
        raise UsageError("--llama-server names the program for --engine llama-server", "add --engine llama-server")
    return names

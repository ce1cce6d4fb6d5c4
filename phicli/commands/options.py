"""Options that commands share, and the completion of model names."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.engine.types import MOST_THREADS
from phicli.errors import UsageError


def complete_model(incomplete: str) -> list[str]:
    """Model names that begin with ``incomplete``; files are the shell's own business."""
    from phicli.catalog.resolve import names

    return [name for name in names() if name.startswith(incomplete.lower())]


def known_kv_type(value: str | None) -> str | None:
    """``value``, when it is a type of the context's memory.

    Raises:
        UsageError: it is not.
    """
    from phicli.fit.memory import KV_TYPE_BYTES

    if value is not None and value not in KV_TYPE_BYTES:
        raise UsageError(f"--kv-type {value} is unknown", f"there is {', '.join(KV_TYPE_BYTES)}")
    return value


Model = Annotated[
    str | None,
    typer.Argument(
        help="tiny-phi, a name such as phi-4-mini or phi-4-mini:q4_k_m, owner/repo[:QUANT], or a GGUF file. "
        "Default: the setting model, else the last one used.",
        envvar="PHI_MODEL",
        autocompletion=complete_model,
        show_default=False,
        show_envvar=False,
    ),
]


def models_of_this_machine(ctx: typer.Context, value: list[str] | None) -> list[str] | None:
    """The models that were typed, else that of the setting; for an endpoint only those that were typed."""
    source = ctx.get_parameter_source("models")
    typed = source is not None and source.name == "COMMANDLINE"
    return value if typed or not ctx.params.get("url") else None


Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="What to measure, as for phi chat; several are compared, in turn. Default: what is installed.",
        envvar="PHI_MODEL",
        autocompletion=complete_model,
        callback=models_of_this_machine,
        show_default=False,
        show_envvar=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notices or reasoning on standard error.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", "-t", min=1, max=MOST_THREADS, help="Default: the physical cores."),
]
Context = Annotated[
    int | None,
    typer.Option("--context", "-c", min=32, help="Most tokens a conversation may have."),
]
KvType = Annotated[
    str | None,
    typer.Option(
        "--kv-type", callback=known_kv_type, help="Type of the context's memory: f16 (default), q8_0 or q4_0."
    ),
]
GpuLayers = Annotated[
    int | None,
    typer.Option("--gpu-layers", min=0, help="Layers on the GPU. Default: the engine decides."),
]

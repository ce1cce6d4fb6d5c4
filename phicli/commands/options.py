"""Options that commands share, and the completion of model names."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.engine.settings import MOST_THREADS


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
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
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

"""``phi bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from phicli.commands.adapter_options import Adapters, adapters_of
from phicli.commands.engine_options import engine_options
from phicli.commands.options import (
    Csv,
    Engines,
    Json,
    Jsonl,
    LlamaServer,
    Markdown,
    MemoryCheck,
    Models,
    Quiet,
    engines_of,
    limit_of_baseline,
    output_format,
)  # fmt: skip
from phicli.engine.settings import FIELDS

_Text = str | None
_ONLY_ENDPOINTS = ("concurrency", "requests")
_ONLY_MODELS = (
    "depth", "context", "adapter", "engine", "llama_server", "quality", "baseline", "fail_below", "force", "plot",
    "memory_check",
    *(field.parameter for field in FIELDS.values()),
)  # fmt: skip


@engine_options("bench", several=True)
def bench(
    ctx: typer.Context,
    models: Models = None,
    prompt_tokens: Annotated[
        _Text,
        typer.Option(
            "--prompt-tokens", "-p", help="Prompt length in tokens, e.g. 512 or 128,512; 0 skips it [default: 512]."
        ),
    ] = None,
    tokens: Annotated[
        _Text, typer.Option("--tokens", "-n", help="Tokens to generate, e.g. 128 or 64,128; 0 skips it [default: 128].")
    ] = None,
    depth: Annotated[
        _Text, typer.Option("--depth", "-d", help="Tokens already in the context, e.g. 0 or 0,4096 [default: 0].")
    ] = None,
    repeat: Annotated[
        int | None, typer.Option("--repeat", "-r", min=1, max=1000, help="Repetitions after a warm-up [default: 5].")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Use fewer tokens and repetitions, for a quick first result.")
    ] = False,
    context: Annotated[
        int | None,
        typer.Option("--context", "-c", min=32, help="Context size in tokens [default: as large as needed]."),
    ] = None,
    adapter: Adapters = None,
    *,
    settings: Any,
    memory_check: MemoryCheck = True,
    engine: Engines = None,
    llama_server: LlamaServer = None,
    quality: Annotated[
        bool,
        typer.Option("--quality/--no-quality", help="Also compare the answers of several quantizations of a model."),
    ] = True,
    baseline: Annotated[
        _Text, typer.Option("--baseline", help="Compare with a saved run: a file, a run id, or last.")
    ] = None,
    fail_below: Annotated[
        float | None,
        typer.Option(
            "--fail-below", help="Exit with code 9 if the speed is below this share of the baseline's, e.g. 0.95."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Compare with a baseline recorded under different conditions.")
    ] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Plot tokens per second to a .svg or .png file.")] = None,
    url: Annotated[
        _Text,
        typer.Option(
            "--url", is_eager=True, help="Measure an OpenAI-compatible endpoint, e.g. http://127.0.0.1:8080/v1."
        ),
    ] = None,
    concurrency: Annotated[
        _Text, typer.Option("--concurrency", help="Concurrent requests to an endpoint, e.g. 1,2,4 [default: 1].")
    ] = None,
    requests: Annotated[
        int | None, typer.Option("--requests", min=1, max=10000, help="Number of requests at each concurrency level.")
    ] = None,
    as_json: Json = False,
    jsonl: Jsonl = False,
    csv: Csv = False,
    markdown: Markdown = False,
    quiet: Quiet = False,
) -> None:
    """Measure and compare the speed of models or of an endpoint."""
    from phicli.commands.bench_options import (
        Lengths,
        bench_options,
        endpoint_in,
        endpoint_options,
        refuse,
        refuse_beside_speculation,
    )
    from phicli.commands.bench_subjects import bench_endpoint, bench_models
    from phicli.commands.measured_models import remote_to_measure

    output = output_format(as_json=as_json, jsonl=jsonl, csv=csv, markdown=markdown)
    lengths = Lengths(prompt_tokens, tokens, repeat, quick)
    remote = remote_to_measure(models or (), url)
    endpoint = endpoint_in(models or (), url) if remote is None else (remote.remote.url, remote.model)
    if endpoint is not None:
        refuse(ctx, _ONLY_MODELS, "cannot be used with an endpoint")
        asked = endpoint_options(ctx, endpoint, lengths, concurrency, requests, remote)
        return bench_endpoint(asked, output=output, quiet=quiet)
    refuse(ctx, _ONLY_ENDPOINTS, "requires an endpoint, e.g. phi bench http://127.0.0.1:8080/v1")
    refuse_beside_speculation(ctx, settings, quality=quality)
    engines, program = engines_of(ctx, engine, llama_server)
    options = bench_options(
        lengths, settings, depth, context_tokens=context, engines=engines, llama_server=program, quality=quality,
        baseline=baseline, fail_below=limit_of_baseline(ctx, baseline, fail_below), force=force,
        memory_check=memory_check, adapters=adapters_of(adapter),
    )  # fmt: skip
    return bench_models(models or (), options, plot=plot, output=output, quiet=quiet)

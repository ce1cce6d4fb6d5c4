"""``phi bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.options import Json, Quiet, complete_model
from phicli.engine.starting import DEFAULT_ENGINE, LLAMA_SERVER


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to measure, as for phi chat; several are compared, in turn. Default: what is installed.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = None,
    prompt_tokens: Annotated[
        str | None, typer.Option("--prompt-tokens", "-p", help="Length of the prompt; 0 leaves it out. Default: 512.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", "-n", help="Tokens to generate; 0 leaves it out. Default: 128.")
    ] = None,
    depth: Annotated[
        str | None, typer.Option("--depth", "-d", help="Tokens in the context before that. Default: 0.")
    ] = None,
    repeat: Annotated[
        int | None, typer.Option("--repeat", "-r", min=1, max=1000, help="Repetitions after a warm-up. Default: 5.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer tokens and repetitions: a first number, soon.")] = False,
    context: Annotated[
        int | None, typer.Option("--context", "-c", min=32, help="Context to load with. Default: what is needed.")
    ] = None,
    threads: Annotated[
        str | None, typer.Option("--threads", "-t", help="Default: the physical cores. 1,2,4 measures each.")
    ] = None,
    batch_size: Annotated[
        str | None, typer.Option("--batch-size", "-b", help="Tokens of a prompt read at a time. Default: 128.")
    ] = None,
    kv_type: Annotated[str | None, typer.Option("--kv-type", help="f16, q8_0, q4_0. Default: f16.")] = None,
    flash_attention: Annotated[
        str | None, typer.Option("--flash-attention", help="auto, on, off. Default: auto.")
    ] = None,
    repack: Annotated[
        str | None, typer.Option("--repack", help="on, off: weights in the processor's layout. Default: off.")
    ] = None,
    gpu_layers: Annotated[
        str | None, typer.Option("--gpu-layers", help="Layers on the GPU. Default: the engine decides.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", help=f"{DEFAULT_ENGINE} (default), {LLAMA_SERVER}, or both in turn.")
    ] = None,
    llama_server: Annotated[
        Path | None, typer.Option("--llama-server", help=f"The {LLAMA_SERVER} to run. Default: that on PATH.")
    ] = None,
    quality: Annotated[
        bool, typer.Option("--quality/--no-quality", help="Compare answers too where quants of one model meet.")
    ] = True,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="Compare with a kept run: a file, last, or a run's id.")
    ] = None,
    fail_below: Annotated[
        float | None, typer.Option("--fail-below", help="Exit 9 when slower than this share of the baseline, as 0.95.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compare with a baseline of other conditions.")] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw tokens a second into a .svg or .png.")] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Measure an OpenAI-compatible endpoint, as http://127.0.0.1:8080/v1.")
    ] = None,
    concurrency: Annotated[
        str | None, typer.Option("--concurrency", help="Requests at a time, for --url. Default: 1.")
    ] = None,
    requests: Annotated[
        int | None, typer.Option("--requests", min=1, max=10000, help="Requests of each concurrency, for --url.")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Find the best settings; phi chat uses them from then on.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="With --tune: forget the settings that were found.")] = False,
    eval_file: Annotated[
        str | None, typer.Option("--eval", help="Ask the questions of a .jsonl file, or arithmetic or instructions.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first questions, for --eval.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Ask all again, for --eval.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 2, help="Of sampling and of intervals.")] = 1,
    as_json: Json = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a run.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure how fast models run here; compare them, tune them, test what they can do."""
    from phicli.commands.benching.dispatch import run
    from phicli.commands.benching.typed import Typed

    run(
        models or (),
        Typed(
            prompt_tokens, tokens, depth, repeat, quick, context, threads, batch_size, kv_type, flash_attention,
            repack, gpu_layers, engine, llama_server, quality, baseline, fail_below, force, plot, url, concurrency,
            requests, tune, reset, eval_file, limit, restart, seed, quiet,
        ).read(as_json=as_json, jsonl=jsonl, csv=csv, markdown=markdown),
    )  # fmt: skip

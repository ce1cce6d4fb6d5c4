"""What ``phi bench`` makes of words, without running it."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from phicli.bench.options import BenchOptions
from phicli.commands.bench import bench
from phicli.commands.bench_options import Lengths, bench_options
from phicli.commands.engine_options import ENGINE_OPTIONS
from phicli.commands.options import engines_of


def parsed(words: Sequence[str]) -> tuple[Sequence[str], BenchOptions]:
    """The models and the options that are typed in ``words``."""
    app = typer.Typer()
    app.command()(bench)
    ctx = typer.main.get_command(app).make_context("phi bench", list(words))
    typed = ctx.params
    lengths = Lengths(*(typed[name] for name in ("prompt_tokens", "tokens", "repeat", "quick")))
    settings = {row.field: typed[row.field] for row in ENGINE_OPTIONS if typed.get(row.field) is not None}
    same = {name: typed[name] for name in ("quality", "baseline", "fail_below", "force")}
    same["engines"], same["llama_server"] = engines_of(ctx, typed["engine"], typed["llama_server"])
    options = bench_options(lengths, settings, typed["depth"], context_tokens=typed["context"], **same)
    return typed["models"] or (), options

"""``phi eval``."""

from __future__ import annotations

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
    output_format,
)


def complete_set(incomplete: str) -> list[str]:
    """Built-in sets of questions, beginning with ``incomplete``; the shell completes files itself."""
    from phicli.bench.evaluation.items import SHIPPED

    return [name for name in SHIPPED if name.startswith(incomplete.lower())]


@engine_options("eval")
def eval_(
    ctx: typer.Context,
    models: Models = None,
    question_set: Annotated[
        str | None,
        typer.Option(
            "--set",
            help="Question set: arithmetic, instructions, or a .jsonl file of questions or training data.",
            autocompletion=complete_set,
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            "-n",
            min=1,
            help="Maximum number of tokens in a reply [default: 256; 2048 for reasoning models].",
        ),
    ] = None,
    context: Annotated[int | None, typer.Option("--context", "-c", min=32, help="Context size in tokens.")] = None,
    adapter: Adapters = None,
    *,
    settings: Any,
    memory_check: MemoryCheck = True,
    engine: Engines = None,
    llama_server: LlamaServer = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Ask only this many questions.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard saved replies and ask all questions again.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**32 - 2, help="Random seed for sampling and confidence intervals.")
    ] = 1,
    as_json: Json = False,
    jsonl: Jsonl = False,
    csv: Csv = False,
    markdown: Markdown = False,
    quiet: Quiet = False,
) -> None:
    """Measure the accuracy of models on a set of questions."""
    from phicli.bench.evaluation.evaluate import evaluate_models
    from phicli.bench.evaluation.preparing import EvalOptions
    from phicli.commands.measured_models import models_to_ask, say_of_remotes
    from phicli.engine.settings import read_asked
    from phicli.ui.bench.evaluation import print_findings
    from phicli.ui.bench.progress import measuring

    output = output_format(as_json=as_json, jsonl=jsonl, csv=csv, markdown=markdown)
    asked = models_to_ask(ctx, models or ())
    options = EvalOptions(
        question_set, max_tokens, context, read_asked(settings), *engines_of(ctx, engine, llama_server),
        limit, restart, seed, memory_check=memory_check, adapters=adapters_of(adapter),
    )  # fmt: skip
    with measuring(quiet=quiet) as (terminal, line):
        say_of_remotes(terminal, asked, quiet=quiet)
        findings = evaluate_models(asked, options, line)
    print_findings(terminal, findings, output=output)

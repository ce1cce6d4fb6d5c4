"""``phi finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phicli.commands.model_names import complete_here
from phicli.commands.output_format import Json


def complete_plan(incomplete: str) -> list[str]:
    """What ``--plan`` takes."""
    from phicli.commands.finetune_azure import PLANS

    return [name for name in PLANS if name.startswith(incomplete.lower())]


def finetune(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="Folder with the original weights, as Hugging Face has them; with --plan also a model's name.",
            metavar="FOLDER",
        ),
    ],
    train: Annotated[str, typer.Argument(help="Training data: JSON Lines with messages.", metavar="TRAIN.jsonl")],
    validation: Annotated[
        str | None, typer.Option("--validation", help="File of validation data.", metavar="FILE", show_default=False)
    ] = None,
    split: Annotated[
        float | None,
        typer.Option("--split", help="Share of the training data for validation, e.g. 0.1.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "--output", "-o", help="Folder of the run [default: finetune-MODEL-TRAIN].")
    ] = None,
    name: Annotated[str | None, typer.Option("--as", help="Name for the adapter.", show_default=False)] = None,
    rank: Annotated[int, typer.Option("--rank", help="Rank of the adapter (LoRA).", min=1, max=1024)] = 16,
    alpha: Annotated[
        int, typer.Option("--alpha", help="LoRA alpha: the adapter is scaled by alpha / rank.", min=1)
    ] = 32,
    dropout: Annotated[float, typer.Option("--dropout", help="Dropout of the adapter.", min=0, max=0.9)] = 0.05,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="Largest learning rate.", min=0, max=1)
    ] = 5e-6,
    epochs: Annotated[
        float, typer.Option("--epochs", help="How often each example is seen.", min=0.001, max=100_000)
    ] = 1.0,
    warmup: Annotated[
        float, typer.Option("--warmup", help="Share of the steps in which the learning rate rises.", min=0, max=1)
    ] = 0.2,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Answers for each step.", min=1)] = 8,
    micro_batch: Annotated[
        int | None,
        typer.Option(
            "--micro-batch", help="Answers computed at once, which decides the memory [default: as many as fit].", min=1
        ),
    ] = None,
    patience: Annotated[
        int, typer.Option("--patience", help="Stop after so many validations without a better loss; 0: never.", min=0)
    ] = 3,
    evaluations: Annotated[int, typer.Option("--evaluations", help="Validations in all.", min=1)] = 10,
    dtype: Annotated[
        str | None,
        typer.Option("--dtype", help="Type of the weights: float32 or bfloat16 [default: float32; bfloat16 on a GPU]."),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Where to compute: cpu or cuda [default: cuda if torch has it].")
    ] = None,
    qlora: Annotated[
        bool, typer.Option("--qlora", help="Hold the weights in 4 bits, which needs a GPU and bitsandbytes.")
    ] = False,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Use less memory and more time [default: if needed].")
    ] = False,
    save_every: Annotated[float, typer.Option("--save-every", help="Seconds between checkpoints.", min=1)] = 60,
    seed: Annotated[int, typer.Option("--seed", help="Random seed.", min=0, max=2**31 - 1)] = 0,
    threads: Annotated[
        int | None, typer.Option("--threads", "-t", help="Threads [default: number of physical cores].", min=1)
    ] = None,
    max_time: Annotated[
        float | None,
        typer.Option("--max-time", help="Do not start what takes more minutes than this.", min=0, show_default=False),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan", help="Train nothing: write data, parameters and steps for a service: azure.",
            metavar="SERVICE", autocompletion=complete_plan, show_default=False,
        ),
    ] = None,
    eval_model: Annotated[
        str | None,
        typer.Option(
            "--eval-model", help="GGUF model for the evaluation before and after [default: a file of the same model].",
            metavar="MODEL", autocompletion=complete_here, show_default=False,
        ),
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--eval/--no-eval", help="Ask the held-out questions before and after.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what the run needs, and stop.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Fine-tune a model with LoRA on your own examples: training data in, adapter out."""
    from phicli.commands.finetune_azure import write_plan
    from phicli.commands.finetuning import Asked, finetune_model
    from phicli.finetune.options import Recipe
    from phicli.ui.terminal import Terminal

    recipe = Recipe(rank, alpha, dropout, learning_rate, epochs, warmup, batch_size, micro_batch or batch_size,
                    patience, evaluations, dtype or "", checkpointing, seed, quantized=qlora)  # fmt: skip
    asked = Asked(model, train, validation, split, out, name, recipe, device, threads, save_every, max_time,
                  dry_run=dry_run, as_json=as_json, evaluate=evaluate, eval_model=eval_model)  # fmt: skip
    if plan is None:
        finetune_model(Terminal.current(), asked)
    else:
        write_plan(Terminal.current(), ctx, asked, plan)

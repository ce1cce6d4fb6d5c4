"""``phi chat``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from phicli.commands.engine_options import engine_options
from phicli.commands.options import Context, Json, Model, Quiet


@engine_options("chat")
def chat(
    model: Model = None,
    prompt: Annotated[
        list[str] | None, typer.Argument(help="What to ask; - reads it from standard input.", show_default=False)
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="The system message.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", "--temp", help="0 is always the same.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Keep the likeliest tokens up to this sum.")] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Keep this many tokens; 0 keeps all.")] = None,
    min_p: Annotated[float | None, typer.Option("--min-p", help="Drop tokens below this share of the best.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Makes a sampled answer repeatable.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", "-n", help="Most tokens of an answer.")] = None,
    context: Context = None,
    *,
    settings: Any,
    as_json: Json = False,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Print the answer when it is complete.")] = False,
    no_stdin: Annotated[bool, typer.Option("--no-stdin", help="Do not read standard input beside a prompt.")] = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model once, or talk to it when there is no prompt and this is a terminal."""
    from phicli.commands.conversation import Conversation, hold
    from phicli.plan.chat_options import ChatOptions

    options = ChatOptions(
        system=system, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p, seed=seed,
        max_tokens=max_tokens, context_tokens=context,
        engine=settings,
    )  # fmt: skip
    prompt_text = None if prompt is None else " ".join(prompt)
    hold(
        Conversation(model, prompt_text, options, as_json=as_json, stream=not no_stream, no_stdin=no_stdin, quiet=quiet)
    )

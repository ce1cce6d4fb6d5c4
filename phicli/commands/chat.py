"""``phi chat``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from phicli.commands.adapter_options import Adapters
from phicli.commands.chat_start import start_of
from phicli.commands.engine_options import engine_options
from phicli.commands.file_options import Files, InputEncoding, Lossy, SendSecrets
from phicli.commands.form_options import (
    Choice,
    FormOptions,
    Grammar,
    JsonObject,
    Regex,
    Retries,
    Schema,
    form_was_typed,
)
from phicli.commands.lender import Attach, lender_of
from phicli.commands.options import Context, Engine, Json, LlamaServer, MemoryCheck, Model, Quiet, engine_of
from phicli.commands.request_options import DryRun, Events, Logprobs, Messages, Samples
from phicli.commands.session_options import (
    Before,
    Continue,
    History,
    KeepState,
    OnOverflow,
    Save,
    Session,
    SessionOptions,
)
from phicli.commands.template_options import Template, Variables, template_of
from phicli.commands.tool_options import ForceTools, ToolChoice, ToolOptions, Tools
from phicli.engine.starting import EngineChoice, early_process


def within_limits(param: typer.CallbackParam, value: float | None) -> float | None:
    """``value``, when it is possible.

    Raises:
        UsageError: it is not.
    """
    if value is not None:
        from phicli.plan.chat_options import check_number

        check_number(param.opts[0], value)
    return value


@engine_options("chat")
def chat(
    ctx: typer.Context,
    model: Model = None,
    prompt: Annotated[
        list[str] | None, typer.Argument(help="Question to ask; - reads it from standard input.", show_default=False)
    ] = None,
    template: Template = None,
    var: Variables = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="System message.")] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature", "--temp", callback=within_limits, help="Sampling temperature; 0 is deterministic."
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p",
            callback=within_limits,
            help="Sample from the likeliest tokens up to this total probability, e.g. 0.9.",
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            "--top-k", callback=within_limits, help="Sample from this many of the likeliest tokens; 0 means all."
        ),
    ] = None,
    min_p: Annotated[
        float | None,
        typer.Option(
            "--min-p",
            callback=within_limits,
            help="Ignore tokens below this share of the best token's probability, e.g. 0.05.",
        ),
    ] = None,
    repeat_penalty: Annotated[
        float | None,
        typer.Option(
            "--repeat-penalty",
            callback=within_limits,
            help="Penalize repetition of the last 64 tokens, e.g. 1.1; 1 means no penalty.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", callback=within_limits, help="Random seed for sampling.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", "-n", callback=within_limits, help="Maximum number of tokens in the answer."),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option("--stop", help="End the answer before this text, e.g. END. Can be repeated.", show_default=False),
    ] = None,
    think_budget: Annotated[
        int | None,
        typer.Option(
            "--think-budget",
            callback=within_limits,
            help="End reasoning after this many tokens and ask for the answer; 0 asks for it at once.",
        ),
    ] = None,
    context: Context = None,
    adapter: Adapters = None,
    schema: Schema = None,
    choice: Choice = None,
    regex: Regex = None,
    grammar: Grammar = None,
    json_object: JsonObject = False,
    retries: Retries = None,
    file: Files = None,
    input_encoding: InputEncoding = None,
    lossy: Lossy = False,
    yes: SendSecrets = False,
    session: Session = None,
    continue_: Continue = False,
    before: Before = None,
    save: Save = True,
    history: History = True,
    keep_state: KeepState = True,
    on_overflow: OnOverflow = None,
    messages: Messages = None,
    tools: Tools = None,
    tool_choice: ToolChoice = None,
    force_tools: ForceTools = False,
    events: Events = False,
    logprobs: Logprobs = None,
    samples: Samples = None,
    dry_run: DryRun = False,
    *,
    settings: Any,
    memory_check: MemoryCheck = True,
    engine: Engine = None,
    llama_server: LlamaServer = None,
    attach: Attach = True,
    as_json: Json = False,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Print the answer only when it is complete.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print Markdown as it is, also on a terminal.")] = False,
    no_stdin: Annotated[bool, typer.Option("--no-stdin", help="Ignore standard input when a prompt is given.")] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Start a conversation with the prompt or piped text.")
    ] = False,
    quiet: Quiet = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Print tokens, times, speeds and memory after each answer.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the settings that the engine is started with.")
    ] = False,
) -> None:
    """Ask a model one question, or start a conversation when no prompt is given."""
    chosen = engine_of(ctx, engine, llama_server)
    going_on = SessionOptions(session, continue_, before, save, keep_state, on_overflow, history)
    worded = template_of(ctx, template, var)
    if worded is not None and worded.schema is not None and not form_was_typed(ctx):
        schema, choice, regex, grammar, json_object = worded.schema, None, None, None, False
    form = FormOptions(schema, choice, regex, grammar, json_object, retries)
    start = start_of(ctx, model, prompt, going_on, template_model=worded.model if worded else None)
    lender = lender_of(ctx, chosen, attach=attach, dry_run=dry_run)
    with early_process((chosen or EngineChoice()).name, wanted=lender.socket is None) as early:  # it loads meanwhile
        from phicli.adapters.typed import adapters_typed
        from phicli.commands.conversation import hold
        from phicli.commands.conversation_options import Conversation, FileOptions
        from phicli.plan.chat_options import ChatOptions

        options = ChatOptions(
            system=system, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p,
            repeat_penalty=repeat_penalty, seed=seed, max_tokens=max_tokens, stop=tuple(stop or ()),
            think_budget=think_budget, context_tokens=context, engine=settings,
            adapters=adapters_typed(adapter) if adapter else (),
        )  # fmt: skip
        options = worded.over(ctx, options) if worded else options
        files = FileOptions(tuple(file or ()), input_encoding, lossy, yes)
        wanted = Conversation(
            start, going_on, files, options, chosen, worded, as_json=as_json, stream=not no_stream, plain=plain,
            no_stdin=no_stdin, quiet=quiet, memory_check=memory_check, stats=stats, verbose=verbose,
            interactive=interactive, form=form,
            tools=ToolOptions(tuple(tools or ()), tool_choice, force_tools),
            messages=messages, events=events, dry_run=dry_run, logprobs=logprobs, samples=samples,
            lender=lender,
        )  # fmt: skip
        hold(wanted, early)

"""``phi chat``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from phicli.commands.adapter_options import Adapters, adapters_of
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
from phicli.commands.remote_options import check_remote_options
from phicli.commands.request_options import DryRun, Events, Logprobs, Messages, Samples
from phicli.commands.sampling_options import (
    MaxTokens,
    MinP,
    RepeatPenalty,
    Seed,
    Stop,
    System,
    Temperature,
    ThinkBudget,
    TopK,
    TopP,
)
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


@engine_options("chat")
def chat(
    ctx: typer.Context,
    model: Model = None,
    prompt: Annotated[
        list[str] | None, typer.Argument(help="Question to ask; - reads it from standard input.", show_default=False)
    ] = None,
    template: Template = None,
    var: Variables = None,
    system: System = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    top_k: TopK = None,
    min_p: MinP = None,
    repeat_penalty: RepeatPenalty = None,
    seed: Seed = None,
    max_tokens: MaxTokens = None,
    stop: Stop = None,
    think_budget: ThinkBudget = None,
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
    check_remote_options(ctx, start.remote, quiet=quiet)
    lender = lender_of(ctx, chosen, attach=attach, dry_run=dry_run)
    starts = lender.socket is None and start.remote is None
    with early_process((chosen or EngineChoice()).name, wanted=starts) as early:  # it loads meanwhile
        from phicli.commands.conversation import hold
        from phicli.commands.conversation_options import Conversation, FileOptions
        from phicli.plan.chat_options import ChatOptions

        options = ChatOptions(
            system=system, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p,
            repeat_penalty=repeat_penalty, seed=seed, max_tokens=max_tokens, stop=tuple(stop or ()),
            think_budget=think_budget, context_tokens=context, engine=settings,
            adapters=adapters_of(adapter),
        )  # fmt: skip
        options = worded.over(ctx, options) if worded else options
        files = FileOptions(tuple(file or ()), input_encoding, lossy, yes)
        wanted = Conversation(
            start, going_on, files, options, chosen, worded, as_json=as_json, stream=not no_stream, plain=plain,
            no_stdin=no_stdin, quiet=quiet, memory_check=memory_check, stats=stats, verbose=verbose,
            interactive=interactive, form=form,
            tools=ToolOptions(tuple(tools or ()), tool_choice, force_tools),
            messages=messages, events=events, dry_run=dry_run, logprobs=logprobs, samples=samples,
            lender=lender, adapters_typed=adapter is not None,
        )  # fmt: skip
        hold(wanted, early)

"""``phi batch``."""

from __future__ import annotations

from typing import Any

import typer

from phicli.commands.adapter_options import Adapters, adapters_of
from phicli.commands.batch_options import (
    Input,
    InputFormatOption,
    Out,
    Parallel,
    Prompt,
    RemoteNames,
    Restart,
    RetryFailed,
)
from phicli.commands.engine_options import engine_options
from phicli.commands.form_options import (
    Choice,
    Grammar,
    JsonObject,
    Regex,
    Retries,
    Schema,
)
from phicli.commands.options import Context, Engine, Json, LlamaServer, MemoryCheck, Model, Quiet, engine_of
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
from phicli.commands.template_options import Template, Variables
from phicli.commands.tool_options import ToolChoice, ToolOptions, Tools


@engine_options("batch")
def batch(
    ctx: typer.Context,
    source: Input,
    model: Model = None,
    out: Out = None,
    prompt: Prompt = None,
    input_format: InputFormatOption = None,
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
    tools: Tools = None,
    tool_choice: ToolChoice = None,
    parallel: Parallel = None,
    remote: RemoteNames = None,
    retry_failed: RetryFailed = False,
    restart: Restart = False,
    *,
    settings: Any,
    memory_check: MemoryCheck = True,
    engine: Engine = None,
    llama_server: LlamaServer = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model every line of a file, and write an answer for each."""
    from phicli.commands.batching import Typed, do_batch
    from phicli.plan.chat_options import ChatOptions

    chosen = engine_of(ctx, engine, llama_server)
    options = ChatOptions(
        system=system, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p, repeat_penalty=repeat_penalty,
        seed=seed, max_tokens=max_tokens, stop=tuple(stop or ()), think_budget=think_budget, context_tokens=context,
        engine=settings, adapters=adapters_of(adapter),
    )  # fmt: skip
    form = (schema, choice, regex, grammar, json_object, retries)
    typed = Typed(
        source, out, model, prompt, input_format, template, tuple(var or ()), options, form,
        ToolOptions(tuple(tools or ()), tool_choice), chosen, parallel, tuple(remote or ()), retry_failed=retry_failed,
        restart=restart, memory_check=memory_check, as_json=as_json, quiet=quiet,
    )  # fmt: skip
    do_batch(ctx, typed)

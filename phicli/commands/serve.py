"""``phi serve``."""

from __future__ import annotations

from typing import Any

import typer

from phicli.commands.adapter_options import ServedAdapters, named_adapters
from phicli.commands.engine_options import engine_options
from phicli.commands.options import Context, Json, MemoryCheck, Quiet
from phicli.commands.serve_elsewhere import Background, PrintUnit
from phicli.commands.serve_options import (
    AllowHost,
    AllowOrigin,
    ApiKeyFile,
    Host,
    KeepAlive,
    LogPrompts,
    Parallel,
    Port,
    Preload,
    Pull,
    ServedModels,
    Verbose,
    read_duration,
)


@engine_options("serve")
def serve(
    ctx: typer.Context,
    models: ServedModels = None,
    host: Host = "127.0.0.1",
    port: Port = 11500,
    preload: Preload = False,
    parallel: Parallel = None,
    keep_alive: KeepAlive = "5m",
    context: Context = None,
    adapter: ServedAdapters = None,
    *,
    settings: Any,
    pull: Pull = False,
    memory_check: MemoryCheck = True,
    api_key_file: ApiKeyFile = None,
    allow_origin: AllowOrigin = None,
    allow_host: AllowHost = None,
    log_prompts: LogPrompts = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    background: Background = False,
    print_unit: PrintUnit = False,
) -> int:
    """Answer OpenAI clients over HTTP with the models on this machine, and keep models loaded."""
    from phicli.commands.serve_elsewhere import is_done_elsewhere, port_of, typed_words
    from phicli.supervisor.background import take_detached_mark

    detached = take_detached_mark()
    if not detached and is_done_elsewhere(ctx, background=background, print_unit=print_unit):
        return 0
    from phicli.commands.serving import Saying
    from phicli.server.key import read_key
    from phicli.server.running import ServeOptions
    from phicli.server.running import serve as run
    from phicli.server.types import LoadOptions

    load = LoadOptions(
        models=tuple(models or ()), pull=pull, parallel=parallel, context_tokens=context, settings=settings,
        keep_alive_s=read_duration(keep_alive), memory_check=memory_check, adapters=named_adapters(adapter),
    )  # fmt: skip
    with Saying(as_json=as_json, quiet=quiet, every_request=verbose or log_prompts, detached=detached) as saying:
        options = ServeOptions(
            host=host, port=port_of(ctx, port, detached=detached), key=read_key(api_key_file), load=load,
            origins=tuple(allow_origin or ()), hosts=tuple(allow_host or ()), preload=preload, log=saying.log,
            log_prompts=log_prompts, background=detached, command=tuple(typed_words(ctx)),
        )  # fmt: skip
        return run(options, saying.ready, saying.notice)

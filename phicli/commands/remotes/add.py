"""``phi remotes add``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json
from phicli.commands.remotes.arguments import complete_kind, complete_variable


def add(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the remote, e.g. lab; its models are lab/MODEL.", metavar="NAME", show_default=False
        ),
    ],
    url: Annotated[
        str, typer.Argument(help="Address, e.g. http://10.0.0.7:8000/v1.", metavar="URL", show_default=False)
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="Product: openai, ollama, lmstudio, llama-server, vllm, foundry-local, azure, nvidia or phi "
            "[default: by the address].",
            autocompletion=complete_kind,
        ),
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option(
            "--key-env",
            metavar="VARIABLE",
            help="Environment variable that has the API key, e.g. LAB_API_KEY.",
            autocompletion=complete_variable,
        ),
    ] = None,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="Take the API key from the keyring of this system.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Save the address of an OpenAI-compatible endpoint under a name."""
    from phicli.commands.remotes.adding import add_remote
    from phicli.ui.remotes import print_added
    from phicli.ui.terminal import Terminal

    added = add_remote(name, url, kind, key_env, keyring=keyring)
    print_added(Terminal.current(), added.remote, added.path, added.before, added.notes, as_json=as_json)

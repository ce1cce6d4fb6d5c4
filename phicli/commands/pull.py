"""``phi pull``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.model_names import complete_downloadable
from phicli.commands.options import Json, Quiet


def pull(
    model: Annotated[
        str,
        typer.Argument(
            help="Model: phi-4-mini, phi-4-mini:q5_k_m, owner/repo, owner/repo:QUANT or owner/repo:FILE.gguf.",
            autocompletion=complete_downloadable,
            show_default=False,
        ),
    ],
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of the repository.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be downloaded.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not use the network; only check whether the model is on this machine.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Download all files again.")] = False,
    token: Annotated[
        str | None,
        typer.Option("--token", help="Access token [default: HF_TOKEN, or the token saved by hf auth login]."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Download a model into the shared cache and verify it."""
    from phicli.commands.downloading import download, show_plan
    from phicli.commands.remotes.elsewhere import refuse_remote
    from phicli.hub.download.request import pull_request

    refuse_remote(model, "pull")
    request = pull_request(model, revision=revision, token=token, force=force, offline=offline)
    if dry_run:
        show_plan(request, quiet=quiet, as_json=as_json)
    else:
        download(request, quiet=quiet, as_json=as_json)

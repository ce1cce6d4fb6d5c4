"""``phi sessions show``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.output_format import Json
from phicli.commands.sessions.names import Name


def show(
    name: Name,
    reproduce: Annotated[
        int | None,
        typer.Option("--reproduce", metavar="N", help="Print the command that makes the answer of turn N again."),
    ] = None,
    prompt: Annotated[
        int | None,
        typer.Option(
            "--prompt", metavar="N", help="Print the question of turn N as the model read it, with its attachments."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the turns of a session, or the command that makes an answer again."""
    from phicli.chat.reproduce import numbered_turn, reproduction
    from phicli.commands.output_format import only_one
    from phicli.commands.sessions.names import open_sessions
    from phicli.ui.sessions.session_page import print_prompt, print_reproduction, print_session
    from phicli.ui.terminal import Terminal

    only_one({"reproduce": reproduce is not None, "prompt": prompt is not None})
    terminal = Terminal.current()
    saved = open_sessions(terminal).get(name)
    info, dialogue = saved.info, saved.dialogue
    if reproduce is not None:
        from phicli.adapters.registry import name_of

        command = reproduction(info.name, info.model, dialogue, reproduce, adapter_name=name_of)
        print_reproduction(terminal, command, as_json=as_json)
    elif prompt is not None:
        print_prompt(terminal, prompt, numbered_turn(info.name, dialogue, prompt).text, as_json=as_json)
    else:
        print_session(terminal, saved, as_json=as_json)

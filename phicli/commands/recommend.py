"""``phi recommend``."""

from __future__ import annotations

from typing import Annotated

import typer

from phicli.commands.options import Json


def complete_task(incomplete: str) -> list[str]:
    """Tasks that begin with ``incomplete``."""
    from phicli.fit.tasks import TASKS

    return [name for name in TASKS if name.startswith(incomplete.lower())]


def complete_machine(incomplete: str) -> list[str]:
    """Common machines whose names begin with ``incomplete``."""
    from phicli.hardware.simulation import profile_names

    return [name for name in profile_names() if name.startswith(incomplete.lower())]


def recommend(
    task: Annotated[
        str,
        typer.Option(
            "--task",
            help="chat, code, math, reasoning, multilingual, tools, long-context, vision or any.",
            autocompletion=complete_task,
        ),
    ] = "any",
    context: Annotated[
        int | None, typer.Option("--context", "-c", min=32, help="Tokens of context. Default: what the task needs.")
    ] = None,
    prompt_tokens: Annotated[
        int, typer.Option("--prompt-tokens", min=1, help="Length of the prompt for the time to the first word.")
    ] = 512,
    min_tps: Annotated[
        float | None, typer.Option("--min-tps", help="Least tokens a second. Default: what the task needs.")
    ] = None,
    max_size: Annotated[str | None, typer.Option("--max-size", help="Largest file, such as 4G.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="Only this licence, such as MIT.")] = None,
    quant: Annotated[str | None, typer.Option("--quant", help="Only this quantisation, such as Q4_K_M.")] = None,
    kv_type: Annotated[
        str | None, typer.Option("--kv-type", help="f16, q8_0 or q4_0. Default: f16, or q8_0 where that does not fit.")
    ] = None,
    installed: Annotated[bool, typer.Option("--installed", help="Only what is on this machine.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also list the rest, each with the reason.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show the sums behind the numbers.")] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Time the engine on a few layers of the picks first; some seconds each.")
    ] = False,
    ram: Annotated[str | None, typer.Option("--ram", help="Pretend to have this much memory, such as 16G.")] = None,
    vram: Annotated[str | None, typer.Option("--vram", help="Pretend to have a GPU with that, such as 8G.")] = None,
    cores: Annotated[int | None, typer.Option("--cores", help="Pretend to have that many cores.")] = None,
    bandwidth: Annotated[
        str | None, typer.Option("--bandwidth", help="Pretend that memory is read this fast, such as 60GB/s.")
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine", help="Pretend to be a common machine, such as laptop-16gb.", autocompletion=complete_machine
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which model fits this machine, how fast it will be, and which to take."""
    from phicli.commands.recommending import MachineOptions, report_for, wanted
    from phicli.fit.types import Request
    from phicli.ui.envelope import print_result
    from phicli.ui.recommendation import print_report
    from phicli.ui.recommendation_data import report_data
    from phicli.ui.terminal import Terminal

    asked = Request(task, context, prompt_tokens, min_tps, None, license_, quant, kv_type, installed)
    terminal, pretended = Terminal.current(), MachineOptions(ram, vram, cores, bandwidth, machine)
    report = report_for(wanted(asked, max_size), pretended, calibrate=calibrate, tell=terminal.say)
    if as_json:
        print_result(terminal, "recommend", report_data(report, everything=everything, explain=explain))
    else:
        print_report(terminal, report, everything=everything, explain=explain)

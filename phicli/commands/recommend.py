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
        int | None,
        typer.Option("--context", "-c", min=32, help="Context size in tokens. Default: what the task needs."),
    ] = None,
    prompt_tokens: Annotated[
        int, typer.Option("--prompt-tokens", min=1, help="Prompt length in tokens, for the time to first token.")
    ] = 512,
    min_tps: Annotated[
        float | None, typer.Option("--min-tps", help="Minimum tokens per second. Default: what the task needs.")
    ] = None,
    max_size: Annotated[str | None, typer.Option("--max-size", help="Maximum file size, e.g. 4G.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="Only this license, e.g. MIT.")] = None,
    quant: Annotated[str | None, typer.Option("--quant", help="Only this quantization, e.g. Q4_K_M.")] = None,
    kv_type: Annotated[
        str | None,
        typer.Option(
            "--kv-type", help="Type of the KV cache: f16, q8_0 or q4_0. Default: f16, or q8_0 where f16 does not fit."
        ),
    ] = None,
    installed: Annotated[bool, typer.Option("--installed", help="Only models that are on this machine.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Also list the rejected candidates, each with the reason.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show how the numbers were calculated.")] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate", help="Time the engine on a few layers of the picks first; takes some seconds each."
        ),
    ] = False,
    ram: Annotated[
        str | None, typer.Option("--ram", help="Simulate a machine with this much memory, e.g. 16G.")
    ] = None,
    vram: Annotated[str | None, typer.Option("--vram", help="Simulate a GPU with this much memory, e.g. 8G.")] = None,
    cores: Annotated[int | None, typer.Option("--cores", help="Simulate a processor with this many cores.")] = None,
    bandwidth: Annotated[
        str | None, typer.Option("--bandwidth", help="Simulate this memory bandwidth, e.g. 60GB/s.")
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option("--machine", help="Simulate a common machine, e.g. laptop-16gb.", autocompletion=complete_machine),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which model fits this machine, how fast it will be, and which to take."""
    from phicli.bench.calibration.picks import calibrated_report
    from phicli.fit.types import Request
    from phicli.plan.machine import MachineOptions
    from phicli.plan.recommend_here import complete_request, report_for
    from phicli.ui.recommendation import print_report
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    typed = Request(task, context, prompt_tokens, min_tps, None, license_, quant, kv_type, installed)
    request = complete_request(typed, max_size)
    make_report = calibrated_report if calibrate else report_for
    report = make_report(request, MachineOptions(ram, vram, cores, bandwidth, machine), terminal.say)
    print_report(terminal, report, everything=everything, explain=explain, as_json=as_json)

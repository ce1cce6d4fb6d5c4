"""``phi recommend``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from phicli.commands.options import Json, checked, complete_values
from phicli.engine.settings import FIELDS


def complete_task(incomplete: str) -> list[str]:
    """Tasks that begin with ``incomplete``."""
    from phicli.fit.tasks import TASKS

    return [name for name in TASKS if name.startswith(incomplete.lower())]


def complete_machine(incomplete: str) -> list[str]:
    """Common machines whose names begin with ``incomplete``."""
    from phicli.hardware.simulation import profile_names

    return [name for name in profile_names() if name.startswith(incomplete.lower())]


def complete_quant(incomplete: str) -> list[str]:
    """Quantizations of the catalog that begin with ``incomplete``, in its case."""
    from phicli.catalog.load import catalog

    quants = sorted({quant for variant in catalog().variants if variant.runs_here for quant in variant.quants})
    cased = [quant.lower() if incomplete.islower() else quant for quant in quants]
    return [quant for quant in cased if quant.startswith(incomplete)]


def complete_license(incomplete: str) -> list[str]:
    """Licenses of the catalog that begin with ``incomplete``."""
    from phicli.catalog.load import catalog

    known = dict.fromkeys(variant.license for variant in catalog().variants if variant.runs_here)
    return [name for name in known if name.lower().startswith(incomplete.lower())]


def _task(text: str) -> object:
    from phicli.fit.tasks import task_named

    return task_named(text)


def _machine(text: str) -> None:
    from phicli.hardware.simulation import require_profile

    require_profile(text)


def _rate(text: str) -> object:
    from phicli.hardware.sizes import parse_rate

    return parse_rate(text, "--bandwidth")


def _size_of(option: str) -> Callable[[str | None], str | None]:
    def read(text: str) -> object:
        from phicli.hardware.sizes import parse_size

        return parse_size(text, option)

    return checked(read)


def _read_vram(text: str) -> object:
    from phicli.hardware.sizes import parse_size_or_none

    return parse_size_or_none(text, "--vram")


def recommend(
    task: Annotated[
        str,
        typer.Option(
            "--task",
            help="Task: chat, code, math, reasoning, multilingual, tools, long-context, vision or any.",
            autocompletion=complete_task,
            callback=checked(_task),
        ),
    ] = "any",
    context: Annotated[
        int | None,
        typer.Option("--context", "-c", min=32, help="Context size in tokens [default: depends on the task]."),
    ] = None,
    prompt_tokens: Annotated[
        int, typer.Option("--prompt-tokens", min=1, help="Prompt length in tokens, for the time to first token.")
    ] = 512,
    min_tps: Annotated[
        float | None, typer.Option("--min-tps", help="Leave out models slower than this many tokens per second.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option("--max-size", help="Maximum file size, e.g. 4G.", callback=_size_of("--max-size"))
    ] = None,
    license_: Annotated[
        str | None,
        typer.Option("--license", help="Only models with this license, e.g. MIT.", autocompletion=complete_license),
    ] = None,
    quant: Annotated[
        str | None,
        typer.Option("--quant", help="Only this quantization, e.g. Q4_K_M.", autocompletion=complete_quant),
    ] = None,
    kv_type: Annotated[
        str | None,
        typer.Option(
            "--kv-type",
            help="KV cache type: f16, q8_0 or q4_0 [default: f16, or q8_0 if memory is short].",
            autocompletion=complete_values(*FIELDS["kv_type"].kind.typed),
            callback=checked(FIELDS["kv_type"].read),
        ),
    ] = None,
    installed: Annotated[bool, typer.Option("--installed", help="Only models on this machine.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Also list the rejected candidates with the reasons.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show how the numbers were calculated.")] = False,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Time a few layers of each pick first; takes several seconds per pick."),
    ] = False,
    ram: Annotated[
        str | None,
        typer.Option("--ram", help="Simulate a machine with this much memory, e.g. 16G.", callback=_size_of("--ram")),
    ] = None,
    free: Annotated[
        str | None,
        typer.Option(
            "--free",
            help="Simulate this much free memory, e.g. 6G [default: as on a typical laptop].",
            callback=_size_of("--free"),
        ),
    ] = None,
    vram: Annotated[
        str | None,
        typer.Option(
            "--vram", help="Simulate a GPU with this much memory, e.g. 8G, or none.", callback=checked(_read_vram)
        ),
    ] = None,
    cores: Annotated[
        int | None, typer.Option("--cores", help="Simulate a processor with this many cores, e.g. 8.")
    ] = None,
    bandwidth: Annotated[
        str | None,
        typer.Option("--bandwidth", help="Simulate this memory bandwidth, e.g. 60GB/s.", callback=checked(_rate)),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            help="Simulate a common machine, e.g. laptop-16gb.",
            autocompletion=complete_machine,
            callback=checked(_machine),
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Recommend models that fit this machine, with their memory use and expected speed."""
    from phicli.bench.calibration.picks import calibrated_report
    from phicli.commands.remotes.offered import report_or_offers
    from phicli.fit.types import Request
    from phicli.plan.machine import MachineOptions
    from phicli.plan.recommend_here import complete_request, report_for
    from phicli.ui.recommendation import print_report
    from phicli.ui.terminal import Terminal

    terminal = Terminal.current()
    typed = Request(task, context, prompt_tokens, min_tps, None, license_, quant, kv_type, installed)
    request = complete_request(typed, max_size)
    make_report = calibrated_report if calibrate else report_for
    options = MachineOptions(ram, free, vram, cores, bandwidth, machine)
    report = report_or_offers(lambda: make_report(request, options, terminal.say), request)
    print_report(terminal, report, everything=everything, explain=explain, as_json=as_json)

"""What is recommended for a machine with all that is known of it: its hardware, its files, what was measured on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from phicli.catalog.load import catalog
from phicli.catalog.types import Catalog, Variant
from phicli.fit.calibration import Calibration
from phicli.fit.repacking import repacked_types
from phicli.fit.requirements import check_request
from phicli.fit.types import USUAL_PROMPT_TOKENS, Candidate, Request
from phicli.hardware.types import Machine
from phicli.plan.candidates import candidates
from phicli.plan.installed import installed_models
from phicli.plan.known_speed import known_speed
from phicli.plan.machine import MachineOptions, machine_of
from phicli.plan.recommendation import Report, make_report, recommended_quant


def complete_request(request: Request, max_size: str | None) -> Request:
    """``request`` with ``--max-size`` as typed, checked before the machine is looked at.

    Raises:
        UsageError: something in it makes no sense.
    """
    if max_size is not None:
        from phicli.hardware.sizes import parse_size

        request = replace(request, max_size_bytes=parse_size(max_size, "--max-size"))
    if request.kv_type is not None:
        request = replace(request, kv_type=request.kv_type.lower())
    if request.context_tokens is not None and request.prompt_tokens == USUAL_PROMPT_TOKENS:  # as good as not given
        request = replace(request, prompt_tokens=min(USUAL_PROMPT_TOKENS, request.context_tokens // 2))
    check_request(request)
    return request


def report_for(request: Request, options: MachineOptions, tell: Callable[[str], None]) -> Report:
    """The recommendation for the machine that ``options`` describe; ``tell`` is as for :func:`known_speed`.

    Raises:
        PhiError: a value of ``options`` makes no sense, or as for
            :func:`phicli.plan.recommendation.make_report`.
    """
    return report_on(machine_of(options), request, tell)


def report_on(
    machine: Machine, request: Request, tell: Callable[[str], None], just_made: Sequence[Calibration] = ()
) -> Report:
    """The recommendation for ``machine`` with what was measured before, and calibrations that were ``just_made``.

    Raises:
        PhiError: as for :func:`phicli.plan.recommendation.make_report`.
    """
    book = catalog()
    able = tuple(one for one in book.variants if one.runs_here and not one.packaged_file)  # a toy is not a choice
    speed_of = known_speed(machine, prompt_tokens=request.prompt_tokens, tell=tell, just_made=just_made)
    return make_report(machine, request, _candidates(machine, book, able), speed_of)


def quant_for(variant: Variant, tell: Callable[[str], None]) -> str | None:
    """The quantization of ``variant`` to download for this machine; None when none that is known fits."""
    machine = machine_of(MachineOptions())
    speed_of = known_speed(machine, prompt_tokens=USUAL_PROMPT_TOKENS, tell=tell)
    return recommended_quant(variant, machine, _candidates(machine, catalog(), (variant,)), speed_of)


def _candidates(machine: Machine, book: Catalog, variants: tuple[Variant, ...]) -> tuple[Candidate, ...]:
    chosen, installed = replace(book, variants=variants), installed_models(book)
    return candidates(chosen, installed, repacked=repacked_types(machine), gpus=machine.gpus)

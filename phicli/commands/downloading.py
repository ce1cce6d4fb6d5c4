"""What ``phi pull`` does with its options, and what other commands do about a model that is not here yet."""

from __future__ import annotations

from dataclasses import replace

from phicli.catalog.quants import explained
from phicli.commands.choosing import ask_which
from phicli.commands.pulled_adapter import add_downloaded, print_adapter_here
from phicli.errors import AmbiguousModelError, NotInstalledError, UserInterruptError
from phicli.hub.cache import cache_folder
from phicli.hub.download.planning import PullPlan, check_disk, prepare, present_file
from phicli.hub.download.pull import PullResult, pull
from phicli.hub.download.request import PullRequest, pull_request
from phicli.ui.confirm import confirm
from phicli.ui.envelope import print_result
from phicli.ui.pull_screen import PullScreen, plan_data, result_data, result_lines
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes


def download(request: PullRequest, *, quiet: bool, as_json: bool) -> None:
    """Get the model and say where it is: the path, or one JSON object, on standard output."""
    terminal = Terminal.current()
    request = replace(request, adapters=True)
    if request.offline and print_adapter_here(terminal, request, as_json=as_json):
        return
    with PullScreen(terminal, quiet=quiet) as screen:
        plan = _prepared(request, screen, terminal, ask=not as_json)
        result = _run(plan, screen)
    if plan.adapter:
        add_downloaded(terminal, result, quiet=quiet, as_json=as_json)
        return
    if as_json:
        print_result(terminal, "pull", result_data(result))
        return
    if not quiet:
        terminal.say(result_lines(result))
    terminal.write_line(str(result.path))


def show_plan(request: PullRequest, *, quiet: bool, as_json: bool) -> None:
    """Say what a pull would do; nothing is downloaded."""
    terminal = Terminal.current()
    with PullScreen(terminal, quiet=quiet) as screen:
        plan = _prepared(replace(request, adapters=True), screen, terminal, ask=not as_json)
        screen.announce(plan)
    check_disk(plan)
    data = plan_data(plan)
    if as_json:
        print_result(terminal, "pull", data)
    elif plan.present is not None:
        terminal.write_line(f"{request.name} is already downloaded: {plan.present.path}")
    else:
        for file in data["files"]:
            terminal.write_line(f"{file['size_bytes']:>14}  {data['repo']}  {file['filename']}")


def offer(terminal: Terminal, missing: NotInstalledError, *, quiet: bool) -> str:
    """Ask whether the model is to be downloaded, do it, and return the name of what was downloaded.

    Raises:
        NotInstalledError: no.
    """
    with PullScreen(terminal, quiet=quiet) as screen:
        plan = _prepared(pull_request(missing.model), screen, terminal, ask=True)
        if plan.model is not None:
            what = f"{missing.model} ({plan.model.repo.repo})" if plan.request.variant else plan.request.name
            screen.close()
            if not confirm(terminal, f"Download {what}, {format_bytes(plan.missing_bytes)}?", default=True):
                raise missing
        result = _run(plan, screen)
    if not quiet:
        terminal.say(result_lines(result))
    return plan.request.name


def _prepared(request: PullRequest, screen: PullScreen, terminal: Terminal, *, ask: bool) -> PullPlan:
    """What the request comes to, on this machine; where several models are meant a person is asked which."""
    request = _for_this_machine(request, screen)
    try:
        plan = prepare(request, screen)
    except AmbiguousModelError as error:
        screen.close()
        name = ask_which(terminal, error, ask=ask)
        plan = prepare(replace(request, name=name, quant=name.partition(":")[2]), screen)
    taken = plan.present or plan.model
    if taken is not None and (note := explained(request.quant or "", taken.quant)):
        screen.notice(note)
    return plan


def _for_this_machine(request: PullRequest, screen: PullScreen) -> PullRequest:
    """The request with the quantization that suits this machine, where none was asked for and none is there."""
    variant = request.variant
    if request.quant or variant is None or present_file(request, cache_folder()) is not None:
        return request
    from phicli.plan.recommend_here import quant_for

    screen.phase("checking this machine")
    quant = quant_for(variant, screen.notice)
    if quant is None:
        screen.notice(f"no file of {variant.id} fits into the memory available now; see what fits: phi recommend --all")
    return replace(request, preferred_quant=quant)


def _run(plan: PullPlan, screen: PullScreen) -> PullResult:
    screen.announce(plan)
    try:
        return pull(plan, screen)
    except KeyboardInterrupt:
        kept = screen.kept(plan)
        again = f"to continue: {plan.request.command}" if kept else ""
        raise UserInterruptError(f"interrupted; {kept}" if kept else "interrupted", again) from None

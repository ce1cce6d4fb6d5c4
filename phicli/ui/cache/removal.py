"""What ``phi rm`` and ``phi cache prune`` show before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phicli.hub.disk.prune import KeptPartial, PrunePlan
from phicli.hub.disk.removal import RemovalPlan
from phicli.ui.cache.tables import model_data, partial_data
from phicli.ui.columns import aligned
from phicli.ui.confirm import confirm
from phicli.ui.envelope import print_result
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes


def agrees_to_remove(terminal: Terminal, plan: RemovalPlan, *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Show the plan and ask; with ``dry_run`` it is data, on standard output, and the answer is no.

    Raises:
        UsageError: nobody can answer here.
        UserInterruptError: Ctrl-C.
    """
    if not as_json:
        _show(terminal, _removal_lines(plan), dry_run=dry_run)
    names = [*(model.name for model in plan.models), *(model.name for model in plan.registrations)]
    what = names[0] if len(set(names)) == 1 else f"all {len(names)}"
    return not dry_run and confirm(terminal, f"Remove {what}?", assume_yes=yes)


def print_removal(terminal: Terminal, plan: RemovalPlan, *, done: bool, dry_run: bool, as_json: bool) -> None:
    """What came of it."""
    if as_json:
        data = {
            "model": plan.name,
            "dry_run": dry_run,
            "done": done,
            "files": [model_data(model) for model in plan.models],
            "registrations": [model.name for model in plan.registrations],
            "freed_bytes": plan.freed_bytes,
        }
        print_result(terminal, "rm", data)
    elif not dry_run:
        _say_end(terminal, plan.freed_bytes, done=done)


def agrees_to_prune(terminal: Terminal, plan: PrunePlan, *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Show the plan and ask; with ``dry_run``, or when there is nothing to do, the answer is no.

    Raises:
        UsageError: nobody can answer here.
        UserInterruptError: Ctrl-C.
    """
    if not as_json:
        _show(terminal, _prune_lines(plan), dry_run=dry_run)
        for one in plan.kept:
            terminal.say(f"kept: {one.partial.repo} {one.partial.path.name}: {one.reason}")
        if plan.is_empty:
            terminal.say("nothing to remove")
    return not dry_run and not plan.is_empty and confirm(terminal, "Remove all of these?", assume_yes=yes)


def print_prune(
    terminal: Terminal, plan: PrunePlan, busy: Sequence[KeptPartial] | None, *, dry_run: bool, as_json: bool
) -> None:
    """What came of it; ``busy`` is what could not go after all, None when nothing was done."""
    kept = [*plan.kept, *(busy or ())]
    freed = plan.freed_bytes - sum(one.partial.size_bytes for one in busy or ())
    if as_json:
        gone = [partial for partial in plan.partials if partial not in [one.partial for one in busy or ()]]
        data: dict[str, Any] = {
            "dry_run": dry_run,
            "done": busy is not None,
            "partials": [partial_data(partial) for partial in gone],
            "revisions": [{"repo": one.repo, "revision": one.revision} for one in plan.revisions],
            "registrations": [model.name for model in plan.registrations],
            "leftovers": [str(path) for path in plan.leftovers],
            "kept": [{**partial_data(one.partial), "reason": one.reason} for one in kept],
            "freed_bytes": freed,
        }
        print_result(terminal, "cache prune", data)
        return
    for one in busy or ():
        terminal.say(f"kept: {one.partial.repo} {one.partial.path.name}: {one.reason}")
    if not dry_run and not plan.is_empty:
        _say_end(terminal, freed, done=busy is not None)


def _show(terminal: Terminal, lines: Sequence[str], *, dry_run: bool) -> None:
    for line in lines:
        if dry_run:
            terminal.write_line(line)
        else:
            terminal.say(line)


def _removal_lines(plan: RemovalPlan) -> list[str]:
    rows = [
        (model.name, format_bytes(model.size_bytes), f"{model.repo}/{model.filename}", _revisions(model.revisions))
        for model in plan.models
    ]
    lines = aligned(rows, right=(1,)) if rows else []
    for registered in plan.registrations:
        inside = any(registered.path.is_relative_to(root) for root in plan.imported)
        stays = "" if inside or plan.models else f"; its file is not deleted: {registered.path}"
        lines.append(f"the name {registered.name} is unregistered{stays}")
    lines += [f"the imported files are deleted: {root}" for root in plan.imported]
    parts = [part for model in plan.models for part in model.parts]
    linked = sum(part.size_bytes for part in parts if part.linked)
    shared = sum(part.size_bytes for part in parts) - linked - plan.freed_bytes
    more = f"; {format_bytes(linked)} are not freed, because the cache has only links to them" if linked else ""
    more += f"; {format_bytes(shared)} are not freed, because other models use the same files" if shared > 0 else ""
    return [*lines, f"frees {format_bytes(plan.freed_bytes)}{more}"]


def _revisions(revisions: Sequence[str]) -> str:
    return ", ".join(revision[:12] for revision in revisions)


def _prune_lines(plan: PrunePlan) -> list[str]:
    rows = [("partial download", format_bytes(one.size_bytes), one.repo, one.path.name) for one in plan.partials]
    rows += [("superseded revision", "", one.repo, one.revision[:12]) for one in plan.revisions]
    rows += [("name without a file", "", model.name, str(model.path)) for model in plan.registrations]
    rows += [("unfinished import", "", path.name, str(path.parent)) for path in plan.leftovers]
    return [*aligned(rows, right=(1,)), f"frees {format_bytes(plan.freed_bytes)}"] if rows else []


def _say_end(terminal: Terminal, freed_bytes: int, *, done: bool) -> None:
    terminal.say(f"removed; freed {format_bytes(freed_bytes)}" if done else "nothing was removed")

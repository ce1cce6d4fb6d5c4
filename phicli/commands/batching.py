"""What ``phi batch`` does with its options."""

from __future__ import annotations

import contextlib
import shlex
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from phicli.batch.job import run_batch
from phicli.batch.options import DEFAULT, BatchOptions
from phicli.batch.source import STANDARD_INPUT
from phicli.batch.target import USUAL_REASONING_TOKENS, LocalTarget
from phicli.catalog.resolve import resolve
from phicli.commands.batch_options import answers_of, batch_template, out_path, read_format, words_of
from phicli.commands.form_options import FormOptions, form_was_typed
from phicli.commands.locating import locate_or_offer
from phicli.commands.options import was_typed
from phicli.commands.tool_options import ToolOptions
from phicli.engine.starting import EngineChoice, find_program
from phicli.errors import CheckFailedError, NotFoundError, UsageError
from phicli.hardware.threads import notice_threads
from phicli.paths import is_there
from phicli.plan.chat_options import ChatOptions
from phicli.plan.last_used import last_used
from phicli.ui.batch import print_report
from phicli.ui.bench.progress import measuring
from phicli.units import counted

if TYPE_CHECKING:
    from phicli.batch.report import Report
    from phicli.batch.target import Target
    from phicli.remotes.types import RemoteModelName
    from phicli.ui.bench.progress import MeasuringLine
    from phicli.ui.terminal import Terminal

_LARGE_TOKENS: Final = 2 * USUAL_REASONING_TOKENS
"""More than any model may use where nothing was typed."""
_LONGEST: Final = 160
"""Of a command in a hint."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed; see :mod:`phicli.commands.batch_options`."""

    source: str
    out: str | None
    model: str | None
    prompt: str | None
    input_format: str | None
    template: str | None
    variables: tuple[str, ...]
    options: ChatOptions
    form: tuple[str | None, str | None, str | None, str | None, bool, int | None]
    tools: ToolOptions
    engine: EngineChoice | None
    parallel: int | None
    remotes: tuple[str, ...]
    retry_failed: bool = False
    restart: bool = False
    memory_check: bool = True
    as_json: bool = False
    quiet: bool = False


def do_batch(ctx: Any, typed: Typed) -> None:
    """Do the batch, and print how it went.

    Raises:
        PhiError: it could not be done; or lines failed.
    """
    if typed.restart and typed.retry_failed:
        raise UsageError("--restart and --retry-failed cannot be used together", "leave out one of them")
    _check_order(typed)
    with measuring(quiet=typed.quiet) as (terminal, line):
        wanted = _wanted(ctx, typed, line.say)
        if "threads" in wanted.options.engine:
            notice_threads([wanted.options.engine["threads"]], line.say)
        if wanted.source == STANDARD_INPUT and terminal.stdin.isatty():
            line.say("type a prompt per line, and Ctrl-D at the end")
        report = run_batch(wanted, lambda: _target(wanted, terminal, line, typed), line)
    print_report(terminal, report, as_json=typed.as_json and not report.failed, quiet=typed.quiet or typed.as_json)
    if report.failed:
        raise _some_failed(report, wanted.options.max_tokens)


def _check_order(typed: Typed) -> None:
    """Return unless the model stands where the file belongs.

    Raises:
        UsageError: it does.
    """
    if typed.source == STANDARD_INPUT or is_there(typed.source):
        return
    if typed.model is not None and is_there(typed.model) and not typed.model.lower().endswith(".gguf"):
        hint = f"name the file first: phi batch {shlex.join((typed.model, typed.source))} --out OUT"
        raise UsageError(f"{typed.source} is not a file, but {typed.model} is", hint)
    with contextlib.suppress(NotFoundError):
        resolve(typed.source)
        hint = f"name the file first: phi batch IN {shlex.quote(typed.source)} --out OUT"
        raise UsageError(f"{typed.source} is a model, not a file", hint)


def _wanted(ctx: Any, typed: Typed, say: Any) -> BatchOptions:
    """The batch that was asked for: everything that was typed is read and checked.

    Raises:
        PhiError: something is wrong.
    """
    worded = batch_template(ctx, typed.template)
    options, schema = typed.options, None
    if worded is not None:
        options = replace(options, **{name: one for name, one in worded.options.items() if not was_typed(ctx, name)})
        schema = None if form_was_typed(ctx) else worded.schema
    form = FormOptions(*typed.form) if schema is None else FormOptions(schema, retries=typed.form[-1])
    model = typed.model if was_typed(ctx, "model") else (worded.model if worded else None) or typed.model
    named = _remotes(ctx, typed, model)
    return BatchOptions(
        typed.source,
        out_path(typed.out),
        named[0].model if named else model or _last_used(),
        options,
        words_of(typed.prompt, worded, options.system, typed.variables),
        answers_of(form, typed.tools, say),
        None if typed.input_format is None else read_format(typed.input_format),
        named,
        typed.engine or DEFAULT,
        typed.parallel,
        typed.retry_failed,
        typed.restart,
        typed.memory_check,
    )


def _last_used() -> str:
    """The model that was last talked to.

    Raises:
        UsageError: there was none yet.
    """
    try:
        return last_used()
    except UsageError as error:
        raise UsageError(error.message, "name one, e.g. phi batch IN tiny-phi --out OUT") from None


def _remotes(ctx: Any, typed: Typed, model: str | None) -> tuple[RemoteModelName, ...]:
    """The models of remotes that answer; none for a model of this machine.

    Raises:
        NotFoundError: there is no such remote.
        UsageError: the model has no name, or an option is for this machine.
    """
    from phicli.chat.remote import NamedRemote
    from phicli.commands.remote_options import check_remote_options
    from phicli.commands.remotes.elsewhere import remote_of
    from phicli.remotes.known import require
    from phicli.remotes.naming import checked_model
    from phicli.remotes.types import RemoteModelName

    alone = None if model is None else remote_of(model)
    found = [] if alone is None or typed.remotes else [alone]
    if alone is not None and typed.remotes and was_typed(ctx, "model"):
        others = (text if "/" in text else f"{text}/{alone.model}" for text in typed.remotes)
        raise UsageError(
            f"{model} is a model of a remote, and --remote names another one",
            f"give both with --remote: {' '.join(f'--remote {one}' for one in (alone.reference, *others))}",
        )
    for text in typed.remotes:
        if "," in text:
            several = " ".join(f"--remote {one.strip()}" for one in text.split(","))
            raise UsageError(f"--remote {text} is not the name of one remote", f"repeat the option: {several}")
        name, _, own = text.partition("/")
        remote = require(name)
        if not own and not was_typed(ctx, "model"):
            hint = f"phi batch IN MODEL --out OUT --remote {name}; see its models: phi remotes test {name}"
            raise UsageError("--remote requires the name of a model", hint)
        found.append(RemoteModelName(remote, checked_model(remote, own or model or "")))
    if typed.remotes and was_typed(ctx, "model") and all(text.partition("/")[2] for text in typed.remotes):
        raise UsageError(f"{model} has no effect: every --remote names its own model", "leave it out")
    if len(set(found)) < len(found):
        raise UsageError("a remote is named twice", "leave out one of them")
    for one in found:
        check_remote_options(ctx, NamedRemote(one), quiet=typed.quiet)
    return tuple(found)


def _target(wanted: BatchOptions, terminal: Terminal, line: MeasuringLine, typed: Typed) -> Target:
    """What answers.

    Raises:
        PhiError: it is not on this machine, or its engine is not.
    """
    if wanted.remotes:
        from phicli.batch.remote_target import RemoteTarget
        from phicli.commands.measured_models import say_of_remotes

        line.clear()
        say_of_remotes(terminal, wanted.remotes, quiet=typed.quiet)
        return RemoteTarget(wanted.remotes, wanted)
    find_program(wanted.engine.name, wanted.engine.program)
    model = locate_or_offer(wanted.model, terminal, ask=not typed.as_json, quiet=typed.quiet)
    return LocalTarget(model, wanted)


def _some_failed(report: Report, max_tokens: int | None) -> CheckFailedError:
    message = f"{report.failed:,} of {counted(report.rows, 'line')} failed"
    if report.broken == report.failed:
        hint = "correct them in another file, and ask that with another --out"
        return CheckFailedError(message, hint, data=report.to_data())
    words = [word for word in sys.argv[1:] if word not in ("--retry-failed", "--restart")]
    more = "--retry-failed"
    if report.some_too_short:
        words = _without(_without(words, "--max-tokens"), "-n")
        more += f" --max-tokens {_LARGE_TOKENS if max_tokens is None else max_tokens * 4}"
    command = shlex.join(["phi", *words])
    again = f"{command} {more}" if len(command) <= _LONGEST else f"the same command with {more}"
    if report.broken:
        again += f"; {counted(report.broken, 'line')} cannot be asked: correct such lines in another file"
    return CheckFailedError(message, f"ask them again: {again}", data=report.to_data())


def _without(words: list[str], option: str) -> list[str]:
    """``words`` without an option and its value."""
    kept = [word for before, word in zip(["", *words], words, strict=False) if before != option]
    return [word for word in kept if word != option and not word.startswith(f"{option}=")]

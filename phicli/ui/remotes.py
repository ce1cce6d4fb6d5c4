"""What ``phi remotes`` prints. Keys are never shown: only where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from phicli.remotes.checking import Checked, ShortAnswer
from phicli.remotes.keys import has_key, place_of
from phicli.remotes.kinds import Kind, kind_of
from phicli.remotes.types import Remote
from phicli.ui.envelope import print_result
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal, one_line
from phicli.units import counted

_NAME, _URL, _KIND, _KEY = Column("name"), Column("address", least=24), Column("kind"), Column("key", least=12)
_LAYOUTS: Final = ((_NAME, _URL, _KIND, _KEY), (_NAME, _URL, _KIND), (_NAME, _URL))
_SHOWN: Final = 50


def print_added(
    terminal: Terminal, remote: Remote, path: Path, before: Remote | None, notes: Sequence[str], *, as_json: bool
) -> None:
    """What was saved."""
    if as_json:
        data = {**remote_data(remote), "path": str(path), "replaced": before is not None, "notes": list(notes)}
        print_result(terminal, "remotes add", data)
        return
    done = "added" if before is None else "unchanged" if before == remote else "changed"
    terminal.say(f"remote {remote.name} {done}: {remote.url} ({kind_of(remote).title})")
    for note in notes:
        terminal.alarm("note:", note)
    terminal.say(f"test it: phi remotes test {remote.name}; use it: phi chat {remote.name}/MODEL")


def print_remotes(terminal: Terminal, path: Path, remotes: Sequence[Remote], *, as_json: bool) -> None:
    """The remotes on standard output.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        data = {"path": str(path), "remotes": [remote_data(remote) for remote in remotes]}
        print_result(terminal, "remotes list", data)
    elif remotes:
        print_rows(terminal, _LAYOUTS, [_cells(remote) for remote in remotes])
    else:
        terminal.say("there are no remotes; add one: phi remotes add NAME URL")


def print_removed(terminal: Terminal, names: Sequence[str], path: Path, *, as_json: bool) -> None:
    """What was removed."""
    if as_json:
        print_result(terminal, "remotes rm", {"removed": list(names), "path": str(path)})
    else:
        terminal.say(f"removed {counted(len(names), 'remote')}: {', '.join(names)}")


def print_checked(terminal: Terminal, checked: Checked, *, as_json: bool) -> None:
    """What a test found on standard output; what is remarkable on standard error.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    if as_json:
        print_result(terminal, "remotes test", _checked_data(checked))
        return
    for line in _checked_lines(checked):
        terminal.write_line(line)
    for note in checked.notes:
        terminal.alarm("note:", note)
    if checked.answer is None:
        terminal.say(f"to ask a model: phi remotes test {checked.remote.name} MODEL")


def remote_data(remote: Remote) -> dict[str, Any]:
    """A remote as JSON has it. ``key_set`` is null where it is not known, as of a keyring."""
    return {
        "name": remote.name,
        "url": remote.url,
        "kind": remote.kind,
        "key_env": remote.key_env,
        "keyring": remote.keyring,
        "key_set": has_key(remote) if remote.key_env else None,
    }


def kind_lines(kind: Kind) -> list[tuple[str, str]]:
    """What a product takes, in words: pairs of a label and a text."""
    choices = [{"named": "one tool by its name"}.get(choice, choice) for choice in sorted(kind.tool_choice)]
    yes = {"a JSON schema": kind.schema, "a seed": kind.seed, "log-probabilities": kind.logprobs}
    takes = [*(name for name, taken in yes.items() if taken), *kind.sampling, *kind.grammar]
    not_taken = [name for name, taken in yes.items() if not taken]
    lines = [
        ("kind", f"{kind.title} ({kind.provenance}: {kind.documented})"),
        ("takes", ", ".join(takes)),
        ("tools", f"tool choice {', '.join(['auto', *choices])}"),
    ]
    lines += [("not", ", ".join(not_taken))] if not_taken else []
    return [*lines, *([("remark", kind.remark)] if kind.remark else [])]


def kind_data(kind: Kind) -> dict[str, Any]:
    """The same as JSON has it."""
    return {
        "kind": kind.name,
        "title": kind.title,
        "documented": kind.documented,
        "as_of": kind.as_of,
        "tried": kind.tried,
        "limit_field": kind.limit_field,
        "tool_choice": ["auto", *sorted(kind.tool_choice)],
        "parallel_tool_calls": kind.parallel_tool_calls,
        "schema": kind.schema,
        "seed": kind.seed,
        "logprobs": kind.logprobs,
        "most_stop_texts": kind.most_stop_texts,
        "sampling": list(kind.sampling),
        "grammar": list(kind.grammar),
        "parallel": kind.parallel,
    }


def _cells(remote: Remote) -> dict[str, str]:
    key = place_of(remote) or "none"
    missing = " (not set)" if remote.key_env and not has_key(remote) else ""
    return {"name": remote.name, "address": remote.url, "kind": remote.kind, "key": key + missing}


def _checked_lines(checked: Checked) -> list[str]:
    remote, answer = checked.remote, checked.answer
    lines = [("remote", f"{remote.name}, {checked.url}" + (f" ({checked.server})" if checked.server else ""))]
    if checked.listed_ms is not None:
        found = f": {counted(len(checked.models), 'model')}" if kind_of(remote).lists_models else ""
        lines.append(("reached", f"in {checked.listed_ms:.0f} ms{found}"))
    lines += [("model", f"{remote.name}/{name}") for name in checked.models[:_SHOWN]]
    if len(checked.models) > _SHOWN:
        lines.append(("", f"and {len(checked.models) - _SHOWN:,} more; see all: --json"))
    lines += [] if answer is None else [("answer", _answer_text(answer))]
    lines += kind_lines(kind_of(remote))
    return [f"{label:8} {one_line(text)}".rstrip() for label, text in lines]


def _answer_text(answer: ShortAnswer) -> str:
    said = answer.text or "without any text"
    return f"of {answer.model} after {answer.first_ms:.0f} ms, complete after {answer.total_ms:.0f} ms: {said}"


def _checked_data(checked: Checked) -> dict[str, Any]:
    answer = checked.answer
    return {
        **remote_data(checked.remote),
        "server": checked.server or None,
        "models": list(checked.models),
        "listed_ms": checked.listed_ms,
        "answer": None
        if answer is None
        else {
            "model": answer.model,
            "text": answer.text,
            "first_ms": answer.first_ms,
            "total_ms": answer.total_ms,
            "finish_reason": answer.finish_reason,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
        },
        "takes": kind_data(kind_of(checked.remote)),
        "notes": list(checked.notes),
    }

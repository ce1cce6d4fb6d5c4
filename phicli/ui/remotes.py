"""What ``phi remotes`` prints. Keys are never shown: only where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from phicli.remotes.checking import QUESTION, Checked, ShortAnswer
from phicli.remotes.keys import has_key, place_of
from phicli.remotes.kinds import Kind, kind_of
from phicli.remotes.types import Remote, RemoteModelName
from phicli.ui.envelope import print_result
from phicli.ui.sections import Section, print_page
from phicli.ui.tables import Column, print_rows
from phicli.ui.terminal import Terminal
from phicli.units import counted

_NAME, _URL, _KIND, _KEY = Column("name"), Column("address", least=24), Column("kind"), Column("key", least=12)
_LAYOUTS: Final = ((_NAME, _URL, _KIND, _KEY), (_NAME, _URL, _KIND), (_NAME, _URL))
_SHOWN: Final = 50
_LONGEST: Final = 300


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
    print_page(terminal, f"{checked.remote.name}: {checked.url}", _checked_sections(checked))
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


def kind_section(kind: Kind) -> Section:
    """What a product takes."""
    choices = ["auto", *sorted(kind.tool_choice - {"named"}), *(["the name of a tool"] * ("named" in kind.tool_choice))]
    yes = {"JSON schema": kind.schema, "seed": kind.seed, "log-probabilities": kind.logprobs}
    takes = [*(name for name, taken in yes.items() if taken), *kind.sampling, *kind.grammar]
    facts = [
        ("product", kind.title),
        ("takes", ", ".join(takes)),
        ("tool choice", ", ".join(choices)),
        ("limit", kind.limit_field),
        ("not taken", ", ".join(name for name, taken in yes.items() if not taken)),
        ("remark", kind.remark),
        ("known from", f"{kind.documented} ({kind.provenance})"),
    ]
    return Section("What it takes", facts=tuple((label, text) for label, text in facts if text))


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


def print_remote_model(terminal: Terminal, named: RemoteModelName, title: str | None, *, as_json: bool) -> None:
    """What is known of a model of a remote without asking it; ``title`` is that of the catalog's model it may be.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    remote = named.remote
    if as_json:
        data = {"model": named.reference, "remote": remote_data(remote), "catalog": title}
        print_result(terminal, "show", {**data, "takes": kind_data(kind_of(remote))})
        return
    facts = [("remote", remote.name), ("address", remote.url), ("model there", named.model)]
    facts += [("by its name", title)] if title else []
    facts += [("key", place_of(remote))] if place_of(remote) else []
    sections = [Section("", facts=tuple(facts)), kind_section(kind_of(remote))]
    print_page(terminal, f"{named.reference}: a model on another server", sections)
    terminal.say(f"to see whether it answers: phi remotes test {named.reference}")


def _cells(remote: Remote) -> dict[str, str]:
    key = place_of(remote) or "none"
    missing = " (not set)" if remote.key_env and not has_key(remote) else ""
    return {"name": remote.name, "address": remote.url, "kind": remote.kind, "key": key + missing}


def _checked_sections(checked: Checked) -> list[Section]:
    remote, answer = checked.remote, checked.answer
    facts = [("server", checked.server)] if checked.server else []
    facts += [("reached in", f"{checked.listed_ms:.0f} ms")] if checked.listed_ms is not None else []
    facts += [("key", place_of(remote))] if place_of(remote) else []
    names = [(f"{remote.name}/{name}", "") for name in checked.models[:_SHOWN]]
    if len(checked.models) > _SHOWN:
        names.append((f"and {len(checked.models) - _SHOWN:,} more; see all: --json", ""))
    answered = () if answer is None else _answer_facts(answer)
    return [
        Section("", facts=tuple(facts)),
        Section("Models", facts=tuple(names)),
        Section("Answer", facts=answered),
        kind_section(kind_of(remote)),
    ]


def _answer_facts(answer: ShortAnswer) -> tuple[tuple[str, str], ...]:
    return (
        ("model", answer.model),
        ("question", QUESTION),
        ("answer", _shown(answer)),
        ("first text", f"after {answer.first_ms:.0f} ms"),
        ("complete", f"after {answer.total_ms:.0f} ms"),
    )


def _shown(answer: ShortAnswer) -> str:
    if answer.text:
        return answer.text if len(answer.text) <= _LONGEST else f"{answer.text[:_LONGEST]}…"
    return "none yet: it was still reasoning" if answer.reasoning else "none: it answered without any text"


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
            "reasoning": answer.reasoning or None,
            "first_ms": answer.first_ms,
            "total_ms": answer.total_ms,
            "finish_reason": answer.finish_reason,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
        },
        "takes": kind_data(kind_of(checked.remote)),
        "notes": list(checked.notes),
    }

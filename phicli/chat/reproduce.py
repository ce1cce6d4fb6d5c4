"""The command that makes an answer of a saved session again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat.remote import REMOTE
from phicli.chat.saved_adapters import adapters_of_answer, adapters_of_dialogue
from phicli.chat.transfer import attachment_label, first_turns
from phicli.engine.settings import FIELDS, value_text
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, build_of
from phicli.engine.types import NO_ADAPTERS
from phicli.errors import PhiError, UsageError

ENGINE_FIELDS: Final = ("threads", "kv_type", "repack", "gpu_layers")
"""The settings of the engine that ``phi chat`` has options for."""
_NUMBERS: Final = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "seed", "max_tokens", "think_budget")
_LONGEST: Final = 500
"""Characters of a question that a command can hold and a person can still read."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to make an answer again.

    Attributes:
        chat: the words of the ``phi chat`` command.
        piped: the words of the command whose output it reads; empty where the question is one of ``chat``.
        notes: what can make the new answer another one, each a sentence.
    """

    chat: tuple[str, ...]
    piped: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def command(self) -> str:
        """What to type in a shell."""
        return " | ".join(shlex.join(words) for words in (self.piped, self.chat) if words)


def numbered_turn(name: str, dialogue: Dialogue, number: int) -> Turn:
    """Turn ``number`` of the session ``name``; 1 is the first.

    Raises:
        UsageError: the session has fewer turns.
    """
    if not 1 <= number <= len(dialogue.turns):
        count = len(dialogue.turns)
        raise UsageError(
            f"turn {number} was asked for, but the session {name} has {count}",
            f"choose a number from 1 to {count}; see them: {shlex.join(['phi', 'sessions', 'show', name])}",
        )
    return dialogue.turns[number - 1]


def reproduction(
    name: str, model: str, dialogue: Dialogue, number: int, current_build: Callable[[str], str] = build_of,
    adapter_name: Callable[[Path], str] = str,
) -> Reproduction:  # fmt: skip
    """How to make the answer of turn ``number`` again.

    A question with attachments, or a long one, is read from ``phi sessions show``: the model gets the same text.

    Args:
        name: of the session.
        model: of the session; used where the answer does not name its own.
        dialogue: the conversation.
        number: of the turn; 1 is the first.
        current_build: the build of an engine as it is installed now, by the name of the engine.
        adapter_name: what an adapter is called on the command line, by its file.

    Raises:
        UsageError: there is no such turn, it has no answer, or it is not known how the answer was made.
    """
    turn = numbered_turn(name, dialogue, number)
    show = shlex.join(["phi", "sessions", "show", name])
    if turn.answer is None:
        raise UsageError(f"question {number} of {name} has no answer", f"see the session: {show}")
    if not turn.facts:
        raise UsageError(
            f"the session {name} does not record how answer {number} was made",
            f"answers that phi chat saves have these records; see the session: {show}",
        )
    values = _settings(turn.facts)
    made_by = _string(turn.facts, "model") or model
    named = f"./{made_by}" if made_by.startswith("-") else made_by
    words = ["phi", "chat", named, "--session", name, "--before", str(number), "--no-save"]
    words += [
        *_engine(turn.facts),
        *_adapters(turn.facts, dialogue.without_last(len(dialogue.turns) - number + 1), adapter_name),
        *_options(values),
        *_form(turn.facts),
        *_tools(turn.facts),
        *_limits(turn.facts, values),
    ]
    piped = bool(turn.attachments) or not _can_be_typed(turn.question)
    if not piped:
        words += ["--no-stdin", *(["--"] if turn.question.startswith("-") else []), turn.question]
    source = ("phi", "sessions", "show", name, "--prompt", str(number)) if piped else ()
    notes = (*_build_notes(turn.facts, current_build), *_notes(turn, dialogue, number, values))
    return Reproduction(tuple(words), source, notes)


def _can_be_typed(question: str) -> bool:
    """Whether a shell and a terminal take ``question`` as a word of a command, exactly as it is."""
    if len(question) > _LONGEST or question.strip() in ("", "-"):
        return False
    return all(letter.isprintable() or letter == "\n" for letter in question)


def _settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an answer by name: those of the model, then the sampling of this answer, then its seed."""
    found: dict[str, Any] = {}
    for part in (facts.get("settings"), facts.get("sampling")):
        found |= part if isinstance(part, Mapping) else {}
    return found | ({"seed": facts["seed"]} if facts.get("seed") is not None else {})


def _engine(facts: Mapping[str, Any]) -> list[str]:
    engine = _string(facts, "engine")
    return ["--engine", engine] if engine in ENGINES and engine != DEFAULT_ENGINE else []


def _adapters(facts: Mapping[str, Any], before: Dialogue, name: Callable[[Path], str]) -> Iterator[str]:
    """The adapters; a conversation that goes on from ``before`` would otherwise bring its own."""
    adapters = adapters_of_answer(facts)
    for adapter in adapters:
        yield from ("--adapter", adapter.typed_as(name(adapter.path)))
    if not adapters and adapters_of_dialogue(before):
        yield from ("--adapter", NO_ADAPTERS)


def _options(values: Mapping[str, Any]) -> Iterator[str]:
    for name in _NUMBERS:
        if _is_number(values.get(name)):
            yield from (f"--{name.replace('_', '-')}", value_text(values[name]))
    stops = values.get("stop")
    for text in stops if isinstance(stops, list) else ():
        if isinstance(text, str) and text:
            yield f"--stop={text}" if text.startswith("-") else "--stop"
            yield from () if text.startswith("-") else (text,)
    for name in ENGINE_FIELDS:
        field = FIELDS[name]
        if name in values and field.kind.allows(values[name]) and values[name] != -1:
            yield from (field.option, value_text(values[name]))


def _form(facts: Mapping[str, Any]) -> Iterator[str]:
    """The options of an answer that was asked for in a form; a file is the one that was named then."""
    form = facts.get("form")
    for name, value in form.items() if isinstance(form, Mapping) else ():
        option = f"--{str(name).replace('_', '-')}"
        if value is True:
            yield option
        elif isinstance(value, str) or _is_number(value):
            yield f"{option}={value}"


def _tools(facts: Mapping[str, Any]) -> Iterator[str]:
    """The options of an answer that could call tools; the files are those that were named then."""
    tools = facts.get("tools")
    if not isinstance(tools, Mapping):
        return
    files = tools.get("files")
    yield from (f"--tools={file}" for file in files or () if isinstance(files, list))
    if (choice := _string(tools, "choice")) and choice != "auto":
        yield f"--tool-choice={choice}"
    if tools.get("force") is True:
        yield "--force-tools"


def _limits(facts: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """The context, where its end may have been that of the answer: elsewhere its size changes nothing."""
    ended = facts.get("finish_reason") == "length" and values.get("max_tokens") is None
    limit = values.get("context_tokens")
    return ["--context", str(limit)] if ended and isinstance(limit, int) else []


def _build_notes(facts: Mapping[str, Any], current_build: Callable[[str], str]) -> Iterator[str]:
    """Where the engine is another one than that which made the answer; native kernels are a part of its build."""
    build, engine = _string(facts, "build"), _string(facts, "engine") or DEFAULT_ENGINE
    if engine == REMOTE:
        yield f"the answer was made by {build or 'a remote'}; the answer may differ if what runs there has changed"
        return
    if not build:
        yield "the build of the engine was not recorded, so the answer may differ"
        return
    if engine not in ENGINES:
        yield f"the answer was made with the engine {engine}, which this version of phi does not have"
        return
    try:
        current = current_build(engine)
    except PhiError as error:
        yield f"the answer was made with {build}, which cannot be used now: {error.message}"
        return
    if current != build:
        yield f"the answer was made with {build}, but the engine is now {current}: the answer may differ"


def _notes(turn: Turn, dialogue: Dialogue, number: int, values: Mapping[str, Any]) -> Iterator[str]:
    if turn.attachments:
        names = ", ".join(attachment_label(one) for one in turn.attachments)
        yield f"the attachments come from the session, as they were when they were sent: {names}"
    if (reason := (turn.facts or {}).get("finish_reason")) == "interrupted":
        yield f"answer {number} was interrupted; the command makes the whole answer"
    elif (reason == "tool_calls" or len(turn.replies) > 1) and "tools" not in (turn.facts or {}):
        yield f"answer {number} uses tools, but it is not known which; declare them with --tools"
    if left_out := dialogue.without_last(len(dialogue.turns) - number + 1).left_out:
        which = f"{first_turns(left_out)} {'is' if left_out == 1 else 'are'}"
        yield f"{which} no longer sent to the model; if answer {number} was made with more turns, it may differ"
    for adapter in adapters_of_answer(turn.facts):
        if not adapter.path.is_file():
            yield f"the adapter {adapter.path} has been deleted; answer {number} was made with it"
    for name, field in FIELDS.items():
        value = values.get(name, field.default)
        if name not in ENGINE_FIELDS and value != field.default and field.kind.allows(value):
            yield f"the answer was made with {field.phrase(value)}, for which phi chat has no option"


def _string(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

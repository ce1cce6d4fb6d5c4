"""What a shell may complete: the answers to the scripts that ``phi --show-completion`` prints.

The scripts and their protocol are Typer's. The answers are made here, because Typer's own load Rich for every help
text, build every command, and know nothing of words that bash splits at ``:`` and ``=``.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phicli.commands.group import LazyGroup

VARIABLE: Final = "_PHI_COMPLETE"
_BREAKS: Final = (":", "=")
_FILES: Final = ("file", "dir")


@dataclass(frozen=True, slots=True)
class Line:
    """What was typed: the words behind ``phi`` before the cursor, and the beginning of the one at the cursor.

    ``kept`` is what of that beginning the shell keeps in front of the answer: in bash everything up to the last ``:``
    or ``=``.
    """

    words: tuple[str, ...]
    incomplete: str
    kept: str = ""


def answer(root: LazyGroup, environ: Mapping[str, str]) -> tuple[str, int]:
    """What to print for the shell, and the exit code.

    Args:
        root: the command ``phi``.
        environ: the environment, in which the script put the line.
    """
    shell = environ[VARIABLE].partition("_")[2]
    line = _line(shell, environ)
    found = [(value, text) for value, text in completions(root, line.words, line.incomplete)]
    if environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return "", 0 if found else 1
    form = {"bash": _for_bash, "zsh": _for_zsh, "fish": _for_fish}.get(shell, _for_powershell)
    return form([(value.removeprefix(line.kept), text) for value, text in found]), 0


def completions(root: LazyGroup, words: Sequence[str], incomplete: str) -> list[tuple[str, str]]:
    """What ``incomplete`` can become behind ``words``, each with its help (empty where it has none)."""
    ctx, rest = root.make_context("phi", [], resilient_parsing=True), list(words)
    while isinstance(group := ctx.command, LazyGroup):
        at = _first_word(group.get_params(ctx), rest)
        if at is None:
            break
        command = group.get_command(ctx, rest[at])
        if command is None:
            return []
        name, rest = rest[at], rest[at + 1 :]
        ctx = command.make_context(name, list(rest), parent=ctx, resilient_parsing=True)
    return _of_command(ctx, rest, incomplete)


def _of_command(ctx: Any, words: list[str], incomplete: str) -> list[tuple[str, str]]:
    parameters = ctx.command.get_params(ctx)
    if incomplete.startswith("-") and "--" not in words:
        option, equals, value = incomplete.partition("=")
        if not equals:
            return [item for item in _items(ctx.command, ctx, incomplete) if item[0].startswith("-")]
        return [(f"{option}={word}", text) for word, text in _values_of(ctx, parameters, option, value)]
    if words and (found := _values_of(ctx, parameters, words[-1], incomplete)) and "--" not in words:
        return found
    if words and _option(parameters, words[-1]) is not None and "--" not in words:
        return []
    if isinstance(ctx.command, LazyGroup):
        return [item for item in ctx.command.summaries.items() if item[0].startswith(incomplete)]
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    free = (one for one in arguments if one.nargs == -1 or ctx.get_parameter_source(one.name).name != "COMMANDLINE")
    argument = next(free, None)
    return [] if argument is None else _items(argument, ctx, incomplete)


def _values_of(ctx: Any, parameters: Sequence[Any], option: str, incomplete: str) -> list[tuple[str, str]]:
    parameter = _option(parameters, option)
    return [] if parameter is None else _items(parameter, ctx, incomplete)


def _option(parameters: Sequence[Any], word: str) -> Any:
    """The parameter that takes a value behind ``word``, None where there is none."""
    options = (one for one in parameters if one.param_type_name == "option" and not one.is_flag and not one.count)
    return next((one for one in options if word in one.opts), None)


def _first_word(parameters: Sequence[Any], words: Sequence[str]) -> int | None:
    """The place of the first of ``words`` that is neither an option nor the value of one."""
    place = 0
    while place < len(words):
        if not words[place].startswith("-"):
            return place
        place += 1 if _option(parameters, words[place]) is None else 2
    return None


def _items(source: Any, ctx: Any, incomplete: str) -> list[tuple[str, str]]:
    """The completions that a command or a parameter has itself; files are the shell's own business."""
    items = source.shell_complete(ctx, incomplete)
    return [(str(item.value), " ".join((item.help or "").split())) for item in items if item.type not in _FILES]


def _line(shell: str, environ: Mapping[str, str]) -> Line:
    if shell == "bash":
        return _bash_line(environ.get("COMP_WORDS", ""), int(environ.get("COMP_CWORD", "0")))
    typed = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = _split(typed)[1:]
    if shell in ("powershell", "pwsh"):
        incomplete = environ.get("_TYPER_COMPLETE_WORD_TO_COMPLETE", "")
        return Line(tuple(words[:-1] if incomplete else words), incomplete)
    if not words or typed[-1:].isspace():
        return Line(tuple(words), "")
    return Line(tuple(words[:-1]), words[-1])


def _bash_line(text: str, cursor: int) -> Line:
    """The line as it was typed: bash has split ``phi-4:q4`` into three words, and replaces only the last."""
    raw = text.split("\n") if "\n" in text else text.split(" ")
    joined: list[str] = []
    kept = ""
    for place, word in enumerate(raw[1 : cursor + 1], 1):
        if joined and (word in _BREAKS or raw[place - 1] in _BREAKS):
            kept = joined[-1] + word if word in _BREAKS else joined[-1]
            joined[-1] += word
        else:
            kept = ""
            joined.append(word)
    if cursor >= len(raw):
        joined, kept = [*joined, ""], ""
    *words, last = joined or [""]
    return Line(tuple("".join(_split(word)) for word in words), "".join(_split(last)), "".join(_split(kept)))


def _split(text: str) -> list[str]:
    """The words of ``text`` without their quotes; the last may lack its second quote."""
    for end in ("", "'", '"', "\\"):
        try:
            return shlex.split(text + end)
        except ValueError:
            continue
    return text.split()


def _for_bash(found: Sequence[tuple[str, str]]) -> str:
    return "\n".join(value for value, _ in found)


def _for_zsh(found: Sequence[tuple[str, str]]) -> str:
    """A command that the script runs: ``_files`` where there is nothing to offer."""
    if not found:
        return "_files"
    rows = [f"{_in_zsh(value)}:{_in_zsh(text)}" if text else _in_zsh(value) for value, text in found]
    return f"local -a phi_words; phi_words=({' '.join(map(shlex.quote, rows))}); _describe -V '' phi_words"


def _in_zsh(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _for_fish(found: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{value}\t{text}".rstrip("\t") for value, text in found)


def _for_powershell(found: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{value}:::{text or ' '}" for value, text in found)


def is_asked() -> bool:
    """Whether a shell asks for completions, rather than a person for a command."""
    return os.environ.get(VARIABLE, "").startswith("complete_")

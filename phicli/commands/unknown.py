"""What to type instead of a command or an option that does not exist."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from phicli.commands import ALIASES, GROUP_ALIASES, GROUPS, SUMMARIES
from phicli.commands.foreign_options import in_its_place, is_an_argument, what_instead
from phicli.errors import NotFoundError, UsageError

_OTHER_WORDS: Final = {
    "models": "list", "search": "list", "download": "pull", "get": "pull", "install": "pull", "remove": "rm",
    "delete": "rm", "uninstall": "rm", "ask": "chat", "benchmark": "bench", "tune": "autotune", "settings": "config",
    "set": "config set", "import": "cache import", "scan": "cache scan", "history": "runs list",
    "build": "engine build", "compile": "engine build", "engines": "engine list", "train": "finetune",
    "fine-tune": "finetune", "lora": "adapters", "endpoints": "remotes", "providers": "remotes",
}  # fmt: skip
"""What other programs call it."""
_MODEL_OPTIONS: Final = ("-m", "--model")
_FIRST_ARGUMENT_IS_MODEL: Final = (
    "chat", "bench", "eval", "autotune", "show", "pull", "rm", "serve", "stop", "cache verify",
    "cache export",
)  # fmt: skip
_ALIKE: Final = 0.85
"""Options that are less alike are proposed only where no other is."""
_TEXT_AFTER: Final = {"chat": "a prompt", "config set": "a value"}
"""Commands that take any text, and what it is."""
_MOVED: Final = {"--eval": ("phi eval", "--set"), "--tune": ("phi autotune", "")}
_LONGEST: Final = 100


def unknown_command(words: Sequence[str], within: str = "") -> UsageError:
    """The error for ``words`` (at least one): the first is not a command of ``phi``, or of the group ``within``."""
    word = words[0]
    known = [*GROUPS[within], *GROUP_ALIASES] if within else [*SUMMARIES, *ALIASES]
    close = get_close_matches(word.lower(), known, n=1)
    if not within and not close and _is_model(word):
        return UsageError(f"{word} is a model, not a command", f"to ask it: {_command(['phi', 'chat', *words])}")
    message = f"unknown command: {_shown(f'{within} {word}'.lstrip())}"
    page = f"phi {within} --help" if within else "phi --help"
    if any(map(str.isspace, word.strip())):
        return UsageError(message, f"to ask a model: {_command(['phi', 'chat', 'MODEL', *words])}; see {page}")
    other = _OTHER_WORDS.get(word.lower(), "")
    meant = other if other and (not within or other in known) else close[0] if close else ""
    if meant:
        return UsageError(message, f"did you mean {f'phi {within}'.rstrip()} {meant}? See {page}")
    if within and (outside := word.lower() if word.lower() in SUMMARIES else other) in SUMMARIES:
        return UsageError(message, f"did you mean phi {outside}? See phi {outside} --help")
    model = "" if within else _close_model(word)
    return UsageError(message, f"{model} See all commands: {page}" if model else f"see all commands: {page}")


def unknown_option(
    command: str, option: str, close: Iterable[str], words: Sequence[str], *, known: Collection[str], usage: str
) -> UsageError:
    """The error for an ``option`` that ``command`` does not have.

    Args:
        command: such as ``chat`` or ``cache list``; ``phi`` for none.
        option: as typed, without its value.
        close: options of the command that look like it.
        words: all that was typed behind ``phi``.
        known: the options that the command has.
        usage: the command with its arguments.
    """
    if command == "bench" and (moved := _moved(words)) is not None:
        return moved
    message = f"no such option: {option}"
    page = "phi --help" if command == "phi" else f"phi {command} --help"
    if hint := _known_mistake(command, option, words, known, usage, page):
        return UsageError(message, hint)
    similar = [name for name in sorted(close) if name != "--help"]
    meant = get_close_matches(option, similar, n=2, cutoff=_ALIKE) or similar
    hint = f"did you mean {' or '.join(meant)}? See {page}" if meant else f"see {page}"
    text = _TEXT_AFTER.get(command)
    return UsageError(message, f"{hint}; put -- before {text} that begins with -" if text else hint)


def _known_mistake(
    command: str, option: str, words: Sequence[str], known: Collection[str], usage: str, page: str
) -> str:
    """What to type where the mistake is a known one; empty where not."""
    if file := _file_called(option, words):
        return f"the file of that name is typed: {quoted(f'./{file}')}"
    takes_model = "chat" if command == "phi" else command
    if option in _MODEL_OPTIONS and takes_model in _FIRST_ARGUMENT_IS_MODEL:
        return f"name the model without an option: {_with_model(takes_model, option, words)}"
    if instead := what_instead(command, option, words):
        return instead
    if place := in_its_place(option, known):
        return f"did you mean {place}? See {page}"
    if is_an_argument(option) and usage.count(" ") > command.count(" ") + 1:
        return f"name it without an option: {usage}"
    return ""


def _file_called(option: str, words: Sequence[str]) -> str:
    """The typed word that was taken for an ``option`` and is a file; empty where there is none."""
    from phicli.paths import is_there

    return next((word for word in words if word.startswith(option) and len(word) > len("-x") and is_there(word)), "")


def quoted(word: str) -> str:
    """``word`` as it is typed in a shell; in double quotes where it has single ones."""
    readable = "'" in word and not any(character in word for character in '"$`\\!')
    return f'"{word}"' if readable else shlex.quote(word)


def _moved(words: Sequence[str]) -> UsageError | None:
    """The error for an option of ``phi bench`` that is a command of its own now; None where there is none."""
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in _MOVED:
            command, instead = _MOVED[option]
            rest = [f"{instead}{equals}{value}"] if instead else []
            others = [other for other in (*words[:place], *rest, *words[place + 1 :]) if other != "bench"]
            typed = _command([*command.split(), *others])
            return UsageError(f"phi bench {option} is now {command}", f"type: {typed}; see {command} --help")
    return None


def _with_model(command: str, option: str, words: Sequence[str]) -> str:
    """``phi chat tiny-phi hello`` for ``phi chat -m tiny-phi hello``."""
    rest, inner, model = list(words), command.split(), ""
    at = next((place for place, word in enumerate(words) if word.partition("=")[0] == option), None)
    if at is not None:
        _, equals, model = rest.pop(at).partition("=")
        if not equals and at < len(rest) and not rest[at].startswith("-"):
            model = rest.pop(at)
    rest = [ALIASES.get(rest[0], rest[0]), *rest[1:]] if rest else rest
    rest = rest[len(inner) :] if rest[: len(inner)] == inner else rest
    return _command(["phi", *inner, model or "MODEL", *rest])


def _is_model(word: str) -> bool:
    from phicli.catalog.resolve import is_repository, resolve
    from phicli.hub.in_place.registry import find
    from phicli.hub.typed_name import is_typed_address
    from phicli.paths import is_there

    if word.lower().endswith(".gguf") or is_typed_address(word) or is_repository(word):
        return True
    if find(word) is not None:
        return True
    if word.startswith((".", "~", "/")) and is_there(word):
        return True
    try:
        resolve(word)
    except NotFoundError:
        return False
    return True


def _close_model(word: str) -> str:
    """``did you mean the model …?`` for a misspelled one; empty where none is like it."""
    from phicli.catalog.resolve import close_names

    close = close_names(word)
    return f"did you mean phi chat {close[0]}?" if close else ""


def _command(words: Sequence[str]) -> str:
    """The words as they are typed, without what stands behind a model where that is too long."""
    text = " ".join(map(quoted, words))
    return text if len(text) <= _LONGEST and text.isprintable() else f"{' '.join(map(quoted, words[:3]))} …"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")

"""Everything that can go wrong, in words for people.

Every error that ``phi`` means to report is a :class:`PhiError`. Its ``message`` says what is wrong, its
``hint`` names the next command to type, its ``code`` is the stable name in ``--json`` output and its
``exit_code`` is the status of the process. Nothing below ``main()`` maps errors to exit codes.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, ClassVar, Final

THIS_COMMAND: Final = "phi <command>"
"""In a hint, the command that was typed: a layer below does not know which command it works for."""

TYPED_COMMAND: Final = "phi <typed command>"
"""In a hint, the same where the command need not run the model but has to take its name: ``phi show``, ``phi pull``."""

_RUN_MODELS: Final = ("chat", "bench", "eval", "autotune")
_TAKE_MODELS: Final = (*_RUN_MODELS, "show", "pull", "serve", "config set model")
_BEFORE_MODEL: Final = {"batch": "batch IN"}
"""Commands with another argument before the model."""
_NO_SPACE: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class PhiError(Exception):
    """An error that a person can act on.

    Args:
        message: one sentence, no trailing newline.
        hint: what to do next, ideally a command; empty when there is nothing to propose. It can name the command that
            was typed as :data:`THIS_COMMAND` or :data:`TYPED_COMMAND`.
        data: what there is to show beside the error in ``--json`` output (a partial answer, the sums).
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "", *, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data

    def hint_for(self, command: str) -> str:
        """The hint as ``command`` (``chat``) shows it; a command that cannot stand in it proposes ``phi chat``."""
        own, known = (*_TAKE_MODELS, *_BEFORE_MODEL), _BEFORE_MODEL.get(command, command)
        hint = self.hint.replace(f"{THIS_COMMAND} --help", f"phi {command if command in own else 'chat'} --help")
        hint = hint.replace(TYPED_COMMAND, f"phi {known if command in own else 'chat'}")
        return hint.replace(THIS_COMMAND, f"phi {known if command in (*_RUN_MODELS, *_BEFORE_MODEL) else 'chat'}")


class UsageError(PhiError):
    """The command line does not make sense."""

    code = "usage"
    exit_code = 2


class NotFoundError(PhiError):
    """A model, quantization, file or session does not exist."""

    code = "not_found"
    exit_code = 3


class NotInstalledError(NotFoundError):
    """A model that exists and could be downloaded. ``model`` is what ``phi pull`` calls it."""

    def __init__(self, message: str, hint: str = "", *, model: str) -> None:
        super().__init__(message, hint, data={"model": model})
        self.model = model


class AmbiguousModelError(NotFoundError):
    """Several models are what was asked for. ``choices`` are the names that mean one of them, each with its size."""

    def __init__(self, message: str, hint: str = "", *, choices: Mapping[str, int]) -> None:
        super().__init__(
            message, hint, data={"choices": [{"model": name, "size_bytes": size} for name, size in choices.items()]}
        )
        self.choices = choices


class NetworkError(PhiError):
    """The network or the model hub failed, or ``phi`` was told to stay offline."""

    code = "network"
    exit_code = 4


class DoesNotFitError(PhiError):
    """Memory or disk is too small for what was asked."""

    code = "does_not_fit"
    exit_code = 5


class EngineError(PhiError):
    """The engine could not start, load the file, or finish an answer."""

    code = "engine"
    exit_code = 6


class EngineDiedError(EngineError):
    """The engine's process ended or no longer answers: all requests to it are lost."""

    @property
    def crashed(self) -> bool:
        """It ended by a fault of its own: nobody killed it, and it was not told to end."""
        return bool((self.data or {}).get("crashed"))


class UnsupportedModelError(EngineError):
    """The model exists but no engine here can run it."""

    code = "unsupported_model"


class ContextExceededError(PhiError):
    """The conversation is longer than the context."""

    code = "context_exceeded"
    exit_code = 7


class IntegrityError(PhiError):
    """A file is corrupt or does not have the expected content."""

    code = "integrity"
    exit_code = 8


class NotAModelError(IntegrityError):
    """A good file that is something other than a model, such as an adapter: another file is needed."""

    code = "not_a_model"


class NotAnAdapterError(IntegrityError):
    """A good file or folder that is something other than an adapter, or an adapter of a kind that cannot be used."""

    code = "not_an_adapter"


class WrongBaseError(UsageError):
    """An adapter that was made for another model than the one that it is to be used with."""

    code = "wrong_base"


class CheckFailedError(PhiError):
    """A check that the caller asked for failed."""

    code = "check_failed"
    exit_code = 9


class OutputClosedError(PhiError):
    """The reader of standard output has left (``| head``): no more output is possible."""

    code = "output_closed"
    exit_code = 141


class TemplateError(EngineError):
    """The chat template that a file carries cannot be used; a plain prompt can."""

    code = "template"


class UserInterruptError(PhiError):
    """Ctrl-C: what was printed stays printed."""

    code = "interrupted"
    exit_code = 130


def is_disk_full(error: OSError) -> bool:
    """Whether the system says that there is no space left, on the disk or of what this user may have of it."""
    return error.errno in _NO_SPACE


def disk_full(
    of: object = "", hint: str = "free some space and run the command again", *, before: str = "", after: str = ""
) -> DoesNotFitError:
    """The error for a disk without space: ``the disk of FILE is full``.

    Args:
        of: the file or folder that was written, empty where it is not known.
        hint: what to do.
        before: what the sentence begins with, such as what could not be made.
        after: what it ends with.
    """
    where = f" of {of}" if of else ""
    return DoesNotFitError(f"{before}the disk{where} is full{after}", hint)


def install_hint(extra: str = "") -> str:
    """How to install this ``phi`` again, or a newer one, or with an ``extra`` such as ``plot``.

    ``phicli`` on the package index is another project, so the hint names the checkout and no distribution.
    """
    what = f'".[{extra}]"' if extra else "."
    return f"in a checkout of phi: pip install {what} (with pipx: pipx install --force {what})"


def reason_of(error: Exception) -> str:
    """What the system says about ``error``, as the rest of a sentence: ``permission denied``."""
    said = getattr(error, "strerror", None) or str(error)
    return said[:1].lower() + said[1:] if said[1:2].islower() else said

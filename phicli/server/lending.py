"""Lends the engine of a loaded model to another command of the same user."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from phicli.engine.closable import Closing
from phicli.engine.loan import SAME_SETTINGS, Loan, LoanError, LoanRequest
from phicli.engine.server_engine import LlamaServerEngine
from phicli.errors import EngineDiedError
from phicli.plan.locate import LocatedModel, locate
from phicli.server.loading import Loaded
from phicli.server.models import Models

_ENDED: Final = "its process has ended"


class Lent:
    """An engine that is lent: what the borrower needs, and whether it has ended meanwhile."""

    def __init__(self, loaded: Loaded, engine: LlamaServerEngine, asked_at: float) -> None:
        self.loan: Loan = engine.loan(asked_at)
        self._loaded, self._engine = loaded, engine

    def ended(self) -> str:
        """How the engine has ended, in words; empty while it runs. The next answer gets another engine."""
        if not self._engine.ended:
            return ""
        self._loaded.model.engines.failed(self._engine, EngineDiedError(_ENDED))
        return _ENDED


@contextlib.contextmanager
def lend(models: Models, request: LoanRequest, version: str, closing: Closing | None = None) -> Iterator[Lent]:
    """The engine that ``request`` asks for, which stays loaded within the context.

    Args:
        models: of the server, which loads the model where that is needed.
        request: what is asked for.
        version: of this program.
        closing: ends the wait for the model.

    Raises:
        LoanError: another engine is loaded, or would be; says why.
        PhiError: the model cannot be loaded.
    """
    _require_same_program(request, version)
    located = _same_file(request)
    _require_same_settings(models.options.settings, request)
    asked_at = time.monotonic()
    with models.lend(located, closing) as loaded:
        engine = _engine_of(loaded, closing)
        if engine.ended:
            loaded.model.engines.failed(engine, EngineDiedError(_ENDED))
            engine = _engine_of(loaded, closing)
        _require_same_load(request, loaded, engine)
        yield Lent(loaded, engine, asked_at)


def _engine_of(loaded: Loaded, closing: Closing | None) -> LlamaServerEngine:
    """The engine of the model, with the model loaded.

    Raises:
        LoanError: no other program can use it.
    """
    engine = loaded.model.engines.running(closing)
    if not isinstance(engine, LlamaServerEngine):
        raise LoanError("the engine of the server cannot be lent")
    return engine


def _require_same_program(request: LoanRequest, version: str) -> None:
    if request.version != version:
        raise LoanError(f"the server is phi {version}, and this command is phi {request.version}")


def _same_file(request: LoanRequest) -> LocatedModel:
    """The model that the server knows by the name, if its file is the same."""
    located = locate(request.model)
    path = located.path.absolute()
    try:
        status, same = path.stat(), Path(request.path).samefile(path)
    except OSError as error:
        raise LoanError(f"the server cannot read the file: {error.strerror}") from error
    if not same or (status.st_size, status.st_mtime_ns) != (request.size_bytes, request.mtime_ns):
        raise LoanError(f"the server has another file for {request.model}")
    return located


def _require_same_settings(settings: Mapping[str, Any], request: LoanRequest) -> None:
    """Return if the server was not started with other settings: then nothing is loaded in vain."""
    for name, value in settings.items():
        if name in request.engine and request.engine[name] != value:
            raise _differs(name, value, request.engine[name])


def _require_same_load(request: LoanRequest, loaded: Loaded, engine: LlamaServerEngine) -> None:
    """Return if the model is loaded as it is asked for."""
    settings, wanted = engine.settings.engine, loaded.plan.wanted
    for name, asked in request.engine.items():
        value = getattr(settings, name, None)
        if value != asked and not (name in SAME_SETTINGS and getattr(wanted, name) == asked):
            raise _differs(name, value, asked)
    if engine.context_tokens < request.context_tokens:
        raise LoanError(f"the server's context has {engine.context_tokens} tokens, not {request.context_tokens}")
    if engine.build != request.build:
        raise LoanError(f"the server's engine is {engine.build}, and here it is {request.build}")


def _differs(name: str, value: object, asked: object) -> LoanError:
    return LoanError(f"the server's {name} is {value}, and here it is {asked}")

"""Lends the engine of a loaded model to another command of the same user."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from phicli.engine.closable import Closing
from phicli.engine.loan import SAME_SETTINGS, Lendable, Loan, LoanError, LoanRequest
from phicli.engine.settings import value_text
from phicli.engine.starting import build_of
from phicli.errors import EngineDiedError
from phicli.gguf_file.names import parts_of
from phicli.plan.load import LoadPlan
from phicli.plan.locate import LocatedModel, locate
from phicli.server.loading import Loaded
from phicli.server.models import Models
from phicli.server.placing import planned, prepare

_ENDED: Final = "its process has ended"
_PLANNED_S: Final = 60.0
"""A plan is used again for so long; until then, new results of tuning may be unknown."""


class Lent:
    """An engine that is lent: what the borrower needs, and whether it has ended meanwhile."""

    def __init__(self, loaded: Loaded, engine: Lendable) -> None:
        self.loan: Loan = engine.loan()
        self._loaded, self._engine = loaded, engine

    def ended(self) -> str:
        """How the engine has ended, in words; empty while it runs. The next answer gets another engine."""
        if not self._engine.ended:
            return ""
        self._loaded.model.engines.failed(self._engine, EngineDiedError(_ENDED))
        return _ENDED


class Lending:
    """Lends engines; use it from any thread.

    Args:
        models: of the server, which load a model where that is needed.
        version: of this program.
    """

    def __init__(self, models: Models, version: str) -> None:
        self._models, self._version = models, version
        self._plans: dict[tuple[str, int], tuple[float, LoadPlan]] = {}

    @contextlib.contextmanager
    def lend(self, request: LoanRequest, closing: Closing | None = None) -> Iterator[Lent]:
        """The engine that ``request`` asks for, which stays loaded within the context.

        ``closing`` ends the wait for the model.

        Raises:
            LoanError: another engine is loaded, or would be; says why. Nothing is loaded then.
            PhiError: the model cannot be loaded.
        """
        if request.version != self._version:
            raise LoanError(f"the server is phi {self._version}, and this command is phi {request.version}")
        _require_build(request, build_of())
        located = _same_file(request)
        plan = self._plan(located, request)
        if plan.settings.adapters:
            raise LoanError("the engine of the server uses adapters")
        _require_settings(request, plan.wanted, plan.wanted)
        _require_context(request, plan.context.first_tokens)
        with self._models.lend(located, closing) as loaded:
            if loaded.adapters:
                raise LoanError("the engine of the server uses adapters")
            engine = _engine_of(loaded, closing)
            if engine.ended:
                loaded.model.engines.failed(engine, EngineDiedError(_ENDED))
                engine = _engine_of(loaded, closing)
            _require_settings(request, loaded.settings.engine, loaded.plan.wanted)
            _require_context(request, engine.context_tokens)
            _require_build(request, engine.build)
            _require_unchanged(located.path, engine.started_at)
            yield Lent(loaded, engine)

    def _plan(self, located: LocatedModel, request: LoanRequest) -> LoadPlan:
        """How the server would load the file if memory did not matter."""
        key, now = (str(located.path), request.mtime_ns), time.monotonic()
        if key not in self._plans or now - self._plans[key][0] > _PLANNED_S:
            options = self._models.options
            self._plans[key] = now, planned(prepare(located, options), options, None)
        return self._plans[key][1]


def _engine_of(loaded: Loaded, closing: Closing | None) -> Lendable:
    """The engine of the model, with the model loaded.

    Raises:
        LoanError: no other program can use it.
    """
    engine = loaded.model.engines.running(closing)
    if not isinstance(engine, Lendable):
        raise LoanError("the engine of the server cannot be lent")
    return engine


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


def _require_unchanged(path: Path, loaded_at: float) -> None:
    """Return if the file is still the one that was loaded; one that was put in its place has another change time."""
    if any(part.stat().st_ctime > loaded_at for part in parts_of(path)):
        raise LoanError("the file was changed after the server had loaded it")


def _require_build(request: LoanRequest, build: str) -> None:
    if build != request.build:
        raise LoanError(f"the server's engine is {build}, and here it is {request.build}")


def _require_context(request: LoanRequest, context_tokens: int) -> None:
    if context_tokens < request.context_tokens:
        raise LoanError(f"the server's context has {context_tokens} tokens, and here it has {request.context_tokens}")


def _require_settings(request: LoanRequest, settings: Any, wanted: Any) -> None:
    """Return if the settings, or those without regard to memory, are those that are asked for."""
    for name, asked in request.engine.items():
        value = getattr(settings, name, None)
        if value != asked and not (name in SAME_SETTINGS and getattr(wanted, name) == asked):
            words = f"{value_text(value)}, and here it is {value_text(asked)}"
            raise LoanError(f"the server's {name} is {words}")

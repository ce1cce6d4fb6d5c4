"""Adapters (LoRA) of the server: ``MODEL+ADAPTER`` is the name of a model with one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from phicli.catalog.names import PLUS, squash
from phicli.engine.types import Adapter
from phicli.errors import PhiError, UsageError, WrongBaseError
from phicli.gguf_file.adapter import check_base, read_adapter
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.plan.locate import LocatedModel
from phicli.server.errors import UnknownNameError
from phicli.server.names import Names, ServedName
from phicli.server.types import NamedAdapter
from phicli.units import listed

_MOST_NAMES: Final = 12
_LONGEST: Final = 200


class AdapterNames:
    """The adapters that may be asked for.

    Args:
        adapters: those of the command line.

    Raises:
        UsageError: two of them have the same name.
    """

    def __init__(self, adapters: Sequence[NamedAdapter]) -> None:
        self._adapters = tuple(adapters)
        names = [squash(one.name) for one in adapters]
        if twice := next((one.name for one in adapters if names.count(squash(one.name)) > 1), None):
            raise UsageError(
                f"two of the adapters are called {twice}",
                "give one of them another name: phi adapters add FILE --as NAME",
            )

    def check(self, names: Names) -> None:
        """Return if each adapter fits a model that is served.

        Raises:
            WrongBaseError: one does not; the message has the shapes where only one model is served.
        """
        if not self._adapters:
            return
        models = [names.find(one.id) for one in names.listing()]
        for one in self._adapters:
            if any(_fits(one.adapter, located) for located in models):
                continue
            if len(models) == 1:
                (model,) = models
                check_base(read_adapter(one.adapter.path), read_header(model.path), name=one.name, model=model.name)
            raise WrongBaseError(
                f"the adapter {one.name} fits none of the models that are served",
                f"see the models that it fits: phi adapters show {one.name}",
            )

    def find(self, name: str, names: Names) -> LocatedModel:
        """The file of the model in ``name``, which may end in ``+ADAPTER``.

        Raises:
            NotFoundError: there is no such model, no such adapter, or they do not belong together.
            NotInstalledError: the model is not on this machine.
        """
        adapter = adapter_in(name, self._adapters)
        if adapter is None:
            return self._found(name, names)
        located = self._base(name, names)
        if not _fits(adapter.adapter, located):
            raise UnknownNameError(
                f"the adapter {adapter.name} does not fit {_base_of(name)}", f"choose one of {self._listed(names)}"
            )
        return located

    def require_loaded(self, name: str, loaded: Sequence[NamedAdapter]) -> None:
        """Return if the adapter in ``name`` is one of those that were ``loaded`` with the model.

        Raises:
            UnknownNameError: it is not: its file was put there later.
        """
        adapter = adapter_in(name, self._adapters)
        if adapter is not None and adapter not in loaded:
            base = _base_of(name)
            raise UnknownNameError(
                f"{base} was loaded without the adapter {adapter.name}", f"have it loaded again: phi stop {base}"
            )

    def listing(self, names: Names) -> tuple[ServedName, ...]:
        """All models that can be asked for now: behind each, the same with each adapter that fits it."""
        return tuple(row for one in names.listing() for row in (one, *self._with_adapters(one, names)))

    def describe(self, name: str, names: Names) -> ServedName:
        """The model that ``name`` means, under that name. Raises as :meth:`find`."""
        self.find(name, names)
        adapter = adapter_in(name, self._adapters)
        if adapter is None:
            return names.describe(name)
        return _with(names.describe(_base_of(name)), adapter)

    def _with_adapters(self, one: ServedName, names: Names) -> Iterator[ServedName]:
        if self._adapters:
            located = names.find(one.id)
            yield from (_with(one, each) for each in self._adapters if _fits(each.adapter, located))

    def _found(self, name: str, names: Names) -> LocatedModel:
        try:
            return names.find(name)
        except UnknownNameError:
            base, plus, unknown = name.rpartition(PLUS)
            if not (self._adapters and plus):
                raise
            self._base(base, names) if adapter_in(base, self._adapters) else names.find(base)
            scaled = unknown.partition(":")[0]
            where = "; the scale is that of phi serve --adapter" if self._is_known(scaled) and scaled != unknown else ""
            raise UnknownNameError(
                f"adapter {unknown[:_LONGEST]!r} is not served here{where}", f"choose one of {self._listed(names)}"
            ) from None

    def _is_known(self, name: str) -> bool:
        return any(squash(one.name) == squash(name) for one in self._adapters)

    def _base(self, name: str, names: Names) -> LocatedModel:
        """The model before the last adapter in ``name``."""
        base = _base_of(name)
        try:
            return names.find(base)
        except UnknownNameError:
            if adapter_in(base, self._adapters) is None:
                raise
            raise UnknownNameError(
                f"{name[:_LONGEST]!r} has several adapters, and a request can name one",
                f"choose one of {self._listed(names)}",
            ) from None

    def _listed(self, names: Names) -> str:
        return listed([one.id for one in self.listing(names)], _MOST_NAMES)


def fitting_adapters(adapters: Sequence[NamedAdapter], header: GgufHeader) -> tuple[NamedAdapter, ...]:
    """Those that fit the model with this header, and whose files can be read."""
    return tuple(one for one in adapters if _can_load(one.adapter.path, header))


def adapter_in(name: str, adapters: Sequence[NamedAdapter]) -> NamedAdapter | None:
    """The one of ``adapters`` that a request names with a model; None for the model alone."""
    _, plus, wanted = name.rpartition(PLUS)
    return next((one for one in adapters if plus and squash(one.name) == squash(wanted)), None)


def scales_for(name: str, loaded: Sequence[NamedAdapter]) -> tuple[float, ...]:
    """The scale of each adapter that is ``loaded``, for a request to ``name``: 0 for all that it does not name."""
    wanted = adapter_in(name, loaded)
    return tuple(one.adapter.scale if one is wanted else 0.0 for one in loaded)


def _with(model: ServedName, adapter: NamedAdapter) -> ServedName:
    return replace(model, id=f"{model.id}{PLUS}{adapter.name}", parent=model.id)


def _base_of(name: str) -> str:
    return name.rpartition(PLUS)[0]


def _fits(adapter: Adapter, located: LocatedModel) -> bool:
    """Whether the adapter can be loaded with the model; headers are read once for each state of the files."""
    states = _state(adapter.path), _state(located.path)
    return None not in states and _fits_now(adapter.path, located.path, states)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1024)
def _fits_now(adapter: Path, model: Path, states: object) -> bool:
    del states
    try:
        return _can_load(adapter, read_header(model))
    except PhiError:
        return False


def _can_load(adapter: Path, header: GgufHeader) -> bool:
    try:
        check_base(read_adapter(adapter), header, name=adapter.stem, model=header.path.name)
    except PhiError:
        return False
    return True

"""The names of the models that are served, and the files that they mean."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phicli.catalog.load import catalog
from phicli.catalog.names import squash
from phicli.catalog.resolve import close_names
from phicli.catalog.types import Variant
from phicli.errors import (
    AmbiguousModelError,
    NotFoundError,
    NotInstalledError,
    PhiError,
    UnsupportedModelError,
    UsageError,
)
from phicli.gguf_file.header import read_header
from phicli.paths import is_there
from phicli.plan.installed import InstalledModel, installed_models
from phicli.plan.locate import LocatedModel, locate, locate_name
from phicli.server.errors import UnknownNameError
from phicli.units import listed

_LONGEST: Final = 200
_MOST_NAMES: Final = 12
_HERE: Final = "local"


@dataclass(frozen=True, slots=True)
class ServedName:
    """A model as a list of models shows it.

    Attributes:
        id: what a request calls it.
        created: when its file was written, in seconds since 1970.
        owned_by: whose model it is: an owner on the hub, ``phi``, or ``local``.
        context_tokens: the most tokens of a conversation; None where only the file says it.
        parent: the name of the model alone where this is a model with an adapter (LoRA).
    """

    id: str
    created: int
    owned_by: str
    context_tokens: int | None
    parent: str | None = None


class Names:
    """The names that may be asked for.

    Args:
        only: models as the command line names them, paths included; none for every model on this machine.
        may_pull: whether a model that is not on this machine may be served later.

    Raises:
        PhiError: one of ``only`` does not exist, or two of them have the same name.
    """

    def __init__(self, only: Sequence[str] = (), *, may_pull: bool = False) -> None:
        self._only = _once(_typed(name, may_pull=may_pull) for name in only)
        ids = [squash(one.id) for one in self._only]
        twice = next((one.id for one in self._only if ids.count(squash(one.id)) > 1), None)
        if twice is not None:
            raise UsageError(f"two of the models are called {twice}", "import one under another name: phi cache import")

    @property
    def only(self) -> tuple[str, ...]:
        """The names that are served; empty for those of every model on this machine."""
        return tuple(one.id for one in self._only)

    def find(self, name: str) -> LocatedModel:
        """The file that ``name`` means; a path means nothing, even if there is a file.

        Raises:
            NotInstalledError: it could be served, but it is not on this machine.
            NotFoundError: no model of that name is served.
        """
        if not name.strip():
            raise UnknownNameError("no model was named", f"choose one of {self._listed()}")
        if not self._only:
            return self._here(name)
        for one in self._only:
            if squash(one.id) == squash(name):
                return self._file(one) if one.path_model else self._here(one.id)
        located = _located(name)
        if located is None or all(_real(one) != _real(located) for one in self._files()):
            raise UnknownNameError(f"model {_quoted(name)} is not served here", f"choose one of {self._listed()}")
        return located

    def same(self, model: LocatedModel) -> LocatedModel:
        """``model`` if its file is one of those that are served.

        Raises:
            NotFoundError: it is not.
        """
        for located in self._files():
            if _real(located) == _real(model):
                return located
        raise UnknownNameError(f"model {model.name!r} is not served here", f"choose one of {self._listed()}")

    def describe(self, name: str) -> ServedName:
        """The model that ``name`` means, under that name.

        Raises:
            NotFoundError: there is none, or it is not on this machine.
        """
        located = self.find(name)
        here = {_real_path(model.path): model for model in installed_models()}
        return _of_file(name, located.path, located.variant, here.get(_real(located)))

    def listing(self) -> tuple[ServedName, ...]:
        """All models that can be asked for now; no file is opened."""
        return tuple(self._limited() if self._only else self._all())

    def _files(self) -> Iterator[LocatedModel]:
        """The files of the command line that are on this machine."""
        yield from (located for one in self._only if (located := _there(one)))

    def _file(self, one: _Only) -> LocatedModel:
        located = _there(one)
        if located is None:
            raise UnknownNameError(
                f"the file of model {_quoted(one.id)} is no longer there", f"choose one of {self._listed()}"
            )
        return located

    def _here(self, name: str) -> LocatedModel:
        try:
            return locate_name(name)
        except NotInstalledError as error:
            raise NotInstalledError(
                f"model {_quoted(name)} is not on this machine", error.hint, model=error.model
            ) from None
        except AmbiguousModelError as error:
            raise NotFoundError(error.message, f"choose one of {listed(list(error.choices), _MOST_NAMES)}") from None
        except UnsupportedModelError as error:
            raise NotFoundError(error.message, f"choose one of {self._listed()}") from None
        except NotFoundError:
            raise UnknownNameError(f"model {_quoted(name)} not found", self._suggestion(name)) from None

    def _suggestion(self, name: str) -> str:
        from difflib import get_close_matches

        here = {squash(one.id): one.id for one in self.listing()}
        close = [here[known] for known in get_close_matches(squash(name), here, n=3, cutoff=0.6)]
        if close:
            return f"did you mean {' or '.join(close)}?"
        known = [variant for one in close_names(name) if (variant := catalog().variant(one)) and variant.runs_here]
        if known and _located(known[0].id):
            return f"did you mean {known[0].id}?"
        if known:
            return f"did you mean {known[0].id}? It is not on this machine; download it: phi pull {known[0].id}"
        return f"choose one of {self._listed()}"

    def _listed(self) -> str:
        return listed([one.id for one in self.listing()], _MOST_NAMES) or "the models that phi list shows"

    def _limited(self) -> Iterator[ServedName]:
        here = {_real_path(model.path): model for model in installed_models()}
        for one in self._only:
            located = _there(one)
            if located is not None:
                model = here.get(_real(located))
                yield _of_file(one.id, located.path, located.variant, model)

    def _all(self) -> Iterator[ServedName]:
        for variant in catalog().variants:
            if variant.packaged_file and (located := _located(variant.id)):
                yield _of_file(variant.id, located.path, variant, None)
        for model in installed_models():
            known = catalog().variant(model.variant_id)
            if known is None or known.runs_here:
                yield _of_file(model.name, model.path, known, model)


@dataclass(frozen=True, slots=True)
class _Only:
    """A model of the command line; ``path_model`` for one that was named by its path."""

    id: str
    path_model: LocatedModel | None


def _once(typed: Iterable[_Only]) -> tuple[_Only, ...]:
    """Those that were typed, without those that mean the file of an earlier one under its name."""
    known: dict[tuple[str, str], _Only] = {}
    for one in typed:
        known.setdefault((squash(one.id), _real(one.path_model) if one.path_model else ""), one)
    return tuple(known.values())


def _there(one: _Only) -> LocatedModel | None:
    """Its file, if that is on this machine now."""
    if one.path_model is None:
        return _located(one.id)
    return one.path_model if one.path_model.path.is_file() else None


def _typed(name: str, *, may_pull: bool) -> _Only:
    """What ``name`` means on the command line; the header of a file that was named by its path is read."""
    try:
        located = locate(name)
    except NotInstalledError:
        if may_pull and not is_there(name):
            return _Only(name, None)
        raise
    by_name = _located(name)
    if by_name is not None and _real(by_name) == _real(located):
        return _Only(name, None)
    read_header(located.path)
    return _Only(located.name, located)


def _located(name: str) -> LocatedModel | None:
    try:
        return locate_name(name)
    except PhiError:
        return None


def _of_file(name: str, path: Path, variant: Variant | None, model: InstalledModel | None) -> ServedName:
    owner = variant.repo if variant and variant.repo else model.repo if model and model.repo else None
    packaged = variant is not None and bool(variant.packaged_file)
    try:
        created = int(path.stat().st_mtime)
    except OSError:
        created = int(time.time())
    return ServedName(
        id=name,
        created=created,
        owned_by="phi" if packaged else owner.partition("/")[0] if owner else _HERE,
        context_tokens=variant.context_tokens if variant else None,
    )


def _real(located: LocatedModel) -> str:
    return _real_path(located.path)


def _real_path(path: Path) -> str:
    return os.path.realpath(path)


def _quoted(name: str) -> str:
    return repr(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…")

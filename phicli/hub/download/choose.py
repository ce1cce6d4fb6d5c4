"""Picks one model out of a repository's listing, whose names follow no rule.

A name only guesses what a file is. Where the catalog does not know a file, and the caller can look into its beginning,
that decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phicli.catalog.quants import PREFERRED_QUANTS, meant, preference, quant_of_filename, without_quant
from phicli.errors import AmbiguousModelError, UsageError
from phicli.gguf_file.kind import FileKind, kind_by_name
from phicli.gguf_file.names import is_gguf_name, part_names
from phicli.hub.download.listing import absent, other_kinds, sizes, some
from phicli.hub.types import RemoteModel, RemoteRepo

_MOST_LOOKS: Final = 4

Look = Callable[[RemoteModel], FileKind | None]
"""Looks into the beginning of a remote file, and says what it is; None where that cannot be told."""


def no_look(_: RemoteModel) -> None:
    """A look that tells nothing: names decide."""


def choose(
    repo: RemoteRepo,
    quant: str | None,
    known: Mapping[str, str] | None = None,
    *,
    preferred: str | None = None,
    look: Look = no_look,
) -> RemoteModel:
    """The model of ``repo`` with this quantization, or whose file has this name (``….gguf``).

    None takes the ``preferred`` one where the repository has it, else the usual one. ``look`` is asked about files
    that the catalog (``known``) does not have.

    Raises:
        NotFoundError: there is none; the hint lists those that exist with their sizes.
        AmbiguousModelError: several models are what was asked for.
        UsageError: no quantization was given, and the repository has none of the usual ones.
    """
    choice = _Choice(repo, known or {}, look)
    if quant is None:
        return choice.usual(PREFERRED_QUANTS if preferred is None else (preferred, *PREFERRED_QUANTS))
    return choice.by_file(quant) if is_gguf_name(quant) else choice.by_quant(quant)


@dataclass(frozen=True, slots=True)
class _Choice:
    repo: RemoteRepo
    known: Mapping[str, str]
    look: Look

    @property
    def files(self) -> tuple[RemoteModel, ...]:
        """Every complete GGUF file, of whatever kind, by name; a split one once."""
        listed = {file.name: file for file in self.repo.files if is_gguf_name(file.name)}
        found = []
        for name in sorted(listed):
            parts = part_names(name)
            if parts[0] == name and all(part in listed for part in parts):
                quant = self.known.get(name) or quant_of_filename(name)
                found.append(RemoteModel(self.repo, quant, tuple(listed[part] for part in parts)))
        return tuple(found)

    @property
    def models(self) -> tuple[RemoteModel, ...]:
        """Those that are models by their names."""
        return tuple(file for file in self.files if self._guess(file) is FileKind.MODEL)

    def by_file(self, name: str) -> RemoteModel:
        """The model that has a file of this name; of a split model any part may be named."""
        found = [file for file in self.files if name in {part.name for part in file.files}]
        if not found:
            raise absent(self.repo, name, self.models)
        kind = self._kind(found[0])
        if kind is not FileKind.MODEL and not (kind is FileKind.DRAFT and self.look(found[0]) is None):
            raise self._other_kinds(name, found)
        return found[0]

    def by_quant(self, quant: str) -> RemoteModel:
        """The one model that has this quantization."""
        found = meant(quant, self.files, lambda file: file.quant) or self._tagged(quant)
        if not found:
            raise absent(self.repo, quant, self.models)
        real = self._real(found)
        if not real:
            raise self._other_kinds(quant, found)
        return self._one(real, f" with {quant}")

    def usual(self, order: Sequence[str]) -> RemoteModel:
        """The one model of the first quantization in ``order`` that there is."""
        if not self.files:
            raise absent(self.repo, None, ())
        for quant in order:
            real = self._real([file for file in self.files if file.quant == quant])
            if real:
                return self._one([*real, *self._other_models(real)], "")
        others = self._real([file for file in self.files if file.quant not in order])
        if len(others) == 1:
            return others[0]
        if not others:
            raise self._other_kinds(None, self.files)
        raise UsageError(
            f"{self.repo.repo} has none of the usual quantizations",
            f"choose one of {sizes(others)}: {self.repo.repo}:QUANT or :FILE.gguf",
        )

    def _other_models(self, chosen: Sequence[RemoteModel]) -> list[RemoteModel]:
        """Models beside ``chosen`` by what their names are without the quantization: one file of each."""
        if any(map(self._is_known, chosen)):
            return []
        best = {without_quant(file.name): file for file in chosen}
        for file in sorted(self.models, key=lambda file: preference(file.quant)):
            best.setdefault(without_quant(file.name), file)
        return self._real([file for file in best.values() if file not in chosen])

    def _one(self, real: Sequence[RemoteModel], what: str) -> RemoteModel:
        """The only one of ``real``."""
        if len(real) == 1:
            return real[0]
        found = sorted(real, key=lambda file: file.name)
        raise AmbiguousModelError(
            f"{self.repo.repo} has {len(found)} models{what}: {some([file.name for file in found])}",
            f"choose one: phi pull {self.repo.repo}:{found[0].name}",
            choices={f"{self.repo.repo}:{file.name}": file.size_bytes for file in found},
        )

    def _real(self, files: Sequence[RemoteModel]) -> list[RemoteModel]:
        """Those of ``files`` that are models: the catalog's own, else by name and content, else by content alone."""
        if known := [file for file in files if self._is_known(file)]:
            return known
        named = [file for file in files if self._guess(file) is FileKind.MODEL]
        if len(named) > _MOST_LOOKS:
            return named
        others = [file for file in files if file not in named][:_MOST_LOOKS]
        real = [file for file in named if self._kind(file) is FileKind.MODEL]
        return real or [file for file in others if self._kind(file) is FileKind.MODEL]

    def _is_known(self, file: RemoteModel) -> bool:
        return file.name in self.known

    def _guess(self, file: RemoteModel) -> FileKind:
        return FileKind.MODEL if self._is_known(file) else kind_by_name(file.name)

    def _kind(self, file: RemoteModel) -> FileKind:
        return FileKind.MODEL if self._is_known(file) else self.look(file) or self._guess(file)

    def _tagged(self, tag: str) -> list[RemoteModel]:
        """The files that have ``tag`` as words in their names: for quantizations that nobody has heard of here."""
        words = re.compile(rf"(?:^|[-._/]){re.escape(tag)}(?=[-._/]|$)", re.IGNORECASE)
        return [file for file in self.files if words.search(file.name)]

    def _other_kinds(self, wanted: str | None, files: Sequence[RemoteModel]) -> Exception:
        kinds = {file.name: self._kind(file) for file in files[:_MOST_LOOKS]}
        return other_kinds(self.repo, wanted, kinds, [file for file in self.models if file.name not in kinds])

"""Looks into the beginning of a remote file, before all of it is downloaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from phicli.errors import PhiError
from phicli.gguf_file.kind import FileKind
from phicli.gguf_file.start import START_BYTES, kind_at_start
from phicli.hub.download.choose import Look
from phicli.hub.download.failures import TransientError
from phicli.hub.download.remote import locate_file
from phicli.hub.download.streams import http_stream
from phicli.hub.store import check_names
from phicli.hub.types import Observer, RemoteModel


def looking(folder: Path, observer: Observer, token: str | None = None) -> Look:
    """A look that asks the hub for the first bytes of a file, and for those of no file twice.

    It tells nothing where the hub does not give them, and asks for no name that the cache ``folder`` cannot have: the
    download, if it comes to one, will say why. After one file that did not arrive in time it asks for no other.
    """
    seen: dict[str, FileKind | None] = {}
    gave_up = False

    def look(model: RemoteModel) -> FileKind | None:
        nonlocal gave_up
        if model.name not in seen and not gave_up:
            observer.phase(f"reading the header of {model.name}")
            start, gave_up = _first_bytes(model, folder, token)
            seen[model.name] = kind_at_start(start, model.name)
        return seen.get(model.name)

    return look


def _first_bytes(model: RemoteModel, folder: Path, token: str | None) -> tuple[bytes, bool]:
    """What arrived of the beginning, and whether the hub fell silent."""
    start = bytearray()
    try:
        check_names(folder, model.repo.repo, model.repo.commit, model.files[0])
        location = locate_file(model.repo, model.name, token=token)
        part = replace(location, headers=location.headers | {"Range": f"bytes=0-{START_BYTES - 1}"})
        for chunk in http_stream(model.repo, model.files[0], part, 0):
            start += chunk
            if len(start) >= START_BYTES:
                break
    except TransientError as error:
        return bytes(start), error.stalled
    except PhiError:  # the download will say why
        pass
    return bytes(start), False

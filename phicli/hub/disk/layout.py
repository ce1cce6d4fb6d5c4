"""The folders of the Hugging Face cache: repositories, their snapshots, what lies in those and where it leads.

The layout is told in :mod:`phicli.hub.cache`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def repo_folders(folder: Path, problems: list[str]) -> list[Path]:
    """The folders of model repositories in the cache, by name."""
    return [root for root in listing(folder, problems) if root.name.startswith("models--") and root.is_dir()]


def repo_name(root: Path) -> str:
    """``owner/name`` of the folder ``models--owner--name``."""
    return root.name.removeprefix("models--").replace("--", "/")


def repo_root(folder: Path, repo: str) -> Path:
    """Where ``repo``, which was found in the cache ``folder``, lies: the reverse of :func:`repo_name`."""
    return folder / f"models--{repo.replace('/', '--')}"


def refs_of(root: Path) -> dict[str, str]:
    """Branches and tags that a repository's folder remembers, and their commits."""
    found = {}
    for path in _files(root / "refs"):
        try:
            found[path.relative_to(root / "refs").as_posix()] = path.read_text("utf-8").strip()
        except (OSError, ValueError):
            continue
    return found


def snapshots_of(root: Path, problems: list[str] | None = None) -> list[Path]:
    """Snapshot folders: that of ``main`` first, then the newest."""
    main = refs_of(root).get("main")
    folders = [path for path in listing(root / "snapshots", [] if problems is None else problems) if path.is_dir()]
    return sorted(folders, key=lambda path: (path.name != main, -path.stat().st_mtime_ns, path.name))


def entries_of(snapshot: Path, problems: list[str] | None = None) -> list[Path]:
    """All files and links below a snapshot, whether they lead anywhere or not."""
    return list(_files(snapshot, problems))


def content_of(entry: Path, root: Path) -> Path | None:
    """Where the content of a snapshot's entry lies: under ``blobs`` or, where links cannot be made, the entry itself.

    None when the entry is a link to another place: that is never ours. A link under ``blobs`` (huggingface_hub shares
    content between repositories that way) is not followed.
    """
    if not entry.is_symlink():
        return entry
    content = Path(os.path.normpath(entry.parent / entry.readlink()))
    blobs = root / "blobs"
    same = content.parent == blobs or os.path.realpath(content.parent) == os.path.realpath(blobs)
    return content if same else None


def leads_away(entry: Path, root: Path) -> bool:
    """Whether a snapshot's entry is linked, at once or by a link under ``blobs``, to what is not the repository's own.

    People link the files of large models to another disk. What repositories share (``blobs`` in the cache itself) is
    their own.
    """
    content = content_of(entry, root)
    if content is None:
        return True
    if not content.is_symlink():
        return False
    real = Path(os.path.realpath(content))
    return not any(real.is_relative_to(os.path.realpath(folder / "blobs")) for folder in (root, root.parent))


def listing(folder: Path, problems: list[str]) -> list[Path]:
    """What is in ``folder``, by name; nothing when it is not there."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(_unreadable(error, folder))
        return []


def _files(folder: Path, problems: list[str] | None = None) -> Iterable[Path]:
    """Everything below ``folder`` but real folders, links to folders included, which are not entered."""

    def complain(error: OSError) -> None:
        if problems is not None and not isinstance(error, FileNotFoundError):
            problems.append(_unreadable(error, folder))

    for parent, folders, names in os.walk(folder, onerror=complain):
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        yield from (Path(parent) / name for name in sorted([*names, *linked]))


def _unreadable(error: OSError, folder: Path) -> str:
    return f"{error.filename or folder} cannot be read: {error.strerror}"

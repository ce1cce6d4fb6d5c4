"""The layout of the standard Hugging Face cache, as documented by huggingface_hub ("Manage your cache").

Only this module knows it; the others ask for folders, names and contents::

    models--OWNER--NAME/refs/REVISION          a file that holds a commit
    models--OWNER--NAME/snapshots/COMMIT/FILE  a link to ../../blobs/ETAG; the file itself where links cannot be made
    models--OWNER--NAME/blobs/ETAG             the content; the ETAG of a large file is its SHA-256
    models--OWNER--NAME/blobs/ETAG.*.incomplete   a download that is running, or was stopped
    .locks/models--OWNER--NAME/ETAG.lock       held while the content is downloaded

It is read directly: importing huggingface_hub takes longer than all of ``phi``'s own code, and this runs between a
command and its first word. Tests compare with huggingface_hub's own functions.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from phicli.catalog.names import is_repo_name
from phicli.hub.walking import BROKEN_LINK, broken_link_in, is_broken_link, walk

_REPO: Final = "models--"
_SNAPSHOTS: Final = "snapshots"
_BLOBS: Final = "blobs"
_INCOMPLETE: Final = ".incomplete"
_PARTIAL: Final = re.compile(r"(.+?)\.(phi|[0-9a-f]{8})\.incomplete")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def is_hub_repo(repo: str) -> bool:
    """Whether ``repo`` can be ``owner/name`` on the hub, so that the name of its folder leads back to it."""
    return is_repo_name(repo) and "--" not in repo


def repo_root(folder: Path, repo: str) -> Path:
    """The folder of ``repo`` (``owner/name``) in the cache ``folder``."""
    return folder / f"{_REPO}{repo.replace('/', '--')}"


def repo_name(root: Path) -> str:
    """``owner/name`` of the folder ``models--owner--name``."""
    return root.name.removeprefix(_REPO).replace("--", "/")


def repo_folders(folder: Path, problems: list[str]) -> list[Path]:
    """The folders of model repositories in the cache, by name; a link to one that leads nowhere is a problem."""
    roots = [root for root in listing(folder, problems) if root.name.startswith(_REPO)]
    away = broken_link_in(folder)
    problems += [f"{path}: {BROKEN_LINK}" for path in ([away] if away else roots) if is_broken_link(path)]
    return [root for root in roots if root.is_dir()]


def is_within(folder: Path, root: Path) -> bool:
    """Whether the repository folder ``root`` is really in the cache, with its blobs and snapshots."""
    real = Path(os.path.realpath(folder)) / root.name
    return all(os.path.realpath(root / name) == str(real / name) for name in (_BLOBS, _SNAPSHOTS))


def ref_path(root: Path, revision: str) -> Path:
    """The file that holds the commit of a branch or tag."""
    return root / "refs" / revision


def refs_of(root: Path) -> dict[str, str]:
    """Branches and tags that a repository's folder remembers, and their commits."""
    refs = root / "refs"
    names = (path.relative_to(refs).as_posix() for path in entries_of(refs))
    return {name: commit for name in names if (commit := commit_of(root, name)) is not None}


def commit_of(root: Path, revision: str) -> str | None:
    """The commit of a branch or tag; None where the folder does not remember it."""
    try:
        return ref_path(root, revision).read_text("utf-8").strip()
    except (OSError, ValueError):
        return None


def snapshots_folder(root: Path) -> Path:
    """Where the files of all commits are."""
    return root / _SNAPSHOTS


def snapshot_folder(root: Path, commit: str) -> Path:
    """Where the files of ``commit`` are."""
    return snapshots_folder(root) / commit


def snapshots_of(root: Path, problems: list[str] | None = None) -> list[Path]:
    """Snapshot folders: that of ``main`` first, then the newest."""
    main = commit_of(root, "main")
    paths = listing(root / _SNAPSHOTS, [] if problems is None else problems)
    times = {path: modified for path in paths if (modified := _modified_ns(path)) is not None}
    return sorted(times, key=lambda path: (path.name != main, -times[path], path.name))


def snapshot_around(path: Path) -> Path | None:
    """The snapshot folder that ``path`` is in, of whichever cache; None for a file elsewhere."""
    for folder in path.parents:
        root = folder.parent.parent
        in_cache = folder.parent.name == _SNAPSHOTS and root.name.startswith(_REPO) and is_hub_repo(repo_name(root))
        if in_cache and _COMMIT.fullmatch(folder.name):
            return folder
    return None


def root_of_snapshot(path: Path, folder: Path) -> Path | None:
    """The repository's folder where ``path`` is a snapshot in the cache ``folder`` or is inside one; else None."""
    parts = path.relative_to(folder).parts if path.is_relative_to(folder) else ()
    inside = len(parts) >= 3 and parts[0].startswith(_REPO) and parts[1] == _SNAPSHOTS
    return folder / parts[0] if inside else None


def missing_files_folder(root: Path) -> Path:
    """Where huggingface_hub remembers which files a repository does not have."""
    return root / ".no_exist"


def blobs_folder(root: Path) -> Path:
    """Where the contents of a repository are."""
    return root / _BLOBS


def sha256_in_name(blob: Path) -> str | None:
    """The hash that a file under ``blobs`` must have by its name, None for what is named otherwise (small files)."""
    return blob.name if _SHA256.fullmatch(blob.name) else None


def partial_name(etag: str) -> str:
    """The name of a content that ``phi`` is writing; other tools see by its end that it is not complete."""
    return f"{etag}.phi{_INCOMPLETE}"


def is_partial(path: Path) -> bool:
    """Whether a file under ``blobs`` is not complete, whoever writes it."""
    return path.name.endswith(_INCOMPLETE)


def writer_of(partial: Path) -> tuple[str, bool]:
    """What the content of ``partial`` will be called, and whether ``phi`` writes it."""
    match = _PARTIAL.fullmatch(partial.name)
    return (match[1], match[2] == "phi") if match else (partial.name.removesuffix(_INCOMPLETE), False)


def partials_of(root: Path) -> list[Path]:
    """What is not complete under ``blobs``."""
    return [path for path in listing(blobs_folder(root), []) if is_partial(path)]


def lock_path(folder: Path, repo: str, etag: str) -> Path:
    """The lock that huggingface_hub takes while it downloads a content of ``repo``."""
    return folder / ".locks" / repo_root(folder, repo).name / f"{etag}.lock"


def entries_of(folder: Path) -> list[Path]:
    """All below a folder of the cache that is not a real folder: files, and links wherever they lead."""
    entries = []
    for parent, folders, names in os.walk(folder):
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        entries += [Path(parent) / name for name in sorted([*names, *linked])]
    return entries


def files_of(snapshot: Path, problems: list[str] | None = None) -> list[Path]:
    """The entries of a snapshot, and the files behind those that are links to folders, by path."""
    below = walk(snapshot)
    if problems is not None:
        problems += [f"{path}: {reason}" for path, reason in below.skipped]
    return sorted({*entries_of(snapshot), *below.files})


def linked_folder(path: Path, root: Path) -> Path | None:
    """The entry of a snapshot of ``root`` that is a link to a folder, and that ``path`` is behind; None without one."""
    inside = path.relative_to(root).parts
    folders = (root.joinpath(*inside[:length]) for length in range(3, len(inside)))
    return next((folder for folder in folders if folder.is_symlink()), None)


def content_of(entry: Path, root: Path) -> Path | None:
    """Where the content of a snapshot's entry is: under ``blobs`` or, where links cannot be made, the entry itself.

    None when the entry is a link to another place, or in a folder that is one: that is never ours. A link under
    ``blobs`` (huggingface_hub shares content between repositories that way) is not followed.
    """
    if not entry.is_symlink():
        return entry if Path(os.path.realpath(entry.parent)).is_relative_to(os.path.realpath(root)) else None
    content = Path(os.path.normpath(entry.parent / entry.readlink()))
    blobs = blobs_folder(root)
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
    return not any(real.is_relative_to(os.path.realpath(blobs_folder(folder))) for folder in (root, root.parent))


def listing(folder: Path, problems: list[str]) -> list[Path]:
    """What is in ``folder``, by name; nothing when it is not there."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(f"{folder} cannot be read: {error.strerror}")
        return []


def _modified_ns(folder: Path) -> int | None:
    """When ``folder`` was last changed; None when it is not a folder, or cannot be read."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_mtime_ns if stat.S_ISDIR(status.st_mode) else None

"""The sources of the installed engine: its own source archive, of which only ggml is unpacked."""

from __future__ import annotations

import email.parser
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from phicli.engine.package import ENGINE_PACKAGE
from phicli.errors import IntegrityError, NotFoundError, disk_full, is_disk_full, reason_of
from phicli.paths import expand

_GGML: Final = "thirdparty/llama.cpp/ggml"
_FACTS: Final = "PKG-INFO"
_MOST_BYTES: Final = 1 << 28
_MOST_FACTS: Final = 1 << 20
_NUMBER: Final = re.compile(r"set\(GGML_VERSION_(MAJOR|MINOR|PATCH) (\d+)\)")
_OTHERS: Final = re.compile(r"src/ggml-(?!cpu/)[a-z0-9_]+/")
"""The folders of ggml's other backends."""
_AGAIN: Final = f"download it again: pip download --no-deps --no-binary {ENGINE_PACKAGE} {ENGINE_PACKAGE}=="


@dataclass(frozen=True, slots=True)
class Sources:
    """ggml's sources in ``folder``, which came from a source archive with this hash."""

    folder: Path
    ggml_version: str
    sha256: str


def archive_in(folder: Path, version: str) -> Path:
    """The source archive that pip has put into ``folder``.

    Raises:
        NotFoundError: pip downloaded something else.
    """
    archives = sorted(folder.glob("*.tar.gz"))
    if len(archives) != 1:
        raise NotFoundError(
            f"the package index has no source archive of {ENGINE_PACKAGE} {version}",
            "check the settings of pip: pip config list",
        )
    return archives[0]


def given_archive(path: Path) -> Path:
    """The source archive that a person named.

    Raises:
        NotFoundError: the archive does not exist, or is a folder.
    """
    archive = expand(str(path))
    if not archive.is_file():
        problem = "is a folder, not a file" if archive.is_dir() else "does not exist"
        raise NotFoundError(f"{path} {problem}", "name the source archive of the installed engine: --sdist FILE")
    return archive


def unpack(archive: Path, version: str, folder: Path) -> Sources:
    """Unpack ggml from ``archive``, which must be that of ``version``, below ``folder``.

    Only regular files and folders below the one of ggml are written, none larger than the archive may have in all.

    Raises:
        IntegrityError: it is damaged, hostile, or of another package or version.
        DoesNotFitError: the disk is full.
        OSError: it cannot be read, or ``folder`` cannot be written.
    """
    try:
        with tarfile.open(archive, "r:gz") as opened:
            root = _check_facts(opened, archive, version)
            opened.extractall(folder, _ggml_files(opened, root), filter="data")
    except (tarfile.TarError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise IntegrityError(f"{archive} is not a complete source archive: {error}", _AGAIN + version) from error
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(folder, "free some space, or set TMPDIR to a folder on another disk") from error
        if error.errno is None:  # gzip's own
            message = f"{archive} is not a complete source archive: {reason_of(error)}"
            raise IntegrityError(message, _AGAIN + version) from error
        raise
    ggml = folder / root / _GGML
    return Sources(ggml, _ggml_version(ggml, archive), _hash_of(archive))


def _check_facts(opened: tarfile.TarFile, archive: Path, version: str) -> str:
    """The archive's one folder, after a look at the name and version that it says it has.

    Raises:
        IntegrityError: it is of another package or version.
    """
    for member in opened:
        parts = PurePosixPath(member.name).parts
        if len(parts) == 2 and parts[1] == _FACTS and member.isfile() and member.size <= _MOST_FACTS:
            file = opened.extractfile(member)
            assert file is not None  # noqa: S101 (it is a regular file)
            facts = email.parser.HeaderParser().parsestr(file.read().decode())
            name, found = facts.get("Name", ""), facts.get("Version", "")
            if (name, found) != (ENGINE_PACKAGE, version):
                message = (
                    f"{archive} is {name or 'a nameless package'} {found}, but {ENGINE_PACKAGE} {version} is installed"
                )
                raise IntegrityError(message, _AGAIN + version)
            return parts[0]
    raise IntegrityError(f"{archive} is not the source archive of a Python package", _AGAIN + version)


def _ggml_files(opened: tarfile.TarFile, root: str) -> Iterator[tarfile.TarInfo]:
    """The files to unpack: ggml without backends other than the CPU.

    Raises:
        IntegrityError: the sources are far larger than those of ggml.
    """
    total = 0
    for member in opened:
        inside = member.name.removeprefix(f"{root}/{_GGML}/")
        if inside == member.name or _OTHERS.match(inside) or not (member.isfile() or member.isdir()):
            continue
        total += member.size
        if total > _MOST_BYTES:
            raise IntegrityError(
                "the source archive is far larger than expected", "use the archive from the package index"
            )
        yield member


def _ggml_version(folder: Path, archive: Path) -> str:
    try:
        text = (folder / "CMakeLists.txt").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    numbers = dict(_NUMBER.findall(text))
    if len(numbers) != 3:
        raise IntegrityError(f"{archive} does not have the sources of ggml", "report this as a bug of phi")
    return ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

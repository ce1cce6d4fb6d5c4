"""Describes a path that is not the GGUF file it should be."""

from __future__ import annotations

import errno
import shlex
import stat
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from phicli.errors import THIS_COMMAND, TYPED_COMMAND, IntegrityError, NotFoundError, PhiError, UsageError
from phicli.gguf_file.kind import FileKind, kind_by_name
from phicli.gguf_file.names import first_part
from phicli.units import listed

GET_AGAIN: Final = f"download the file again. `{THIS_COMMAND} tiny-phi` shows whether the installation itself works"
GET_ANOTHER: Final = f"use a GGUF file of version 3; see the models: phi list; or try: {THIS_COMMAND} tiny-phi"

_MAGICS: Final = (
    (b"PK\x03\x04", "a zip archive (perhaps a PyTorch checkpoint)"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive; unpack it first"),
    (b"BZh", "a bzip2 archive; unpack it first"),
    (b"lmgg", "a GGML file from before August 2023, which llama.cpp no longer reads"),
    (b"fmgg", "a GGML file from before August 2023, which llama.cpp no longer reads"),
    (b"tjgg", "a GGML file from before August 2023, which llama.cpp no longer reads"),
    (b"aylf", "a file in the format of another engine"),
    (b"FUGG", "a GGUF file with swapped bytes"),
    (b"\x80\x02", "a Python pickle (perhaps a PyTorch checkpoint)"),
    (b"\x80\x04", "a Python pickle (perhaps a PyTorch checkpoint)"),
    (b"\x08\x07\x12", "an ONNX model"),
    (b"\x08\x08\x12", "an ONNX model"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
)
_LISTED: Final = 6


def check_is_file(path: Path) -> int:
    """Size in bytes of the regular file at ``path``.

    Raises:
        NotFoundError: nothing is there; the hint has names in that folder that come close.
        UsageError: a directory (the hint lists its GGUF files) or a device.
        IntegrityError: the file is empty or may not be looked at.
    """
    try:
        info = path.stat()
    except ValueError:  # a NUL character inside
        raise missing(path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if stat.S_ISDIR(info.st_mode):
        raise _directory(path)
    if not stat.S_ISREG(info.st_mode):
        raise UsageError(
            f"{path} is not a file but a device or a pipe", f"name a .gguf file, or a model: {THIS_COMMAND} tiny-phi"
        )
    if info.st_size == 0:
        raise IntegrityError(f"{path} is empty (0 bytes)", GET_AGAIN)
    return info.st_size


def unreadable(path: Path, error: OSError) -> PhiError:
    """The error for a path that the operating system did not let us open."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
        return missing(path)
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return IntegrityError(
            f"{path} cannot be read: {reason}", f"check its permissions: ls -l {shlex.quote(str(path))}"
        )
    return IntegrityError(f"{path} cannot be read: {reason}", GET_AGAIN)


def missing(path: Path) -> NotFoundError:
    """The error for a path with nothing there, with close names in the same folder."""
    try:
        return NotFoundError(f"{path} is a link to {path.readlink()}, which does not exist", GET_AGAIN)
    except (OSError, ValueError):
        pass  # not a link
    names = _names(path.parent)
    if names is None:
        return NotFoundError(
            f"{path} does not exist; neither does the folder {path.parent}", f"{THIS_COMMAND} tiny-phi"
        )
    by_lower = {name.lower(): name for name in names}
    close = [by_lower[name] for name in get_close_matches(path.name.lower(), by_lower, n=3, cutoff=0.6)]
    if not close:
        close = [name for name in names if name.lower().endswith(".gguf")][:_LISTED]
    hint = f"{path.parent} contains {', '.join(close)}" if close else f"check the name, or try: {THIS_COMMAND} tiny-phi"
    return NotFoundError(f"{path} does not exist", hint)


def not_gguf(path: Path, start: bytes, size: int) -> IntegrityError:
    """The error for a file that does not begin with ``GGUF``: only what a download leaves is worth another download."""
    foreign = any(start.startswith(magic) for magic, _ in _MAGICS) or _is_safetensors(start, size)
    hint = GET_ANOTHER if foreign else GET_AGAIN
    return IntegrityError(f"{path} is not a GGUF file: it looks like {what_it_is(start, size)}", hint)


def what_it_is(start: bytes, size: int) -> str:
    """What a file looks like that does not begin with ``GGUF``, from its first bytes; a noun phrase."""
    for magic, what in _MAGICS:
        if start.startswith(magic):
            return what
    if _is_safetensors(start, size):
        return "a safetensors file; llama.cpp needs it converted to GGUF"
    if not start.strip(b"\0"):
        return "a file of zeros only: a download that stopped before any data arrived"
    return _what_text(start) if _is_text(start) else "some other binary file"


def _is_safetensors(start: bytes, size: int) -> bool:
    return size > 16 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size


def _what_text(start: bytes) -> str:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer: the repository was cloned without its large files (git lfs pull)"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "an HTML page: a download saved the web page instead of the file"
    if text.startswith((b"{", b"[")):
        return "a JSON file, perhaps an error message from a server"
    return "a text file"


def _is_text(start: bytes) -> bool:
    if any(byte < 9 or 13 < byte < 27 for byte in start):
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4  # the cut may be inside a character
    return True


def _directory(path: Path) -> UsageError:
    files = sorted(name for name in _names(path) or () if name.lower().endswith(".gguf"))
    if not files:
        return UsageError(
            f"{path} is a folder without GGUF files", f"name a .gguf file, or try: {THIS_COMMAND} tiny-phi"
        )
    models = [name for name in files if kind_by_name(name) is FileKind.MODEL and first_part(name) == name]
    return UsageError(
        f"{path} is a folder",
        f"choose one of its files: {listed(files, _LISTED)}. "
        f"For example: {TYPED_COMMAND} {path / (models or files)[0]}",
    )


def _names(folder: Path) -> list[str] | None:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except (OSError, ValueError):
        return None

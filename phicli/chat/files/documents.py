"""PDF and Word files as text, by packages that are not installed by default."""

from __future__ import annotations

import io
import logging
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Final, Literal
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

from phicli.errors import UsageError, install_hint

Kind = Literal["pdf", "docx"]
EXTRA: Final = "documents"
_MOST_UNPACKED_BYTES: Final = 256 << 20
_DAMAGES: Final = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError,
    ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What the packages raise for damaged files, in addition to their own errors."""


def document_kind(path: Path, data: bytes) -> Kind | None:
    """Whether a file is a PDF or a Word file, by its first bytes and its name; None for anything else."""
    if b"%PDF-" in data[:1024]:
        return "pdf"
    return "docx" if data.startswith(b"PK\x03\x04") and path.suffix.lower() == ".docx" else None


def document_text(kind: Kind, data: bytes, name: str) -> str:
    """The text of a document; headings, lists and tables of a Word file as Markdown.

    Raises:
        UsageError: a package is missing, or the file is encrypted, damaged, or has no text.
    """
    try:
        text = _pdf_text(data, name) if kind == "pdf" else _docx_text(data, name)
    except ImportError as error:
        what = "PDF" if kind == "pdf" else "Word"
        raise UsageError(
            f"{name} is a {what} file, and the package {error.name} is not installed", install_hint(EXTRA)
        ) from None
    if not text.strip():
        raise UsageError(f"{name} contains no text; its pages may be pictures", "convert it with OCR first")
    return text


def _pdf_text(data: bytes, name: str) -> str:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it repairs what it can, and would print a line for each
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UsageError(f"{name} is protected with a password", "save it without a password first")
        return "\n\n".join(page.extract_text() for page in reader.pages)
    except DependencyError:
        raise UsageError(f"{name} is encrypted", "save it without encryption first") from None
    except (PyPdfError, *_DAMAGES) as error:
        raise _damaged(name, "PDF", error) from None


def _docx_text(data: bytes, name: str) -> str:
    import mammoth
    from markdownify import markdownify

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_UNPACKED_BYTES:
                raise UsageError(f"{name} is too large when it is unpacked", "name a smaller file")
        html = mammoth.convert_to_html(io.BytesIO(data), convert_image=mammoth.images.img_element(lambda _: {})).value
        return str(markdownify(html, heading_style="ATX", strip=["img"]))
    except (zipfile.BadZipFile, ParseError, ExpatError, *_DAMAGES) as error:
        raise _damaged(name, "Word", error) from None


def _damaged(name: str, kind: str, error: Exception) -> UsageError:
    return UsageError(
        f"{name} cannot be read as a {kind} file: {error}", "open and save it again, or convert it to text"
    )

"""What must hold for the GGUF repositories and files of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from phicli.catalog.names import is_repo_name
from phicli.catalog.parse import bad
from phicli.catalog.quants import as_quant
from phicli.catalog.types import Catalog, GgufFile, GgufSource, Variant

ARCHITECTURES: Final = ("phi2", "phi3", "phimoe")
"""Of the variants that llama.cpp runs."""
_FILENAME: Final = re.compile(r"[\w.-]+\.gguf")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_APPROX_STEP_BYTES: Final = 10_000_000


def check_files(catalog: Catalog) -> None:
    """Return if no repository, content or file name belongs to two variants: a name alone must tell the variant.

    Raises:
        IntegrityError: one does.
    """
    seen: set[tuple[str, str]] = set()
    for variant in catalog.variants:
        mine: set[tuple[str, str]] = set()
        for source in variant.sources:
            found = [("repo", source.repo)]
            found += [("sha256", file.sha256) for file in source.files if file.sha256]
            for key, value in found:
                if (key, value.lower()) in seen:
                    raise bad(f"variant {variant.id}", f"gguf: the {key} {value} twice")
                seen.add((key, value.lower()))
            mine |= {("filename", file.filename) for file in source.files}
        for key, value in sorted(mine & seen):
            raise bad(f"variant {variant.id}", f"gguf: the {key} {value} belongs to another variant already")
        seen |= mine


def source_mistakes(source: GgufSource, variant: Variant, catalog: Catalog) -> Iterator[str]:
    """What is wrong with one repository of ``variant``, and with its files."""
    at = f"gguf {source.repo}"
    if not is_repo_name(source.repo):
        yield f"{at}: repo is not owner/name"
    if source.revision is not None and not _COMMIT.fullmatch(source.revision):
        yield f"{at}: revision = {source.revision!r} is not a commit of 40 hexadecimal digits"
    if source.source not in catalog.references:
        yield f"{at}: source = {source.source!r} is not in [references]"
    others = {"llama", *ARCHITECTURES} - {variant.architecture}
    if source.architecture is not None and source.architecture not in others:
        yield f"{at}: architecture = {source.architecture!r} is unknown, or the variant's own"
    quants = [file.quant for file in source.files]
    if len(set(quants)) != len(quants):
        yield f"{at}: a quant twice"
    for file in source.files:
        for what in _file(file):
            yield f"{at}, {file.filename}: {what}"


def _file(file: GgufFile) -> Iterator[str]:
    if file.quant != as_quant(file.quant):
        yield f"quant = {file.quant!r} is not written as expected"
    if not _FILENAME.fullmatch(file.filename):
        yield "filename is not written as expected"
    if file.sha256 is not None and not _SHA256.fullmatch(file.sha256):
        yield "sha256 is not 64 hexadecimal digits"
    if file.size_bytes is not None and file.size_bytes <= 0:
        yield "size_bytes is not positive"
    approx = file.size_approx_bytes
    if approx is not None and (approx <= 0 or approx % _APPROX_STEP_BYTES):
        yield "size_approx_bytes is not positive, or finer than 0.01 GB"
    if approx is not None and file.size_bytes is not None:
        yield "size_approx_bytes beside size_bytes"

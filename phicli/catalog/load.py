"""Reads ``catalog.toml`` and refuses it when it contradicts itself.

A key that is not known here is an error, so a typing mistake cannot hide.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from phicli.catalog.names import squash
from phicli.catalog.types import PROMPT_FORMATS, Catalog, GgufFile, GgufSource, SamplingDefaults, Variant
from phicli.errors import IntegrityError

SCHEMA: Final = 1
_REINSTALL: Final = "install phicli again: pip install --force-reinstall phicli"
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "str": str,
    "tuple[str, ...]": list,
}


@cache
def catalog() -> Catalog:
    """The catalogue that ships with the package, read once.

    Raises:
        IntegrityError: the file is damaged.
    """
    return parse(Path(__file__).with_name("catalog.toml").read_text("utf-8"))


def parse(text: str) -> Catalog:
    """The catalogue in ``text`` (TOML).

    Raises:
        IntegrityError: it is no TOML, has unknown or missing keys or values of a wrong type, or a name twice.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad("the file", str(error)) from None
    unknown = set(data) - {"schema", "variant", "system_prompts"}
    if unknown:
        raise _bad("the file", f"unknown key {sorted(unknown)[0]}")
    if data.get("schema") != SCHEMA:
        raise _bad("the file", f"schema {data.get('schema')}, expected {SCHEMA}")
    prompts = data.get("system_prompts", {})
    variants = tuple(_variant(entry, prompts) for entry in data.get("variant", []))
    _check_names(variants)
    return Catalog(variants)


def _variant(entry: Mapping[str, Any], prompts: Mapping[str, str]) -> Variant:
    where = f"variant {entry.get('id', '?')}"
    values = dict(entry)
    sources = tuple(_source(source, where) for source in values.pop("gguf", []))
    sampling = values.pop("sampling", None)
    if "sources" in values:
        raise _bad(where, "unknown key sources")
    prompt = values.get("system_prompt")
    if prompt is not None:
        if prompt not in prompts:
            raise _bad(where, f"no system prompt called {prompt}")
        values["system_prompt"] = prompts[prompt]
    variant: Variant = _make(
        Variant,
        values,
        where,
        sources=sources,
        sampling=None if sampling is None else _make(SamplingDefaults, sampling, where),
    )
    _check_variant(variant, where)
    return variant


def _source(entry: Mapping[str, Any], where: str) -> GgufSource:
    values = dict(entry)
    listed = tuple(_make(GgufFile, file, where) for file in values.pop("files", []))
    source: GgufSource = _make(GgufSource, values, where, files=listed)
    if source.repo.count("/") != 1:
        raise _bad(where, f"{source.repo} is not owner/name")
    quants = [file.quant for file in listed]
    if len(set(quants)) != len(quants):
        raise _bad(where, f"a quant twice in {source.repo}")
    for file in listed:
        if file.quant != file.quant.upper() or not file.filename.endswith(".gguf"):
            raise _bad(where, f"{file.quant} or {file.filename} is not written as expected")
        if file.sha256 is not None and (len(file.sha256) != 64 or set(file.sha256) - set("0123456789abcdef")):
            raise _bad(where, f"the sha256 of {file.filename} is not 64 hexadecimal digits")
        if file.size_bytes is not None and file.size_bytes <= 0:
            raise _bad(where, f"the size of {file.filename} is not positive")
    return source


def _make(kind: type, values: Mapping[str, Any], where: str, **done: Any) -> Any:
    """A ``kind`` (a dataclass) from ``values``, each checked against the annotation of its field."""
    known = {item.name: str(item.type).removesuffix(" | None") for item in fields(kind) if item.name not in done}
    for key, value in values.items():
        if key not in known:
            raise _bad(where, f"unknown key {key}")
        expected = _TYPES.get(known[key])
        if expected is None or not isinstance(value, expected) or (isinstance(value, bool) and known[key] != "bool"):
            raise _bad(where, f"{key} = {value!r} is not a {known[key]}")
    ready = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return kind(**ready, **done)
    except TypeError as error:
        raise _bad(where, str(error)) from None


def _check_variant(variant: Variant, where: str) -> None:
    if variant.runs_here and (variant.prompt_format not in PROMPT_FORMATS or variant.sampling is None):
        raise _bad(where, f"no known prompt format ({variant.prompt_format}), or no sampling")
    if not variant.runs_here and (variant.prompt_format or variant.sampling or variant.sources):
        raise _bad(where, "a prompt format, sampling or GGUF files for a model that llama.cpp cannot run")
    if not 0 < (variant.original_context_tokens or 1) <= variant.context_tokens or variant.parameters <= 0:
        raise _bad(where, "context or parameters out of range")
    sampling = variant.sampling or SamplingDefaults()
    shares = [share for share in (sampling.top_p, sampling.min_p) if share is not None]
    if sampling.temperature < 0 or any(not 0 <= share <= 1 for share in shares):
        raise _bad(where, "sampling out of range")


def _check_names(variants: tuple[Variant, ...]) -> None:
    owner: dict[str, str] = {}
    for variant in variants:
        for name in (variant.id, *variant.aliases):
            if owner.setdefault(squash(name), variant.id) != variant.id or not squash(name):
                raise _bad(f"variant {variant.id}", f"the name {name} belongs to {owner[squash(name)]} already")
        if [squash(alias) for alias in variant.aliases].count(squash(variant.id)):
            raise _bad(f"variant {variant.id}", "its own id as an alias")
    if len({variant.id for variant in variants}) != len(variants):
        raise _bad("the file", "an id twice")


def _bad(where: str, what: str) -> IntegrityError:
    return IntegrityError(f"catalog.toml, {where}: {what}", _REINSTALL)

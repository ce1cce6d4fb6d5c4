"""From the text of ``catalog.toml``, or of its copy in JSON, to the dataclasses.

A key that is not known here, a missing key or a value of a wrong type is an error, so a typing mistake cannot hide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from phicli.catalog.types import Catalog, Dimensions, GgufFile, GgufSource, SamplingDefaults, Score, Variant
from phicli.errors import IntegrityError, install_hint

SCHEMA: Final = 1
_TOP: Final = {"schema", "variant", "system_prompts", "references"}
_RENAMED: Final = {"sources": "gguf"}
"""Field → its key in the file, where they differ."""

T = TypeVar("T")
_Reader = Callable[[Any, str, str], Any]
"""Of a value, the variant it stands in and its key: the value as the dataclasses have it."""
_Shape = tuple[Mapping[str, tuple[str, _Reader]], frozenset[str]]
"""Key in the file → (field, reader), and the fields that must be there."""


def parse(text: str) -> Catalog:
    """The catalog in ``text`` (TOML).

    Raises:
        IntegrityError: it is not TOML, or has unknown or missing keys or values of a wrong type.
    """
    import tomllib

    try:
        return made_of(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise bad("the file", str(error)) from None


def made_of(data: Mapping[str, Any]) -> Catalog:
    """The catalog in ``data``, which was read from either file.

    Raises:
        IntegrityError: as :func:`parse` says.
    """
    unknown = set(data) - _TOP
    if unknown:
        raise bad("the file", f"unknown key {sorted(unknown)[0]}")
    if data.get("schema") != SCHEMA:
        raise bad("the file", f"schema = {data.get('schema')}, expected {SCHEMA}")
    prompts = _texts(data.get("system_prompts", {}), "the file", "system_prompts")
    references = _texts(data.get("references", {}), "the file", "references")
    entries = _list(data.get("variant", []), "the file", "variant")
    return Catalog(tuple(_variant(entry, prompts) for entry in entries), references)


def bad(where: str, what: str) -> IntegrityError:
    """The error for a mistake in the file: ``where`` names the variant, ``what`` the key."""
    return IntegrityError(f"catalog.toml, {where}: {what}", f"install phi again, {install_hint()}")


def _variant(entry: Any, prompts: Mapping[str, str]) -> Variant:
    entry = _table(entry, "the file", "variant")
    where = f"variant {entry.get('id', '?')}"
    prompt = entry.get("system_prompt")
    if isinstance(prompt, str):
        if prompt not in prompts:
            raise bad(where, f"system_prompt = {prompt!r}: not found in [system_prompts]")
        entry = {**entry, "system_prompt": prompts[prompt]}
    return _make(Variant, entry, where)


def _scores(value: Any, where: str, key: str) -> tuple[Score, ...]:
    """``[variant.scores.SOURCE]`` tables: benchmark → value, or → ``{ value = …, note = … }``."""
    found = []
    for source, results in _table(value, where, key).items():
        for benchmark, result in _table(results, where, f"{key}.{source}").items():
            parts = result if isinstance(result, dict) else {"value": result}
            for given in ("benchmark", "source"):
                if given in parts:
                    raise bad(where, f"unknown key {key}.{source}.{benchmark}.{given}")
            named = {**parts, "benchmark": benchmark, "source": source}
            found.append(_make(Score, named, where, f"{key}.{source}.{benchmark}"))
    return tuple(found)


def _make(kind: type[T], values: Mapping[str, Any], where: str, at: str = "") -> T:
    """A ``kind`` (a dataclass) from ``values``, each read as the annotation of its field says.

    ``at`` is where the table stands inside the variant, for the messages: ``gguf[0].files[1]``.
    """
    readers, required = _SHAPES[kind]
    prefix = f"{at}." if at else ""
    ready = {}
    for key, value in values.items():
        found = readers.get(key)
        if found is None:
            raise bad(where, f"unknown key {prefix}{key}")
        name, read = found
        ready[name] = read(value, where, prefix + key)
    missing = required - ready.keys()
    if missing:
        raise bad(where, f"the key {prefix}{sorted(missing)[0]} is missing")
    return kind(**ready)


def _list(value: Any, where: str, key: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise bad(where, f"{key} = {value!r} is not a list")
    return value


def _table(value: Any, where: str, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise bad(where, f"{key} = {value!r} is not a table")
    return value


def _texts(value: Any, where: str, key: str) -> Mapping[str, str]:
    for name, text in _table(value, where, key).items():
        _text(text, where, f"{key}.{name}")
    return MappingProxyType(dict(value))


def _text(value: Any, where: str, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise bad(where, f"{key} = {value!r} is not a string")
    return value


def _text_list(value: Any, where: str, key: str) -> tuple[str, ...]:
    return tuple(_text(item, where, key) for item in _list(value, where, key))


def _whole(value: Any, where: str, key: str) -> int:
    if type(value) is not int:
        raise bad(where, f"{key} = {value!r} is not a whole number")
    return value


def _number(value: Any, where: str, key: str) -> float:
    if type(value) not in (int, float):
        raise bad(where, f"{key} = {value!r} is not a number")
    return cast("float", value)


def _switch(value: Any, where: str, key: str) -> bool:
    if type(value) is not bool:
        raise bad(where, f"{key} = {value!r} is not true or false")
    return value


def _one(kind: type[T]) -> Callable[[Any, str, str], T]:
    return lambda value, where, key: _make(kind, _table(value, where, key), where, key)


def _many(kind: type[T]) -> Callable[[Any, str, str], tuple[T, ...]]:
    return lambda value, where, key: tuple(
        _make(kind, _table(item, where, key), where, f"{key}[{place}]")
        for place, item in enumerate(_list(value, where, key))
    )


_READERS: Final[Mapping[str, _Reader]] = {
    "int": _whole,
    "float": _number,
    "bool": _switch,
    "str": _text,
    "tuple[str, ...]": _text_list,
    "Mapping[str, str]": _texts,
    "SamplingDefaults": _one(SamplingDefaults),
    "Dimensions": _one(Dimensions),
    "tuple[GgufFile, ...]": _many(GgufFile),
    "tuple[GgufSource, ...]": _many(GgufSource),
    "tuple[Score, ...]": _scores,
}
"""Annotation of a field (without ``| None``) → what reads its value."""


def _shape(kind: type) -> _Shape:
    readers = {}
    required = set()
    for item in fields(kind):
        read = _READERS[str(item.type).removesuffix(" | None")]
        readers[_RENAMED.get(item.name, item.name)] = (item.name, read)
        if item.default is MISSING and item.default_factory is MISSING:
            required.add(item.name)
    return readers, frozenset(required)


_SHAPES: Final[Mapping[type, _Shape]] = {
    kind: _shape(kind) for kind in (Variant, SamplingDefaults, Dimensions, GgufSource, GgufFile, Score)
}

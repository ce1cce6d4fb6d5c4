"""A program that imports a Python file and describes its functions: ``python -m phicli.tools.describe FILE``.

It prints one line of JSON, ``{"tools": […], "left_out": […], "helpers": […]}``; the last two are functions that cannot
be tools, and why; helpers have neither types nor a docstring. Where the import fails, Python's own traceback stands
on standard error; what the file itself prints goes there too.
"""

from __future__ import annotations

import enum
import importlib.util
import inspect
import json
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

_PLAIN: Final = {str: "string", int: "integer", float: "number", bool: "boolean"}
_LISTS: Final = ("list", "tuple", "set", "frozenset", "Sequence", "Iterable", "Collection")
_DICTS: Final = ("dict", "Mapping")
_ARGUMENTS: Final = re.compile(r"^\s*(?:Args|Arguments|Parameters):\s*$", re.MULTILINE)
_SECTION: Final = re.compile(r"^\s*(?:Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):\s*$|^\s*:\w+")
_GOOGLE: Final = re.compile(r"^\s*(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")
_REST: Final = re.compile(r"^\s*:param\s+(?:[\w\[\], |]+\s+)?(\w+):\s*(.*)$")


class CannotDescribeError(Exception):
    """A function cannot be declared; the text says why."""


def describe(function: Callable[..., Any]) -> dict[str, Any]:
    """The declaration of ``function``, as OpenAI has it.

    Raises:
        CannotDescribeError: it has no docstring, or a parameter has no type that JSON Schema has.
    """
    documentation = inspect.getdoc(function)
    if not documentation:
        raise CannotDescribeError("it has no docstring")
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise CannotDescribeError(f"its types cannot be read: {error}") from None
    told = _parameter_texts(documentation)
    properties, required = dict[str, Any](), list[str]()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise CannotDescribeError(f"the parameter {parameter} cannot be named in a call")
        if name not in hints:
            raise CannotDescribeError(f"the parameter {name} has no type")
        properties[name] = {**({"description": told[name]} if told.get(name) else {}), **_schema(hints[name], name)}
        if parameter.default is inspect.Parameter.empty:
            required.append(name)
        elif (default := _default(parameter.default)) is not None:
            properties[name]["default"] = default
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": function.__name__, "description": _summary(documentation), "parameters": parameters}


def _schema(hint: Any, name: str) -> dict[str, Any]:
    """JSON Schema of a type; ``name`` is that of the parameter.

    Raises:
        CannotDescribeError: there is none.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return {}
    if origin is typing.Annotated:
        texts = [text for text in inner[1:] if isinstance(text, str)]
        return {**_schema(inner[0], name), **({"description": texts[0]} if texts else {})}
    if origin is typing.Literal:
        return {**_type_of_values(inner), "enum": list(inner)}
    if origin in (typing.Union, types.UnionType):
        others = [_schema(one, name) for one in inner if one is not type(None)]
        return {"anyOf": [*others, *([{"type": "null"}] if type(None) in inner else [])]}
    return _schema_of_class(origin or hint, inner, name)


def _schema_of_class(kind: Any, inner: tuple[Any, ...], name: str) -> dict[str, Any]:
    word = getattr(kind, "__name__", str(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        values = [member.value for member in kind]
        return {**_type_of_values(values), "enum": values}
    if word in _LISTS:
        items = [one for one in inner if one is not ...]
        return {"type": "array", **({"items": _schema(items[0], name)} if len(items) == 1 else {})}
    if word in _DICTS:
        return {"type": "object", **({"additionalProperties": _schema(inner[1], name)} if len(inner) > 1 else {})}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if callable(getattr(kind, "model_json_schema", None)):  # a model of pydantic
        return dict(kind.model_json_schema())
    raise CannotDescribeError(f"the parameter {name} has the type {word}")


def _type_of_values(values: Any) -> dict[str, Any]:
    kinds = {_PLAIN.get(type(value)) for value in values}
    return {"type": kinds.pop()} if len(kinds) == 1 and None not in kinds else {}


def _default(value: Any) -> Any:
    """A default as JSON; None where it is None, or where JSON has no such value."""
    value = value.value if isinstance(value, enum.Enum) else value
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return None


def _summary(documentation: str) -> str:
    lines = []
    for line in documentation.splitlines():
        if _SECTION.match(line):
            break
        lines.append(line)
    return " ".join("\n".join(lines).split())


def _parameter_texts(documentation: str) -> Mapping[str, str]:
    """What a docstring says of each parameter, in Google's form or as ``:param name: …``."""
    texts: dict[str, str] = {}
    if found := _ARGUMENTS.search(documentation):
        texts |= _entries(documentation[found.end() :].splitlines()[1:])
    for line in documentation.splitlines():
        if rest := _REST.match(line):
            texts[rest[1]] = rest[2].strip()
    return texts


def _entries(lines: list[str]) -> Mapping[str, str]:
    texts, last, margin = dict[str, str](), "", -1
    for line in lines:
        if not line.strip():
            break
        indent = len(line) - len(line.lstrip())
        margin = indent if margin < 0 else margin
        entry = _GOOGLE.match(line) if indent <= margin else None
        if entry:
            last = entry[1]
            texts[last] = entry[2].strip()
        elif indent < margin:
            break
        elif last:
            texts[last] = f"{texts[last]} {line.strip()}"
    return texts


def _functions(path: Path) -> Iterator[Callable[..., Any]]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    for name, value in vars(module).items():
        function = getattr(value, "__wrapped__", value)  # by a decorator, such as functools.cache
        if inspect.isfunction(function) and function.__module__ == path.stem and not name.startswith("_"):
            yield value


def _described(path: Path) -> dict[str, Any]:
    tools = list[dict[str, Any]]()
    left_out, helpers = list[str](), list[str]()
    for function in _functions(path):
        try:
            tools.append(describe(function))
        except CannotDescribeError as error:
            meant = bool(function.__doc__ or function.__annotations__)
            (left_out if meant else helpers).append(f"{function.__name__}: {error}")
    return {"tools": tools, "left_out": left_out, "helpers": helpers}


def main(path: Path) -> None:
    """Describe the file at ``path`` on standard output."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)
        output.write(json.dumps(_described(path)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

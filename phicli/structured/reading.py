"""What was typed after ``--schema``: a file, JSON, or a pydantic model in a Python module."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from phicli.errors import NotFoundError, UsageError, reason_of
from phicli.paths import expand

MOST_BYTES: Final = 256 * 1024
"""Of a schema. The largest in common use, such as those of package managers' files, have less."""
_MODEL: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_ALMOST_MODEL: Final = re.compile(r"(?P<module>[\w./]+)[:.](?P<name>[A-Z]\w*)")
"""What people type for ``module:Model``: a file, a path, a name with a dot."""
_PROGRAM: Final = Path(__file__).with_name("model_schema.py")
_EXAMPLE: Final = """give a file or a JSON Schema, e.g. --schema person.json or --schema '{"type": "object"}'"""
_PATIENCE_S: Final = 60.0
_NO_MODEL: Final = 4
"""With that the program ends where the module was imported, and has no such model."""


def read_schema(typed: str) -> Any:
    """The schema that was typed, as JSON has it; it is not checked yet.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it cannot be read, it is not JSON, or the Python module does not give a schema.
    """
    if not typed.strip():
        raise UsageError("--schema is empty", _EXAMPLE)
    if typed.lstrip().startswith("{") or typed.strip() in ("true", "false"):
        return parse_schema(typed, "--schema")
    refuse_elsewhere(typed, "--schema", "schema.json")
    path = expand(typed)
    if (kind := _json_kind(typed)) and not path.exists():
        raise UsageError(f"--schema {typed}: a schema is a JSON object, not {kind}", _EXAMPLE)
    if not path.exists():
        if _MODEL.fullmatch(typed) and ".py:" not in typed:
            return schema_of_model(typed)
        if almost := _ALMOST_MODEL.fullmatch(typed):
            module = almost["module"].removesuffix(".py").removeprefix("./").replace("/", ".")
            hint = f"for a pydantic model of a module: --schema {module}:{almost['name']}"
            raise NotFoundError(f"file not found: {path}", hint)
    return parse_schema(read_text(path, "--schema", "schema.json"), str(path))


def refuse_elsewhere(typed: str, option: str, example: str) -> None:
    """Return if ``typed`` after ``option`` may be a path, rather than standard input or an address.

    Raises:
        UsageError: it is one of these.
    """
    if typed == "-":
        raise UsageError(f"{option} is not read from standard input", f"save it in a file: {option} {example}")
    if re.match(r"\w+://", typed):
        raise UsageError(f"{option} {typed}: nothing is downloaded", f"download it first, then: {option} {example}")


def read_text(path: Path, option: str, example: str) -> str:
    """The text of a small file that ``option`` names.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it cannot be read, is not text or too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"file not found: {path}", f"give the path of a file, e.g. {option} {example}") from None
    except (OSError, ValueError) as error:
        problem = "is a folder" if path.is_dir() else f"cannot be read: {reason_of(error)}"
        raise UsageError(f"{path} {problem}", f"give a file: {option} {example}") from None
    if len(data) > MOST_BYTES:
        raise _too_large(str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text", f"give a text file: {option} {example}") from None


def parse_schema(text: str, source: str) -> Any:
    """The JSON in ``text``, which is from ``source``.

    Raises:
        UsageError: it is not JSON, or too large.
    """
    if len(text.encode("utf-8", errors="replace")) > MOST_BYTES:
        raise _too_large(source)
    try:
        return json.loads(text, object_pairs_hook=without_doubles, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        message = f"{source} is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at {where}"
    except RecursionError:
        message = f"{source} is nested too deeply"
    except ValueError as error:
        message = f"{source} is not JSON: {error}"
    raise UsageError(message, _EXAMPLE)


def _json_kind(text: str) -> str:
    """What kind of JSON ``text`` is; empty where it is none."""
    kinds = {"list": "a list", "str": "a string", "NoneType": "null"}
    try:
        return kinds.get(type(json.loads(text)).__name__, "a number")
    except (ValueError, RecursionError):
        return "a list" if text.lstrip().startswith("[") else ""


def schema_of_model(name: str) -> Any:
    """The JSON Schema of a pydantic model, ``module:Model``; the module is imported in a separate process.

    Raises:
        UsageError: the module cannot be imported, has no such model, or does not end.
    """
    module, _, model = name.partition(":")
    command = [sys.executable, str(_PROGRAM), module, model]
    hint = f"""or save the schema: python -c 'import json, {module} as m; print(json.dumps(m.{model}."""
    hint = f"check it: python -c 'import {module}'; {hint}model_json_schema()))' > schema.json"
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise UsageError(f"importing {module} did not end within {_PATIENCE_S:.0f} s", hint) from None
    except OSError as error:
        raise UsageError(f"{module} cannot be imported: {reason_of(error)}", hint) from None
    if done.returncode == _NO_MODEL:
        hint = f"name a pydantic model of {module}, e.g. --schema {module}:Person"
    if done.returncode:
        lines = [line.strip() for line in done.stderr.decode("utf-8", errors="replace").splitlines() if line.strip()]
        reason = lines[-1] if lines else f"the process ended with exit code {done.returncode}"
        raise UsageError(f"{name} gives no schema: {reason}", hint)
    return parse_schema(done.stdout.decode("utf-8", errors="replace").rpartition("\0")[2], name)


class DoubleNameError(ValueError):
    """A name occurs twice in one JSON object."""


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of ``pairs``, as :func:`json.loads` asks for it.

    Raises:
        DoubleNameError: a name occurs twice.
    """
    names: dict[str, Any] = {}
    for name, value in pairs:
        if name in names:
            raise DoubleNameError(f"the key {name!r} occurs twice in one object")
        names[name] = value
    return names


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _too_large(source: str) -> UsageError:
    return UsageError(f"the schema or grammar in {source} has more than {MOST_BYTES // 1024} KiB", "use a part of it")

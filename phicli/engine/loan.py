"""What is said when the server of a user lends the engine of a model to another command of that user.

The command asks with a :class:`LoanRequest`. The server replies with lines of JSON: ``{"loading": seconds}`` while the
model loads, ``{"lent": loan}`` with the :class:`Loan`, and ``{"ended": reason}`` when the engine has ended. The loan
lasts as long as the connection is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Protocol, Self, get_type_hints, runtime_checkable

from phicli.engine.types import LocalEngine
from phicli.errors import EngineError

LEND_TARGET: Final = "/phi/lend"
SAME_SETTINGS: Final = ("kv_type", "flash_attention", "repack", "gpu_layers", "speculation")
"""Settings of the engine with which it may compute other tokens: they must be equal."""


class LoanError(EngineError):
    """The server lends no engine, or not one that can make this answer: another engine must be started."""


@dataclass(frozen=True, slots=True)
class LoanRequest:
    """The engine that is asked for.

    Attributes:
        version: of the program that asks.
        build: of the engine that it would start itself.
        model: the name of the model.
        path: of its file.
        size_bytes: of that file.
        mtime_ns: when it was last changed.
        context_tokens: the least context.
        engine: settings that must be equal, by field.
    """

    version: str
    build: str
    model: str
    path: str
    size_bytes: int
    mtime_ns: int
    context_tokens: int
    engine: Mapping[str, Any]

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "engine": dict(self.engine)}

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: something is missing or of the wrong type.
        """
        values = _values(cls, data)
        if not isinstance(data.get("engine"), Mapping):
            raise ValueError("engine is missing")
        return cls(**values, engine=MappingProxyType(dict(data["engine"])))


@dataclass(frozen=True, slots=True)
class Loan:
    """An engine that is lent.

    Attributes:
        address: ``http://127.0.0.1:PORT``.
        api_key: the key for it.
        build: the engine and its version.
        pid: its process.
        log_path: its log; empty for none.
        bad_template: the chat template of the file was wanted and cannot be parsed.
    """

    address: str
    api_key: str
    build: str
    pid: int
    log_path: str
    bad_template: bool

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: something is missing or of the wrong type.
        """
        return cls(**_values(cls, data))


def _values(kind: type, data: Any) -> dict[str, Any]:
    """The values of the plain fields of ``kind``.

    Raises:
        ValueError: one is missing or of the wrong type.
    """
    if not isinstance(data, Mapping):
        raise ValueError("not an object")
    hints = {name: hint for name, hint in get_type_hints(kind).items() if hint in (str, int, bool)}
    wrong = [name for name, hint in hints.items() if type(data.get(name)) is not hint]
    if wrong:
        raise ValueError(f"{wrong[0]} is missing or of the wrong type")
    return {name: data[name] for name in hints}


@runtime_checkable
class Lendable(LocalEngine, Protocol):
    """An engine that other programs of the same user can use, too."""

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""

    @property
    def started_at(self) -> float:
        """When its process was started, in seconds since 1970."""

    def loan(self) -> Loan:
        """What another program needs to use this engine.

        Raises:
            EngineError: the file cannot be loaded.
        """

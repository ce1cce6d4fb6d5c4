"""What was measured on a machine, as plain data that lasts: calibrations and measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Self

from phicli.fit.shape import ModelShape


@dataclass(frozen=True, slots=True)
class Conditions:
    """What has to be the same for a measured time to hold again.

    ``cpu`` is the processor's name, ``build`` the engine and its version, ``device`` ``cpu`` or the name of the
    graphics processor that has all layers. Repacked weights are another layout with other speeds.
    """

    cpu: str
    build: str
    threads: int
    repack: bool = False
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Times of the engine on a few layers of a shape: slope and intercept over the number of layers, milliseconds.

    A token takes ``ms_fixed + layers · (ms_per_layer + depth · attention_ms)``, where ``depth`` is the tokens before
    it. Each of ``n`` tokens of a prompt takes ``layers · (prefill_ms + depth · prefill_attention_ms)`` and the prompt
    once ``prefill_ms_fixed``. One of the measured layers has ``layer_bytes`` and ``layer_parameters`` and computes
    ``attention_flops`` for each token before: with them the times are carried over to other sizes. ``spread`` is the
    relative half-width of the middle half of the measured differences. ``made_at`` is ISO 8601, UTC.
    """

    conditions: Conditions
    quant: str
    shape_key: str
    layer_bytes: float
    layer_parameters: float
    attention_flops: float
    ms_per_layer: float
    ms_fixed: float
    attention_ms: float
    prefill_ms: float
    prefill_ms_fixed: float
    prefill_attention_ms: float
    spread: float
    made_at: str

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: a field is missing or is not what it has to be.
        """
        found = cls(**_checked(cls, data))
        if min(found.layer_bytes, found.layer_parameters, found.attention_flops) < 1:
            raise ValueError("a layer of nothing")
        return found


@dataclass(frozen=True, slots=True)
class Measurement:
    """A benchmark run of a whole file on this machine.

    ``variant_id`` of a file that the catalog does not know is its path, without links. ``weights_bytes`` tells files of
    the same name apart. ``depth_tokens`` were in the context when decoding began.
    """

    conditions: Conditions
    variant_id: str
    quant: str
    weights_bytes: int
    depth_tokens: int
    decode_tps: float
    decode_stdev_tps: float
    prompt_tokens: int
    prefill_tps: float
    made_at: str

    def to_data(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_data`.

        Raises:
            ValueError: a field is missing or is not what it has to be.
        """
        return cls(**_checked(cls, data))


def shape_key(shape: ModelShape) -> str:
    """A name for the dimensions that decide the time of a layer and of the output matrix."""
    kv_heads = shape.kv_heads_total // max(shape.layers, 1)
    numbers = (shape.embedding, shape.feed_forward, shape.heads, kv_heads, shape.key_length, shape.vocabulary)
    return "-".join(map(str, numbers))


_MOST: Final = 1e18
"""Above all that is counted or timed here; a number beyond it is damage."""

_KINDS: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
)


def _checked(kind: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``kind`` in ``data``; what else is there is left out, so that later versions can add to it."""
    found: dict[str, Any] = {}
    for field in fields(kind):
        value = data.get(field.name)
        if field.type == "Conditions" and isinstance(value, Mapping):
            found[field.name] = Conditions(**_checked(Conditions, value))
        elif (
            not isinstance(value, _KINDS.get(str(field.type), ()))
            or isinstance(value, bool) != (field.type == "bool")
            or (isinstance(value, int | float) and not 0 <= value <= _MOST)
        ):
            raise ValueError(f"{field.name} is {value!r}")
        else:
            found[field.name] = value
    return found

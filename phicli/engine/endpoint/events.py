"""A stream of chat completion chunks, read from bytes that anybody may have sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from phicli.engine.endpoint.address import Address
from phicli.engine.endpoint.deltas import Delta, End, LikelyReader, calls_in, text_in, timings_in
from phicli.engine.endpoint.failures import (
    EndpointError,
    clean,
    error_text,
    in_place_of_a_stream,
    of_garbage,
    with_code,
)
from phicli.engine.types import Timings

_LONGEST_LINE: Final = 1 << 20
_MOST_BYTES: Final = 1 << 26
_MOST_TOKENS: Final = 10**9
_QUOTED: Final = 80
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Reader:
    """Reads server-sent events; lines and the whole have a greatest size.

    Lines end with LF, CR LF or CR, as the standard has it. An event is read as soon as its line of data is there and
    not with the blank line after it, which some servers leave out.

    Args:
        address: for messages.
        most_bytes: of the whole.
    """

    def __init__(self, address: Address, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self.ended = False
        self._address = address
        self._rest = b""
        self._bytes = 0
        self._seen = False
        self._finish: str | None = None
        self._stop_text: str | None = None
        self._model = ""
        self._prompt: int | None = None
        self._completion: int | None = None
        self._cached = self._reasoning = 0
        self._likely = LikelyReader()
        self._timings: Timings | None = None

    def read(self, data: bytes, at_s: float) -> Iterator[Delta]:
        """What is complete with ``data``, which arrived at ``at_s``.

        Raises:
            EndpointError: it is not a stream of chunks, or too much, or says that something failed.
        """
        if not self._bytes:
            data = data.removeprefix(_BYTE_ORDER_MARK)
        self._bytes += len(data)
        *lines, self._rest = _LINE_END.split(self._rest + data)  # half of a CR LF only makes one more empty line
        if self._bytes > self._most_bytes or max(map(len, (*lines, self._rest))) > _LONGEST_LINE:
            raise EndpointError("garbage", f"{self._address.shown} sent far more text than requested", _HINT)
        for line in lines:
            if self.ended:
                return
            yield from self._line(line, at_s)

    def last(self, at_s: float) -> Iterator[Delta]:
        """What is in a last line without an end; half an event is left out, because :meth:`close` reports it.

        Raises:
            EndpointError: all that came is not an event: a web page, or an answer in one piece.
        """
        line, self._rest = self._rest.strip(), b""
        name, _, value = line.partition(b":")
        if name == b"data" and not self.ended and (value.strip() == _DONE or _json(value) is not None):
            yield from self._line(line, at_s)
        elif line and not self._seen and not b"data:".startswith(line[:5]):
            raise self._garbage(line)

    def close(self) -> End:
        """The end, when no more comes.

        Raises:
            EndpointError: it stopped half way, or nothing came.
        """
        if self._finish is None and not self.ended:
            if self._seen:
                raise EndpointError("cut", f"{self._address.shown} stopped in the middle of the answer", _HINT)
            raise EndpointError("cut", f"{self._address.shown} ended the stream before it began", _HINT)
        return End(
            self._finish,
            self._prompt,
            self._completion,
            cached_tokens=self._cached,
            reasoning_tokens=self._reasoning,
            model=self._model,
            stop_text=self._stop_text,
            timings=self._timings,
        )

    def _line(self, line: bytes, at_s: float) -> Iterator[Delta]:
        name, _, value = line.partition(b":")
        value = value.strip()
        if not line.strip() or name in (b"", b"event", b"id", b"retry") or (name == b"data" and not value):
            return
        if name == b"error":
            raise self._failed(_json(value) or value.decode("utf-8", errors="replace"))
        if name != b"data":
            raise self._garbage(line)
        if value == _DONE:
            self.ended = True
            return
        reply = _json(value)
        if not isinstance(reply, dict):
            raise self._garbage(line)
        if reply.get("error") or reply.get("object") == "error":
            raise self._failed(reply)
        self._seen = True
        if isinstance(reply.get("model"), str) and reply["model"]:  # Azure's first chunk has an empty one
            self._model = clean(self._address, reply["model"])
        self._count(reply.get("usage"))
        self._timings = timings_in(reply.get("timings")) or self._timings
        yield from self._choice(reply.get("choices"), line, at_s)

    def _choice(self, choices: Any, line: bytes, at_s: float) -> Iterator[Delta]:
        if choices in (None, []):
            return
        first = choices[0] if isinstance(choices, list) else None
        delta = first.get("delta") or {} if isinstance(first, dict) else None
        if not isinstance(first, dict) or not isinstance(delta, dict):
            raise self._garbage(line)
        text, reasoning, calls = text_in(delta, _TEXTS), text_in(delta, _REASONING), calls_in(delta.get("tool_calls"))
        likely = self._likely.read(first.get("logprobs"))
        if text or reasoning or calls or likely:
            yield Delta(text, at_s, reasoning, calls, likely)
        if isinstance(first.get("finish_reason"), str) and first["finish_reason"]:
            self._finish = clean(self._address, first["finish_reason"])
        if isinstance(first.get("stop_reason"), str):
            self._stop_text = first["stop_reason"]

    def _count(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        self._prompt = _number(usage.get("prompt_tokens"), self._prompt)
        self._completion = _number(usage.get("completion_tokens"), self._completion)
        self._cached = _number(_inner(usage, "prompt_tokens_details", "cached_tokens"), self._cached) or 0
        self._reasoning = _number(_inner(usage, "completion_tokens_details", "reasoning_tokens"), self._reasoning) or 0

    def _failed(self, reply: Any) -> EndpointError:
        said = clean(self._address, error_text(reply)) or "without a reason"
        message = f"{self._address.shown} failed in the middle of the answer: {said}"
        return with_code(EndpointError("server", message, _HINT), reply)

    def _garbage(self, line: bytes) -> EndpointError:
        reply = _json(line)
        if isinstance(reply, dict) and reply.get("error"):
            return in_place_of_a_stream(self._address, reply)
        return of_garbage(self._address, line[:_QUOTED].decode("utf-8", errors="replace"))


def as_stream(body: bytes) -> bytes:
    """A reply in one piece as the stream that it stands for; anything else as it is."""
    reply = _json(body)
    choices = reply.get("choices") if isinstance(reply, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
        return body
    chunk = {**reply, "choices": [{**first, "delta": first["message"]}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"


_DONE: Final = b"[DONE]"
_TEXTS: Final = ("content", "refusal")
_REASONING: Final = ("reasoning_content", "reasoning")
_HINT: Final = "see the endpoint's own log"


def _json(value: bytes) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _number(value: Any, otherwise: int | None) -> int | None:
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return value if sound else otherwise


def _inner(usage: dict[str, Any], part: str, name: str) -> Any:
    inner = usage.get(part)
    return inner.get(name) if isinstance(inner, dict) else None

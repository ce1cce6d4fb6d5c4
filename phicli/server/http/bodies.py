"""Reads the bodies of requests: no larger or slower than they may be, and JSON.

How deep and how large their values are is checked where their fields are read (``openai/fields.py``).
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from phicli.server.errors import RequestError
from phicli.server.http.errors import BodyTooLargeError, ClientGone, SlowBodyError
from phicli.server.http.limits import Limits

_LARGE: Final = 1 << 18
"""Bytes that are parsed in a thread, since the event loop would stand still."""


async def read_object(request: Request, limits: Limits) -> dict[str, Any]:
    """The JSON object that the body is.

    Raises:
        BodyTooLargeError: it has too many bytes.
        SlowBodyError: it did not come in time.
        RequestError: it is something else.
        ClientGone: the client has left.
    """
    body = await _read(request, limits)
    return await asyncio.to_thread(_parse, body) if len(body) > _LARGE else _parse(body)


async def _read(request: Request, limits: Limits) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > limits.body_bytes):
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_s):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                body += message.get("body", b"")
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        late = f"the body of the request did not come within {limits.body_s:g} s"
        raise SlowBodyError(late, "send the request again") from None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            body.decode(), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_duplicates
        )
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8: byte {error.start}", "send JSON in UTF-8") from None
    except RecursionError:
        raise RequestError("the body is nested too deeply", "send a flatter object") from None
    except json.JSONDecodeError as error:
        raise RequestError(
            f"the body is not JSON: {error.msg} at character {error.pos}", "send a JSON object"
        ) from None
    except ValueError:  # Python's limit for whole numbers
        raise RequestError("the body has a number of thousands of digits", "send shorter numbers") from None
    if not isinstance(value, dict):
        raise RequestError("the body is not a JSON object", "send a JSON object")
    return value


def _refuse(word: str) -> float:
    raise RequestError(f"the body is not JSON: {word} is not a number in JSON", "send finite numbers")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise RequestError(f"a number is too large: {digits[:40]}", "send a smaller number")
    return number


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = Counter(name for name, _ in pairs)
        ((twice, _),) = names.most_common(1)
        raise RequestError(f"an object has a field twice: {twice[:100]!r}", "send each field once")
    return value


def _too_large(limits: Limits) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"the body of the request has more than {limits.body_bytes} bytes", "send a shorter conversation"
    )

"""The wire: llama.cpp's server spoken to over loopback HTTP, its answers made into events.

Only the standard library's client: one host, no redirects, no proxies (which a general client would take from the
environment), and nothing to import before the first token.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from phicli.engine.closable import Closing
from phicli.engine.logprobs import likely_of
from phicli.engine.types import Chunk, Done, GenerationEvent, Prefill, Sampling, StopReason, Timings, Usage
from phicli.errors import EngineError

_SILENCE_TIMEOUT_S = 600.0
"""No byte for this long is a hang: the server pings every 30 s while it reads a prompt."""


class ConnectionLost(Exception):  # noqa: N818 (caught by the engine, which knows the process and makes the real error)
    """The server went away before it finished."""


class RefusedError(EngineError):
    """The server answered with an error."""


class _Connection(http.client.HTTPConnection):
    """A connection that looks up no name: for that, Python would load its tables of international names."""

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect((self.host, self.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class ServerClient:
    """One llama.cpp server; each request has a connection of its own (the server closes idle ones after 5 s).

    Args:
        address: ``http://127.0.0.1:PORT``.
        api_key: the key the server was started with.
        adapter_scales: the usual scale of each adapter that it has loaded; it can be changed between requests.
    """

    def __init__(self, address: str, api_key: str, adapter_scales: Sequence[float] = ()) -> None:
        self.adapter_scales = tuple(adapter_scales)
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}

    def post(self, path: str, body: Mapping[str, Any], *, closing: Closing | None = None) -> dict[str, Any]:
        """One request, one JSON object back; ``closing`` ends the connection.

        Raises:
            ConnectionLost: no complete answer came.
            RefusedError: the server answered with an error; quotes it.
        """
        closing = closing or Closing()
        connection = self._connect()
        try:
            connection.connect()
            with closing.woken_by(_hanging_up(connection.sock)):
                response = self._send(connection, path, body)
                reply = json.loads(response.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            closing.check()
            raise ConnectionLost(str(error)) from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise _server_error(reply)
        return dict(reply)

    def complete(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int],
        visible_tokens: Mapping[str, int],
        until: Callable[[], bool] | None,
        closing: Closing,
    ) -> Generator[GenerationEvent, None, None]:
        """Stream ``/completion``; ``closing`` ends the connection, which stops the server.

        Raises:
            ConnectionLost: the stream ended without a last event.
            RefusedError: the server answered with an error; quotes it.
        """
        body = _completion_body(prompt, sampling, visible_tokens, stop_ids) | self.adapters_in_use(sampling)
        shown = {token_id: literal for literal, token_id in visible_tokens.items()}
        tally = _Tally(stop_ids, until, shown, sampling.likeliest)
        with contextlib.closing(self._replies(body, closing)) as replies:
            for reply in replies:
                yield from tally.events(reply)
                if tally.done:
                    return
        raise ConnectionLost("the stream ended early")

    def evaluate(self, prompt: Sequence[int], slot: int, closing: Closing) -> None:
        """Evaluate ``prompt`` in a slot, and generate one token, which is dropped. Raises as :meth:`complete`."""
        once = Sampling(max_tokens=1)
        body = _completion_body(prompt, once, (), ()) | self.adapters_in_use(once) | {"id_slot": slot}
        with contextlib.closing(self._replies(body, closing)) as replies:
            if not any(reply.get("stop") for reply in replies):
                raise ConnectionLost("the stream ended early")

    def adapters_in_use(self, sampling: Sampling) -> dict[str, Any]:
        """The part of a request that says how much each loaded adapter counts.

        All are named: the server takes an empty list for the usual scales, and 0 for an adapter that is not in it.
        """
        scales = self.adapter_scales if sampling.adapter_scales is None else sampling.adapter_scales
        if len(scales) != len(self.adapter_scales):
            raise ValueError(f"{len(scales)} scales for {len(self.adapter_scales)} adapters")
        return {"lora": [{"id": index, "scale": scale} for index, scale in enumerate(scales)]} if scales else {}

    def _replies(self, body: Mapping[str, Any], closing: Closing) -> Generator[dict[str, Any], None, None]:
        connection = self._connect()
        try:
            connection.connect()
            with closing.woken_by(_hanging_up(connection.sock)):
                yield from self._stream(connection, body, closing)
        except (OSError, http.client.HTTPException) as error:
            closing.check()
            raise ConnectionLost(str(error)) from error
        finally:
            connection.close()
        closing.check()

    def _stream(
        self, connection: http.client.HTTPConnection, body: Mapping[str, Any], closing: Closing
    ) -> Iterator[dict[str, Any]]:
        response = self._send(connection, "/completion", body)
        if response.status != http.client.OK:
            raise _server_error(_json_or_text(response.read()))
        for line in response:
            closing.check()  # the beginning of a line that was cut is not a message
            name, _, data = line.decode("utf-8", errors="replace").partition(":")
            if name not in ("data", "error") or not data.strip():
                continue
            reply = _json_or_text(data.encode())
            if name == "error" or "error" in reply:
                raise _server_error(reply)
            yield reply

    def _connect(self) -> http.client.HTTPConnection:
        return _Connection(self._host, self._port, timeout=_SILENCE_TIMEOUT_S)

    def _send(
        self, connection: http.client.HTTPConnection, path: str, body: Mapping[str, Any]
    ) -> http.client.HTTPResponse:
        connection.request("POST", path, json.dumps(body), self._headers)
        return connection.getresponse()


class _Tally:
    """Turns the replies of one stream into events and keeps count of the ids.

    The server drops the ids of tokens that end inside a UTF-8 character from its stream (their text comes with a
    later one): where the count of predicted tokens runs ahead of the ids seen, the ids are not complete. It has no text
    for tokens that a file marks as unused (``findings/unused_tokens_have_no_text.sh``); ``shown`` has the text of those
    that are to be seen, by id. ``likeliest`` as :class:`Sampling` has it.
    """

    def __init__(
        self,
        stop_ids: frozenset[int],
        until: Callable[[], bool] | None,
        shown: Mapping[int, str],
        likeliest: int | None,
    ) -> None:
        self._shown, self._likeliest = shown, likeliest
        self.done = False
        self._stop_ids, self._until = stop_ids, until
        self._ids: list[int] = []
        self._predicted = 0

    def events(self, reply: Mapping[str, Any]) -> Iterator[GenerationEvent]:
        if progress := reply.get("prompt_progress"):
            yield Prefill(processed=progress["processed"], total=progress["total"], cached=progress["cache"])
            return
        before = self._predicted
        self._predicted = max(before, int(reply.get("tokens_predicted", 0)))
        if reply.get("stop"):
            yield from self._last(reply)
            return
        ids = tuple(int(token) for token in reply.get("tokens", ()))
        stop_id = next((token for token in ids if token in self._stop_ids), None)
        if stop_id is not None:
            complete = self._predicted - 1 == len(self._ids)
            yield self._finish(reply, "stop", complete=complete, stop_id=stop_id)
            return
        self._ids.extend(ids)
        new = self._predicted - before
        text = reply.get("content") or "".join(self._shown.get(token, "") for token in ids)
        if text or ids:
            likely = () if self._likeliest is None else likely_of(reply, text, new, self._likeliest)
            yield Chunk(text, ids if len(ids) == new else None, new, likely)
        if self._until is not None and self._until():
            yield self._finish(reply, "stop", complete=self._predicted == len(self._ids))

    def _last(self, reply: Mapping[str, Any]) -> Iterator[GenerationEvent]:
        reason: StopReason = "length" if reply.get("stop_type") == "limit" else "stop"
        complete = self._predicted == len(self._ids)
        if complete and reply.get("stop_type") == "eos":
            self._ids.pop()  # the end token itself comes as an id without text
        yield self._finish(reply, reason, complete=complete)

    def _finish(
        self, reply: Mapping[str, Any], reason: StopReason, *, complete: bool, stop_id: int | None = None
    ) -> Done:
        self.done = True
        times = reply["timings"]
        prompt_tokens = int(times["cache_n"]) + int(times["prompt_n"])
        return Done(
            finish_reason=reason,
            usage=Usage(prompt_tokens, self._predicted, int(times["cache_n"])),
            timings=Timings(
                prompt_ms=float(times["prompt_ms"]),
                decode_ms=float(times["predicted_ms"]),
                prompt_tps=_finite(times["prompt_per_second"]),
                decode_tps=_finite(times["predicted_per_second"]),
                draft_tokens=int(times.get("draft_n", 0)),
                accepted_tokens=int(times.get("draft_n_accepted", 0)),
            ),
            token_ids=tuple(self._ids) if complete else None,
            stop_id=stop_id,
            last_id=self._ids[-1] if self._ids else None,
        )


def _hanging_up(connected: socket.socket) -> Callable[[], None]:
    """What shuts a connection down, so that a thread which waits for its data wakes up.

    Closing it instead would leave that thread with the number of a file that may be another one by then.
    """

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    return hang_up


def _completion_body(
    prompt: Sequence[int], sampling: Sampling, visible_tokens: Iterable[str], stop_ids: Collection[int]
) -> dict[str, Any]:
    """The request. All of the sampling is in it, since the server takes what is missing from the file."""
    return {
        "prompt": list(prompt),
        **sampling.to_data(),
        **({} if sampling.constraint is None else sampling.constraint.to_request(stop_ids)),
        **({} if sampling.likeliest is None else {"n_probs": max(sampling.likeliest, 1), "post_sampling_probs": False}),
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": -1 if sampling.seed is None else sampling.seed,
        "n_predict": -1 if sampling.max_tokens is None else sampling.max_tokens,
        "ignore_eos": sampling.ignore_eos,
        "preserved_tokens": list(visible_tokens),
        "stream": True,
        "cache_prompt": True,
        "return_tokens": True,
        "return_progress": True,
        "timings_per_token": True,
    }


def _finite(rate: float | None) -> float:
    """A rate as a number: the server writes null for infinity (a prompt that was cached entirely)."""
    return float(rate) if rate is not None else 0.0


def _json_or_text(data: bytes) -> dict[str, Any]:
    with contextlib.suppress(json.JSONDecodeError):
        reply = json.loads(data)
        if isinstance(reply, dict):
            return reply
    return {"error": {"message": data.decode("utf-8", errors="replace").strip()}}


def _server_error(reply: Mapping[str, Any]) -> RefusedError:
    error = reply.get("error", reply)
    message = error.get("message", "") if isinstance(error, Mapping) else str(error)
    return RefusedError(
        f"the engine refused: {message}", "run the command again; if it fails again, the file may be damaged"
    )

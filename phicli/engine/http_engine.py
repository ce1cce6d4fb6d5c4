"""An engine that speaks llama.cpp's HTTP, whoever has started its process."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from phicli.engine.client import ConnectionLost, RefusedError, ServerClient
from phicli.engine.closable import Closable, Closing
from phicli.engine.constraint import Constraint, ConstraintError, refusal
from phicli.engine.engine_process import EngineProcess
from phicli.engine.loaded_adapters import LoadedAdapters
from phicli.engine.logprobs import WIDER, Scored, ends_inside_character, request, scored, scored_among
from phicli.engine.process_engine import ProcessEngine
from phicli.engine.prompts import check_prompt
from phicli.engine.settings import NO_SPECULATION
from phicli.engine.types import NO_TOKENS, Adapter, Done, GenerationEvent, LoadSettings, Sampling
from phicli.errors import EngineError, PhiError, TemplateError

_LONG_TEXT = 100_000
"""Characters; the engine's recursive tokenizer has ended its process on long texts."""

_LOG_LAG_S = 0.02
"""An answer in a grammar, which nothing checks afterwards, ends no sooner than so long after its first event: the
log, which another thread writes, may contradict it."""
_LOG_PATIENCE_S = 1.0
"""For the reason to be in the log after an error was reported."""


class HttpEngine(ProcessEngine[EngineProcess]):
    """A token-level engine (:class:`~phicli.engine.types.Engine`): a process that speaks llama.cpp's HTTP.

    The model loads in the background: the first call that needs it waits, and raises what went wrong.

    Args:
        settings: the file and how it is loaded.
        process: the process that loads this file.
        on_tick: called about ten times a second while a call waits for the model, with the seconds waited.
    """

    def __init__(
        self, settings: LoadSettings, process: EngineProcess, on_tick: Callable[[float], None] | None = None
    ) -> None:
        super().__init__(settings, process, on_tick)
        self._adapters = LoadedAdapters(settings.adapters)
        self._client: ServerClient | None = None

    def tokenize(self, text: str, *, parse_special: bool, closing: Closing | None = None) -> tuple[int, ...]:
        """Token ids of ``text``, without a begin-of-text token; ``closing`` ends the wait for them."""
        if not text:
            return ()
        body = {"content": text, "parse_special": parse_special, "add_special": False}
        try:
            return tuple(int(token) for token in self._post("/tokenize", body, closing)["tokens"])
        except EngineError as error:
            if len(text) < _LONG_TEXT:
                raise
            error.hint = (
                "the text may be too long for the engine's tokenizer: break it into lines, or use a shorter one"
            )
            raise

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Closable[GenerationEvent]:
        """Generate after ``prompt``; the last event is ``Done``.

        Closing what is returned stops the engine, from any thread. The iteration raises:

        Raises:
            ContextExceededError: the prompt leaves no room for an answer.
            ConstraintError: the engine cannot hold the constraint.
            EngineError: the engine died or answered with an error.
        """

        def events(closing: Closing) -> Generator[GenerationEvent, None, None]:
            check_prompt(prompt, self.context_tokens)
            room = self.context_tokens - len(prompt)  # llama.cpp allocates multiples of 256 and would use them
            most = room if sampling.max_tokens is None else min(sampling.max_tokens, room)
            try:
                generation = self._ready(closing).complete(
                    prompt,
                    replace(sampling, max_tokens=most),
                    stop_ids=stop_ids,
                    visible_tokens=visible_tokens,
                    until=until,
                    closing=closing,
                )
                yield from generation if sampling.constraint is None else self._held(generation, sampling.constraint)
            except ConnectionLost as error:
                what = "the engine stopped in the middle of the answer"
                raise self._process.failure(what, said=str(error)) from error

        return Closable(events)

    def _held(
        self, generation: Iterator[GenerationEvent], constraint: Constraint
    ) -> Generator[GenerationEvent, None, None]:
        """The events of a constrained generation.

        The engine reports a constraint that it cannot compile only in its log, and generates without it. With several
        slots nobody knows whose constraint the log speaks of.

        Raises:
            ConstraintError: the engine cannot hold the constraint; or what :meth:`_not_held` returns.
        """
        known, compiled = self._process.log_bytes, None
        try:
            for event in generation:
                compiled = compiled or time.monotonic()
                last = isinstance(event, Done) and constraint.in_lark
                lag = compiled + _LOG_LAG_S - time.monotonic() if last else 0.0
                if self.settings.slots == 1 and (words := self._refusal(known, lag)):
                    raise self._not_held(words)
                yield event
        except RefusedError as error:
            raise self._not_held(self._refusal(known, _LOG_PATIENCE_S) or error.message) from error

    def _not_held(self, words: str) -> PhiError:
        """The error for a constraint of which the log says ``words``."""
        return ConstraintError(words)

    def _refusal(self, known: int, patience_s: float) -> str:
        """What the log says about a constraint behind its first ``known`` bytes; it is written by another thread."""
        until = time.monotonic() + patience_s
        while True:
            if self._process.log_bytes > known and (words := refusal(self._process.log_after(known))):
                return words
            if time.monotonic() >= until:
                return ""
            time.sleep(0.005)

    def document(self, text: str) -> tuple[int, ...]:
        """Token ids of ``text`` as a document of its own: with the begin-of-text token, where the model has one.

        Special tokens in it stay text.

        Raises:
            EngineError: the engine died or answered with an error.
        """
        body = {"content": text, "parse_special": False, "add_special": True}
        return tuple(int(token) for token in self._post("/tokenize", body)["tokens"])

    def score(self, prompt: Sequence[int], token_id: int, *, likeliest: int, slot: int | None = None) -> Scored:
        """How probable ``token_id`` is after ``prompt``, beside the ``likeliest`` tokens there.

        What it shares with the prompt before is not evaluated again. With several texts at a time, each must have a
        ``slot`` of its own: otherwise one may be given the slot of another, which then begins again.

        Raises:
            ContextExceededError: the prompt leaves no room for a token.
            EngineError: the engine died, or told no probability, as for drafted tokens.
        """
        if self.settings.engine.speculation != NO_SPECULATION:
            raise EngineError("the engine reports no probabilities of drafted tokens", "leave out --speculation")
        check_prompt(prompt, self.context_tokens)
        adapters = self._ready().adapters_in_use(Sampling())
        reply = self._post("/completion", request(prompt, token_id, likeliest=likeliest, slot=slot) | adapters)
        if not ends_inside_character(reply, token_id):
            return scored(reply, token_id)
        (stand_in, *_) = self.tokenize("a", parse_special=False)
        for many in WIDER:
            reply = self._post("/completion", request(prompt, stand_in, likeliest=many, slot=slot) | adapters)
            if found := scored_among(reply, stand_in, token_id, likeliest=likeliest):
                return found
        raise EngineError(
            f"the engine does not report the probability of token {token_id}, which ends inside a character",
            "use another text, or another engine",
        )

    def render_template(self, messages: Sequence[dict[str, str]], *, closing: Closing | None = None) -> str:
        """The prompt that the file's own chat template makes of ``messages``; ``closing`` ends the wait for it.

        Raises:
            TemplateError: the file has no usable template.
            EngineError: the engine died.
        """
        self._ready(closing)
        if self._process.bad_template:
            raise TemplateError("the engine cannot parse it")
        try:
            return str(self._post("/apply-template", {"messages": list(messages)}, closing)["prompt"])
        except RefusedError as error:
            raise TemplateError(error.message, error.hint) from error

    def has_loaded(self, adapters: Sequence[Adapter]) -> bool:
        """See :class:`~phicli.engine.state_types.ChangesAdapters`."""
        return not self.ended and self._adapters.scales_for(adapters) is not None

    def use_adapters(self, adapters: Sequence[Adapter]) -> bool:
        """See :class:`~phicli.engine.state_types.ChangesAdapters`."""
        scales = self._adapters.scales_for(adapters)
        if scales is None:
            return False
        client = self._ready()
        before = client.adapter_scales
        if scales == before:
            return True
        client.adapter_scales = scales
        try:
            self._begin_anew(0)
            before = scales
        finally:  # also where Ctrl-C ends the wait: the slot then begins anew with the next answer
            client.adapter_scales = before
        return True

    def _begin_anew(self, slot: int, closing: Closing | None = None) -> None:
        """Have a slot use the adapters at their scales: it drops what it had evaluated with others.

        A slot has adapters since its last request.
        """
        if adapters := self._ready(closing).adapters_in_use(Sampling()):
            once = {"prompt": [0], "n_predict": 1, "temperature": 0, "id_slot": slot}
            self._post("/completion", once | adapters, closing)

    def wait_ready(self, closing: Closing | None = None) -> None:
        """As :class:`ProcessEngine` says; the server is asked only once."""
        self._ready(closing)

    def _ready(self, closing: Closing | None = None) -> ServerClient:
        if self._client is None:
            self._client = ServerClient(self._await_process(closing), self._process.api_key, self._adapters.scales)
        return self._client

    def _post(self, path: str, body: dict[str, Any], closing: Closing | None = None) -> dict[str, Any]:
        try:
            return self._ready(closing).post(path, body, closing=closing)
        except ConnectionLost as error:
            raise self._process.failure("the engine stopped", said=str(error)) from error

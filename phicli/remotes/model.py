"""A model of a remote, as a model that answers conversations."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from phicli.answering.types import NO_ENDING, Answer, Ending, Event, Notice
from phicli.chat_format.types import Message
from phicli.engine.closable import Closable, Closing
from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.deltas import End
from phicli.engine.endpoint.failures import EndpointError
from phicli.engine.types import Sampling
from phicli.errors import CheckFailedError, ContextExceededError
from phicli.remotes import last_listed
from phicli.remotes.body import FORM, FORMAT, Body, body_of
from phicli.remotes.draft import RemoteDraft
from phicli.remotes.kinds import Kind
from phicli.remotes.listing import context_of, estimated_tokens, is_other_model, missing_model
from phicli.remotes.manner import Manner
from phicli.remotes.request import RemoteRequest
from phicli.remotes.retrying import Retrying, Waits
from phicli.remotes.types import RemoteModelName

_LIST_S: Final = 10.0
_SIGNS_OF_LIFE: Final = 10
"""An endpoint that says it is alive, as while it reads a long prompt, may be without text so many times as long."""
_NO_MATCH: Final = "answer_does_not_match"  # of phi serve
_TOO_LONG_CODE: Final = "context_length_exceeded"  # of OpenAI and phi serve
_TOO_LONG: Final = re.compile(r"context (?:length|size|window)|exceed_context|context_length_exceeded", re.IGNORECASE)


@dataclass(slots=True)
class _Shared:
    """What all requests to one model know; threads share it."""

    manner: Manner = field(default_factory=Manner)
    waits: Waits = field(default_factory=Waits)
    lock: threading.Lock = field(default_factory=threading.Lock)
    was_listed: bool = False
    listed: tuple[str, ...] = ()
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A :class:`~phicli.answering.types.Model` behind an endpoint; threads may share it.

    Attributes:
        named: the remote, and its name for the model.
        kind: what the remote takes.
        client: asks it.
        usual: the sampling of the model where nobody asks for another one.
        silence_s: after so many seconds without a byte a request counts as dead.
        retrying: when a request is sent again.
        choice: whether tools are called: ``auto``, ``none``, ``required``, or a name where ``by_name`` is true.
        several: an answer may have more than one call.
    """

    named: RemoteModelName
    kind: Kind
    client: EndpointClient
    usual: Sampling = field(default_factory=Sampling)
    silence_s: float = 120.0
    retrying: Retrying = field(default_factory=Retrying)
    choice: str = "auto"
    by_name: bool = False
    several: bool = True
    shared: _Shared = field(default_factory=_Shared, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What is typed: ``NAME/MODEL``."""
        return self.named.reference

    @property
    def quant(self) -> None:
        """The quantization of its weights, which is unknown."""
        return

    @property
    def context_tokens(self) -> int | None:
        """The most tokens that a conversation with its answers may have; None where the remote does not report it.

        The first time, the remote is asked for its list of models.
        """
        with self.shared.lock:
            if not self.shared.was_listed and self.kind.lists_models:
                self.shared.was_listed = True
                with contextlib.suppress(EndpointError):
                    self.look()
            return self.shared.context_tokens

    @property
    def listed(self) -> tuple[str, ...]:
        """The models that the remote has, as far as it was asked for them; nobody is asked."""
        return self.shared.listed

    def look(self) -> None:
        """Ask the remote for its models: which they are, and the context size of this one, is remembered.

        Raises:
            EndpointError: it cannot be reached, refuses, or sends no list.
        """
        listed = self.client.listed(silence_s=min(_LIST_S, self.silence_s))
        if self.kind.lists_models:
            self.shared.listed = tuple(entry["id"] for entry in listed)
            self.shared.context_tokens = context_of(listed, self.named.model)
            self.shared.was_listed = True

    def choosing(self, choice: str, *, by_name: bool = False, several: bool = True) -> RemoteModel:
        """The same model that calls tools as ``choice`` says; see :class:`RemoteModel`."""
        return replace(self, choice=choice, by_name=by_name, several=several)

    def answer(
        self,
        messages: Sequence[Message],
        *,
        tools: str | None = None,
        sampling: Sampling,
        ending: Ending = NO_ENDING,
    ) -> RemoteAnswering:
        """Answer the last of ``messages``; see :class:`~phicli.answering.types.Model`.

        The events raise :class:`~phicli.engine.endpoint.failures.EndpointError` too, and
        :class:`~phicli.errors.NotFoundError` where the remote does not have the model. ``tools`` is a JSON array of
        objects with name, description and parameters.
        """
        return RemoteAnswering(self, self._request(messages, tools, sampling, ending))

    def body(
        self, messages: Sequence[Message], *, tools: str | None = None, sampling: Sampling, ending: Ending = NO_ENDING
    ) -> Body:
        """The request that would be sent for an answer, and what the remote would ignore of it; nothing is sent.

        Raises:
            UsageError: the remote cannot do what is asked.
        """
        body = self.body_for(self._request(messages, tools, sampling, ending))
        return replace(body, fields={**body.fields, "stream": True})

    def body_for(self, request: RemoteRequest) -> Body:
        """The body of ``request`` as the remote takes it, as far as that is known by now."""
        made = body_of(self.kind, self.named.model, request, self.usual)
        return self.shared.manner.applied(made)

    def count(self, messages: Sequence[Message], *, tools: str | None = None, closing: Closing | None = None) -> int:
        """An estimate of the tokens of a prompt; nothing is asked."""
        del closing
        return estimated_tokens(messages, tools)

    def stop_retrying(self) -> None:
        """Send no request again from now on: waits end at once. Safe to call twice, and from any thread."""
        self.shared.waits.end()

    def close(self) -> None:
        """Let go of everything; answers that still come fail. Safe to call twice, and from any thread."""
        self.client.close()

    def _request(
        self, messages: Sequence[Message], tools: str | None, sampling: Sampling, ending: Ending
    ) -> RemoteRequest:
        return RemoteRequest(
            tuple(messages), tools, sampling, ending, choice=self.choice, by_name=self.by_name, several=self.several
        )


class RemoteAnswering(Closable[Event]):
    """The events of one answer (:class:`~phicli.answering.types.Answering`)."""

    def __init__(self, model: RemoteModel, request: RemoteRequest) -> None:
        super().__init__(self._events)
        self._model, self._request = model, request
        self._draft = self._new_draft()

    def close(self) -> None:
        """Cancel the answer, from any thread."""
        self._draft.stop_clock()
        super().close()

    def so_far(self) -> Answer:
        """The answer up to now, from any thread: ``interrupted`` unless it is complete."""
        return self._draft.so_far()

    def _new_draft(self) -> RemoteDraft:
        estimate = estimated_tokens(self._request.messages, self._request.tools)
        return RemoteDraft(self._request, estimate, self._model.shared.context_tokens)

    def _events(self, closing: Closing) -> Generator[Event, None, None]:
        self._draft = self._new_draft()  # the clock starts when the first event is asked for
        name, manner, attempt = self._model.named.remote.name, self._model.shared.manner, 0
        while True:
            body = self._model.body_for(self._request)
            for thing in body.ignored:
                if manner.first_time(thing):
                    effect = "is only checked" if thing == FORM else "has no effect"
                    yield Notice(f"{thing} {effect}: {name} ({self._model.kind.title}) does not take it")
            try:
                yield from self._streamed(body, closing)
                return
            except EndpointError as error:
                if self._draft.began:
                    error.answer_began = True
                    raise
                left_out = manner.learn(error, body.fields)
                if left_out is None:
                    attempt += 1
                    yield from self._waited(error, attempt, closing)
                elif left_out:
                    yield Notice(_without(left_out, name, error))

    def _streamed(self, body: Body, closing: Closing) -> Generator[Event, None, None]:
        """One attempt."""
        model, draft = self._model, self._draft
        end: End | None = None
        textless_s = _SIGNS_OF_LIFE * model.silence_s
        stream = model.client.chat(body.fields, silence_s=model.silence_s, textless_s=textless_s, closing=closing)
        with contextlib.closing(stream):
            for event in stream:
                if isinstance(event, End):
                    end = event
                    continue
                yield from draft.take(event)
                if draft.over:
                    break
        closing.check()
        yield from self._remarks(end)
        yield from draft.finish(end)

    def _remarks(self, end: End | None) -> Generator[Notice, None, None]:
        """What a person should know of the remote, once."""
        named, manner = self._model.named, self._model.shared.manner
        if end is None:
            return
        if is_other_model(self._model.kind, named.model, end.model) and manner.first_time(f"model {end.model}"):
            yield Notice(f"{named.remote.name} answers with another model: {end.model} in place of {named.model}")
        if end.completion_tokens is None and manner.first_time("usage"):
            yield Notice(
                f"{named.remote.name} does not report token counts, so the counts of its answers are estimates"
            )

    def _waited(self, error: EndpointError, attempt: int, closing: Closing) -> Generator[Notice, None, None]:
        """Wait for another attempt.

        Raises:
            CheckFailedError: the remote has checked its answers itself, and found none that is right.
            ContextExceededError: the conversation is too long.
            NotFoundError: the remote does not have the model.
            EndpointError: there is no other attempt.
        """
        if error.their_code == _NO_MATCH:
            raise CheckFailedError(error.message, "say in the prompt what you need, or use a simpler schema") from error
        if error.their_code == _TOO_LONG_CODE or (error.kind == "rejected" and _TOO_LONG.search(error.message)):
            hint = "shorten the conversation, or use a model with a larger context"
            raise ContextExceededError(error.message, hint) from error
        named = self._model.named
        if (missing := missing_model(error, named, last_listed.models_of(named.remote))) is not None:
            raise missing from error
        seconds = self._model.retrying.wait_s(error, attempt)
        if seconds is None:
            raise error
        yield Notice(f"{error.message}; trying again in {seconds:.0f} s")
        if not self._model.shared.waits.wait(seconds, closing):
            raise error


def _without(left_out: str, name: str, error: EndpointError) -> str:
    if left_out == FORMAT:
        return f"{name} does not take this form, so answers are only checked: {error.message}"
    return f"{name} does not take {left_out}, so it is left out: {error.message}"

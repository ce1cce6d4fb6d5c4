"""Tests a remote: whether it can be reached, which models it has, and whether it answers."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any, Final

from phicli.engine.endpoint.client import EndpointClient
from phicli.engine.endpoint.deltas import Delta, End
from phicli.engine.endpoint.failures import EndpointError
from phicli.engine.endpoint.patience import silence_s
from phicli.remotes import last_listed
from phicli.remotes.keys import address_of
from phicli.remotes.kinds import kind_of
from phicli.remotes.listing import missing_model, no_such_model
from phicli.remotes.opening import client_at
from phicli.remotes.types import Remote, RemoteModelName

QUESTION: Final = "What is the capital of France?"
_MOST_TOKENS: Final = 64
_LONGEST_ANSWER_S: Final = 600.0
_NO_LIST: Final = ("not_found", "garbage", "rejected")


@dataclass(frozen=True, slots=True)
class ShortAnswer:
    """What a model answered to :data:`QUESTION`, on one line; token counts are None where the remote reports none."""

    model: str
    text: str
    reasoning: str
    first_ms: float
    total_ms: float
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a test found.

    Attributes:
        remote: that was tested.
        url: its address, as it may be shown.
        server: what it calls itself; empty where it does not say.
        models: that it lists; empty where it lists none, or others than those that can be asked.
        listed_ms: how long the list took; None where it gave none.
        answer: None where no model was asked.
        notes: what else was found.
    """

    remote: Remote
    url: str
    server: str
    models: tuple[str, ...]
    listed_ms: float | None
    answer: ShortAnswer | None
    notes: tuple[str, ...]


def check(remote: Remote, model: str = "") -> Checked:
    """Test ``remote``: ask for its models, then ``model``, or its only one, a short question.

    Raises:
        EndpointError: it cannot be reached, or refuses.
        NotFoundError: it does not have the model; the hint has a close name.
        UsageError: its key is missing.
    """
    address = address_of(remote)
    patience = silence_s(os.environ)
    with client_at(address) as client:
        notes = [warning] if (warning := address.exposed_key) else []
        began = time.perf_counter()
        names, problem = _models(client, patience)
        listed_ms = None if problem else 1000 * (time.perf_counter() - began)
        if problem and not model:
            raise problem
        notes += [f"it lists no models: {problem.message}"] if problem else []
        models = names if kind_of(remote).lists_models else ()
        if listed_ms is not None:
            last_listed.remember(remote, models)
        asked = model or (models[0] if len(models) == 1 else "")
        answer = _answer(client, remote, asked, models, patience) if asked else None
        return Checked(remote, address.shown, client.server, models, listed_ms, answer, tuple(notes))


def _models(client: EndpointClient, patience: float) -> tuple[tuple[str, ...], EndpointError | None]:
    """The names, and why there are none where the remote is there and only has no list."""
    try:
        return client.models(silence_s=patience), None
    except EndpointError as error:
        if error.kind not in _NO_LIST:
            raise
        return (), error


def _answer(
    client: EndpointClient, remote: Remote, model: str, models: tuple[str, ...], patience: float
) -> ShortAnswer:
    began = time.perf_counter()
    text, reasoning, first_ms, end = "", "", 0.0, End(None, None, None)
    try:
        for event in client.chat(_request(remote, model), silence_s=patience, total_s=_LONGEST_ANSWER_S):
            if isinstance(event, Delta):
                first_ms = first_ms or 1000 * (event.at_s - began)
                text, reasoning = text + event.text, reasoning + event.reasoning
            elif isinstance(event, End):
                end = event
    except EndpointError as error:
        named = RemoteModelName(remote, model)
        is_unlisted = error.kind == "not_found" and bool(models) and model not in models  # so the address is right
        missing = no_such_model(error, named, models) if is_unlisted else missing_model(error, named, models)
        raise missing or error from None
    total_ms = 1000 * (time.perf_counter() - began)
    words, thoughts = (" ".join(one.split()) for one in (text, reasoning))
    return ShortAnswer(
        model, words, thoughts, first_ms, total_ms, end.finish_reason, end.prompt_tokens, end.completion_tokens
    )


def _request(remote: Remote, model: str) -> dict[str, Any]:
    kind = kind_of(remote)
    usage = {"stream_options": {"include_usage": True}} if kind.usage_option else {}
    messages = [{"role": "user", "content": QUESTION}]
    return {"model": model, "messages": messages, "temperature": 0, kind.limit_field: _MOST_TOKENS, **usage}

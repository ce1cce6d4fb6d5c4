"""Reads the body of a request for a completion: a text that is continued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from phicli.answering.asked import Asked
from phicli.server.errors import RequestError
from phicli.server.openai.chat_request import MOST_LIKELIEST, model_of, stream_of
from phicli.server.openai.completion_reply import CompletionReply
from phicli.server.openai.fields import Fields, request_fields, wrong
from phicli.server.openai.sampling import answers_of, sampling_of, stop_of

USUAL_TOKENS: Final = 16
"""Of a completion where no limit is given, as OpenAI has it."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What is asked, and how it is wanted; see :class:`~phicli.server.openai.chat_request.ChatRequest`."""

    asked: Asked
    stream: bool
    usage_chunk: bool

    def reply(self) -> CompletionReply:
        """What writes the reply."""
        return CompletionReply(self.asked.model, usage_chunk=self.usage_chunk)


def read_completion_request(body: Any) -> CompletionRequest:
    """The request in ``body``, which is JSON.

    Raises:
        RequestError: it is wrong; names the field.
    """
    fields = request_fields(body)
    answers = answers_of(fields)
    fields.refuse("echo", "suffix")
    if (best_of := fields.integer("best_of", 1, 20)) not in (None, 1, answers):
        raise RequestError(f"best_of is {best_of}, but all answers are given", "leave it out", param="best_of")
    likeliest = fields.integer("logprobs", 0, MOST_LIKELIEST)
    sampling = {"max_tokens": USUAL_TOKENS, **sampling_of(fields)}
    if likeliest is not None:
        sampling["likeliest"] = likeliest
    stream, usage_chunk = stream_of(fields)
    asked = Asked(
        model_of(fields), text=_prompt(fields), sampling=sampling, stop=stop_of(fields), answers=answers,
        streamed=stream,
    )  # fmt: skip
    return CompletionRequest(asked, stream, usage_chunk)


def _prompt(fields: Fields) -> str:
    """The text that is to be continued: a string, or a list with one."""
    value = fields.get("prompt")
    if isinstance(value, list) and any(isinstance(one, str) for one in value):
        if len(value) > 1:
            raise RequestError(
                f"prompt has {len(value)} texts, but one at a time is possible", "send a request for each",
                param="prompt",
            )  # fmt: skip
        value = value[0]
    if not isinstance(value, str):
        raise wrong("prompt", value, "a string, or a list with one string")
    if not value:
        raise RequestError("prompt is empty", "send a text that is to be continued", param="prompt")
    return value

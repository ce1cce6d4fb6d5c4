"""Reads the body of a request for a chat completion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phicli.answering.asked import Asked
from phicli.chat_format.continuation import begun_answer
from phicli.server.errors import RequestError
from phicli.server.openai.chat_reply import ChatReply
from phicli.server.openai.fields import Fields, request_fields
from phicli.server.openai.forms import form_of, looks_like_call
from phicli.server.openai.messages import messages_of
from phicli.server.openai.sampling import answers_of, sampling_of, stop_of, think_tokens_of
from phicli.server.openai.tools import tools_of

MOST_LIKELIEST = 20


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for a chat answer, and how its reply is sent.

    Attributes:
        asked: the request to the model.
        stream: the answer is wanted as a stream.
        usage_chunk: a stream ends with a chunk that has the usage.
    """

    asked: Asked
    stream: bool
    usage_chunk: bool

    def reply(self) -> ChatReply:
        """What writes the reply."""
        return ChatReply(self.asked.model, usage_chunk=self.usage_chunk)


def read_chat_request(body: Any) -> ChatRequest:
    """The request in ``body``, which is JSON; fields that ask for nothing of an answer are ignored.

    Raises:
        RequestError: it is wrong; names the field.
    """
    fields = request_fields(body)
    tools, form = tools_of(fields), form_of(fields)
    stream, usage_chunk = stream_of(fields)
    asked = Asked(
        model_of(fields),
        messages_of(fields),
        tools=tools.tools,
        tool_choice=tools.choice,
        callable_tools=tools.callable_tools,
        several_calls=tools.several_calls,
        form=form,
        sampling={**sampling_of(fields), **_likeliest(fields)},
        stop=stop_of(fields),
        think_tokens=think_tokens_of(fields),
        answers=answers_of(fields),
        streamed=stream,
    )
    _check(fields, asked)
    return ChatRequest(asked, stream, usage_chunk)


def model_of(fields: Fields) -> str:
    """The name of the model.

    Raises:
        RequestError: it is missing.
    """
    name = fields.text("model")
    if not name or not name.strip():
        raise RequestError("model is missing", "name a model; the models are those of /v1/models", param="model")
    return name


def stream_of(fields: Fields) -> tuple[bool, bool]:
    """Whether the reply is wanted as a stream, and whether that ends with a chunk that has the usage.

    Raises:
        RequestError: a field is wrong.
    """
    options = fields.object("stream_options")
    return fields.flag("stream"), options.flag("include_usage")


def _likeliest(fields: Fields) -> dict[str, int]:
    """How many likeliest tokens are reported beside each one; nothing where no probabilities are wanted."""
    wanted, many = fields.flag("logprobs"), fields.integer("top_logprobs", 0, MOST_LIKELIEST)
    if many and not wanted:
        raise RequestError("top_logprobs requires logprobs", "add logprobs: true", param="top_logprobs")
    return {"likeliest": many or 0} if wanted else {}


def _check(fields: Fields, asked: Asked) -> None:
    """Return if nothing that is asked for excludes something else.

    Raises:
        RequestError: something does.
    """
    modalities = fields.list("modalities")
    if any(one != "text" for one in modalities):
        raise RequestError("modalities asks for more than text", 'leave it out, or send ["text"]', param="modalities")
    if asked.form is None:
        return
    if asked.tools and asked.tool_choice == "auto" and looks_like_call(fields):
        raise RequestError(
            "the schema has the names of a tool call, so an answer could be taken for one",
            "rename name or arguments in the schema, or leave out tools",
            param="response_format",
        )
    if asked.stop:
        raise RequestError("response_format and stop cannot be used together", "leave out stop", param="stop")
    if begun_answer(asked.messages):
        raise RequestError(
            "response_format and an answer that is to be continued cannot be used together",
            "leave out the last message",
            param="messages",
        )

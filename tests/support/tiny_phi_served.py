"""tiny-phi as the server has it loaded, asked with the bodies that clients send, without HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from phicli.answering.model_file import model_file
from phicli.answering.pool import Pool, whole
from phicli.answering.types import Answer
from phicli.engine.closable import Closable
from phicli.engine.server_engine import LlamaServerEngine
from phicli.engine.types import NO_TOKENS, GenerationEvent, Sampling
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import locate
from phicli.server.loading import Loaded
from phicli.server.making import answering
from phicli.server.openai.chat_request import read_chat_request
from phicli.server.openai.completion_request import read_completion_request
from phicli.server.types import NamedAdapter


class RecordingEngine(LlamaServerEngine):
    """The real engine; it remembers the ids of its prompts."""

    prompts: list[tuple[int, ...]]

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Closable[GenerationEvent]:
        self.prompts.append(tuple(prompt))
        return super().generate(prompt, sampling, stop_ids=stop_ids, visible_tokens=visible_tokens, until=until)


@dataclass
class TinyPhi:
    """Has what :func:`phicli.server.making.answering` needs; ``prompts`` are those that the engine got, as ids."""

    slots: int = 2
    adapters: tuple[NamedAdapter, ...] = ()
    prompts: list[tuple[int, ...]] = field(default_factory=list)
    plan: LoadPlan = field(init=False)
    model: Pool = field(init=False)

    def __post_init__(self) -> None:
        located = locate("tiny-phi")
        header = read_header(located.path)
        self.plan = plan_load(
            located, header, ChatOptions(engine={"threads": 1}), Use.CONVERSATION, memory=None, cores=1
        )

        def start(context_tokens: int, slots: int) -> RecordingEngine:
            engine = RecordingEngine(replace(self.plan.settings_for(context_tokens), slots=slots))
            engine.prompts = self.prompts
            return engine

        self.model = Pool(model_file(self.plan, header), start, self.plan.context, slots=self.slots)

    def chat(self, **body: Any) -> dict[str, Any]:
        """The whole reply to a request for a chat completion, as JSON has it."""
        wanted = read_chat_request(_as_json({"model": "tiny-phi", "temperature": 0, **body}))
        made = [answering(cast(Loaded, self), wanted.asked, index) for index in range(wanted.asked.answers)]
        return cast(dict[str, Any], _as_json(wanted.reply().whole([whole(one) for one in made])))

    def chat_stream(self, **body: Any) -> Iterator[dict[str, Any]]:
        """The chunks of the first answer, and the usage where it is wanted."""
        wanted = read_chat_request(_as_json({"model": "tiny-phi", "temperature": 0, "stream": True, **body}))
        reply, answers = wanted.reply(), []
        for event in answering(cast(Loaded, self), wanted.asked):
            yield from reply.chunks(0, event)
            answers += [event] if isinstance(event, Answer) else []
        if wanted.usage_chunk:
            yield reply.usage_chunk(answers)

    def complete(self, **body: Any) -> dict[str, Any]:
        """The whole reply to a request for a completion."""
        wanted = read_completion_request(_as_json({"model": "tiny-phi", "temperature": 0, **body}))
        return wanted.reply().whole([whole(answering(cast(Loaded, self), wanted.asked))])


def put_together(chunks: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The message that a client makes of the chunks of a stream, with its ``finish_reason``."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message |= {"role": delta["role"]} if "role" in delta else {}
            for name in ("content", "reasoning_content"):
                message[name] += delta.get(name) or ""
            for call in delta.get("tool_calls", ()):
                if call["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append({"id": call["id"], "type": call["type"], "function": call["function"]})
                else:
                    message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"]["arguments"]
            message["finish_reason"] = choice["finish_reason"]
    return message


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))

"""A conversation with a model on scripted engines, which can be looked at."""

from __future__ import annotations

from collections.abc import Callable

from phicli.answering.engines import OneEngine
from phicli.answering.local_model import LocalModel
from phicli.answering.model_file import ModelFile
from phicli.answering.types import NO_ENDING, Answer, Ending
from phicli.chat.dialogue import Dialogue
from phicli.chat.session import ChatSession
from phicli.chat_format import format_by_name
from phicli.chat_format.types import PromptFormat
from phicli.engine.types import Engine, Sampling
from phicli.plan.context import ContextPlan
from tests.fakes.scripted_engine import Script, ScriptedEngine, special_tokens


class Lab:
    """A session whose engines can be looked at."""

    def __init__(
        self,
        script: Script,
        *,
        first: int = 4096,
        limit: int = 4096,
        usual: int | None = None,
        system: str | None = None,
        tools: str | None = None,
        reasoning: bool = False,
        max_tokens: int | None = None,
        ending: Ending = NO_ENDING,
        make: Callable[[int], ScriptedEngine] | None = None,
        format_for: Callable[[Engine], PromptFormat] | None = None,
    ) -> None:
        self.engines: list[ScriptedEngine] = []

        def open_engine(context_tokens: int) -> ScriptedEngine:
            engine = make(context_tokens) if make else ScriptedEngine(script, context_tokens=context_tokens)
            self.engines.append(engine)
            return engine

        chosen = format_by_name("phi-4-mini", reasoning=reasoning)
        file = ModelFile("fake", None, special_tokens(), None, format_for or (lambda _: chosen))
        engine = OneEngine(open_engine, first)
        engine.load()
        self.model = LocalModel(file, engine, ContextPlan(first, limit, usual_tokens=usual))
        sampling = Sampling(max_tokens=max_tokens)
        self.session = ChatSession(self.model, sampling=sampling, dialogue=Dialogue(system), tools=tools, ending=ending)

    def ask(self, text: str) -> tuple[Answer, list[object]]:
        events = list(self.session.ask(text))
        assert isinstance(events[-1], Answer)
        return events[-1], events


def echo(prompt: str) -> str:
    return prompt.rsplit("<|user|>", 1)[1].removesuffix("<|end|><|assistant|>").upper() + "<|end|>"

"""A model as the server has it loaded, on scripted engines that can be looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from phicli.answering.model_file import ModelFile
from phicli.answering.pool import Pool
from phicli.chat_format import format_by_name
from phicli.chat_format.types import PromptFormat
from phicli.engine.types import Sampling
from phicli.gguf_file.header import read_header
from phicli.plan.chat_options import ChatOptions
from phicli.plan.context import ContextPlan
from phicli.plan.load import Use, plan_load
from phicli.plan.locate import locate
from phicli.server.types import NamedAdapter
from tests.fakes.scripted_engine import Script, ScriptedEngine, special_tokens


class ScriptedLoaded:
    """Has what :func:`phicli.server.making.answering` needs of a loaded model: its plan is that of tiny-phi."""

    def __init__(
        self, script: Script, *, slots: int = 2, prompt_format: PromptFormat | None = None, tokens: int = 4096,
        template: bool = False, **plan: Any,
    ) -> None:  # fmt: skip
        chosen = prompt_format or format_by_name("phi-4-mini")
        self.engines: list[ScriptedEngine] = []
        self.adapters: tuple[NamedAdapter, ...] = ()

        def start(context_tokens: int, _: int) -> ScriptedEngine:
            self.engines.append(ScriptedEngine(script, context_tokens=context_tokens, template=template))
            return self.engines[-1]

        located = locate("tiny-phi")
        header = read_header(located.path)
        usual = plan_load(located, header, ChatOptions(), Use.CONVERSATION, memory=None, cores=1)
        self.plan = replace(usual, sampling=Sampling(seed=5), **plan)
        self.slots = slots
        self.adapters = ()
        file = ModelFile("scripted", None, special_tokens(), None, lambda _: chosen)
        self.model = Pool(file, start, ContextPlan(tokens, tokens), slots=slots)

    @property
    def prompts(self) -> list[str]:
        return [prompt for engine in self.engines for prompt in engine.prompts]

    @property
    def samplings(self) -> list[Sampling]:
        return [sampling for engine in self.engines for sampling in engine.samplings]

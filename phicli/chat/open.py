"""Opens a conversation: reads the header of the model, plans its load, and starts the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from phicli.answering.encode import SpecialTokens
from phicli.answering.types import ChatModel
from phicli.chat.session import ChatSession
from phicli.chat_format import format_by_name
from phicli.chat_format.template import FileTemplate
from phicli.chat_format.types import PromptFormat
from phicli.engine.process import EngineProcess
from phicli.engine.starting import DEFAULT_ENGINE, start_engine
from phicli.engine.types import Engine
from phicli.gguf_file.header import read_header
from phicli.gguf_file.types import GgufHeader
from phicli.hardware.cpu import physical_cores
from phicli.hardware.memory import available_memory
from phicli.plan.chat_options import ChatOptions
from phicli.plan.identify import TEMPLATE, FormatChoice
from phicli.plan.load import LoadPlan, Use, plan_load
from phicli.plan.locate import LocatedModel
from phicli.plan.tuned import Tuned


@dataclass(frozen=True, slots=True)
class OpenChat:
    """A conversation and the plan it was opened by."""

    session: ChatSession
    plan: LoadPlan


@contextlib.contextmanager
def open_chat(
    model: LocatedModel,
    options: ChatOptions,
    use: Use,
    *,
    early: EngineProcess | None = None,
    tuned: Tuned | None = None,
    on_tick: Callable[[float], None] | None = None,
) -> Iterator[OpenChat]:
    """A conversation with ``model``; leaving the context ends the engine.

    The model loads in the background: whatever goes wrong with that is raised by the first ``session.ask``.

    Args:
        model: the file.
        options: what was asked for on the command line.
        use: one answer, or a conversation.
        early: an engine process that was started before the rest of the program was loaded.
        tuned: what tuning found for the file on this machine.
        on_tick: called about ten times a second while something waits for the model, with the seconds waited.

    Raises:
        PhiError: the model cannot be read, run, or fitted into memory.
    """
    session: ChatSession | None = None

    def open_engine(context_tokens: int) -> Engine:
        nonlocal early
        process, early = early, None
        return start_engine(DEFAULT_ENGINE, plan.settings_for(context_tokens), early=process, on_tick=on_tick)

    try:
        header = read_header(model.path)
        memory, cores = available_memory(), physical_cores()
        plan = plan_load(model, header, options, use, memory=memory, cores=cores, tuned=tuned)
        session = ChatSession(
            model=_chat_model(plan, header),
            open_engine=open_engine,
            context=plan.context,
            sampling=plan.sampling,
            system=plan.system,
        )
        yield OpenChat(session, plan)
    finally:
        if session is not None:
            session.close()
        if early is not None:
            early.close()


def _chat_model(plan: LoadPlan, header: GgufHeader) -> ChatModel:
    return ChatModel(
        name=plan.model.name,
        quant=plan.model.quant or header.quant,
        special_tokens=special_tokens_of(header),
        bos_id=bos_id_of(header),
        format_for=lambda engine: format_of(plan.format, engine),
    )


def format_of(choice: FormatChoice, engine: Engine) -> PromptFormat:
    """The prompt format that was chosen for a file; ``engine`` renders the file's own template, where that is it."""
    if choice.name == TEMPLATE:
        return FileTemplate(engine.render_template, reasoning=choice.reasoning)
    return format_by_name(choice.name, reasoning=choice.reasoning)


def special_tokens_of(header: GgufHeader) -> SpecialTokens:
    """The special tokens of a file's vocabulary, with what the engine does around them."""
    vocabulary = header.vocabulary
    if vocabulary is None:
        return SpecialTokens({})
    metadata = header.metadata
    prefix, unknown = metadata.get("tokenizer.ggml.add_space_prefix"), metadata.get("tokenizer.ggml.unknown_token_id")
    return SpecialTokens.from_metadata(
        {token_id: token.literal for token_id, token in vocabulary.special_tokens.items()},
        tokenizer_model=vocabulary.model or "",
        add_space_prefix=prefix if isinstance(prefix, bool) else None,
        unknown_id=unknown if isinstance(unknown, int) else None,
        model_name=header.name or "",
    )


def bos_id_of(header: GgufHeader) -> int | None:
    """The token a prompt begins with: where the file asks for one, or is of a kind that always has one."""
    vocabulary = header.vocabulary
    if vocabulary is None:
        return None
    wanted = vocabulary.add_bos if vocabulary.add_bos is not None else vocabulary.model == "llama"
    return vocabulary.bos_id if wanted else None

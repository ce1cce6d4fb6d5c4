"""A conversation for another model: what is said before it goes on, and what does not carry over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from phicli.catalog.types import Variant
from phicli.chat.dialogue import Dialogue, Turn
from phicli.chat_format import format_by_name
from phicli.chat_format.types import Message
from phicli.errors import UsageError
from phicli.plan.prompt_size import estimate_prompt
from phicli.plan.system_message import system_message, words_of_person

if TYPE_CHECKING:
    from phicli.chat.remote import NamedRemote
    from phicli.gguf_file.types import GgufHeader
    from phicli.plan.locate import LocatedModel

_WITHOUT_SYSTEM: Final = "does not support system messages, so the system message is left out"


def carried_over(
    dialogue: Dialogue, model: LocatedModel, header: GgufHeader, *, before: Variant | None = None
) -> tuple[Dialogue, tuple[str, ...]]:
    """The conversation as ``model`` can continue it, and sentences about what does not carry over.

    The answers lose their token ids, because the other model may have another vocabulary. The system message of the
    model before is replaced by the other model's own; what a person asked for stays.

    Args:
        dialogue: what was said.
        model: the model that is to continue.
        header: of its file.
        before: the model that answered so far; None where the catalog does not know it.
    """
    system = system_message(words_of_person(dialogue.system), model.variant)
    anew, notes = replace(dialogue.without_ids(), system=system), list[str]()
    if not _renders(anew.messages(), header, model.variant):
        plain = replace(anew, turns=tuple(map(_without_tools, anew.turns)))
        if plain != anew:
            notes.append(f"{model.name} does not support tools, so the tool calls and their results are left out")
        anew = plain
    if anew.system is not None and not _renders((Message("system", anew.system),), header, model.variant):
        anew = replace(anew, system=None)
        notes.append(f"{model.name} {_WITHOUT_SYSTEM}")
    if before is not None and before.reasoning and model.variant is not None and not model.variant.reasoning:
        notes.append(f"{model.name} does not reason before it answers")
    return anew, (*notes, *_too_long(anew, model, header))


def carried_to_remote(
    dialogue: Dialogue, model: NamedRemote, *, before: Variant | None = None
) -> tuple[Dialogue, tuple[str, ...]]:
    """The conversation as ``model`` of a remote can continue it, and sentences about what does not carry over.

    The system message that the model before prescribes is left out, because the remote adds that of its own model.
    Whether the model supports tools and how long its context is are known only there.
    """
    anew = replace(dialogue.without_ids(), system=words_of_person(dialogue.system))
    reasons = before is not None and before.reasoning
    if reasons and (variant := model.variant) is not None and not variant.reasoning:
        return anew, (f"{model.name} does not reason before it answers",)
    return anew, ()


def _renders(messages: tuple[Message, ...], header: GgufHeader, variant: Variant | None) -> bool:
    """Whether the prompt format of a file has a place for all ``messages``."""
    from phicli.plan.identify import TEMPLATE, choose_format

    choice = choose_format(header, variant)
    name = "plain" if choice.name == TEMPLATE else choice.name  # neither supports tools; both take system messages
    try:
        format_by_name(name, reasoning=choice.reasoning).render((*messages, Message("user", "?")))
    except UsageError:
        return False
    return True


def _without_tools(turn: Turn) -> Turn:
    """``turn`` with the last text that the model answered, without tool calls and their results."""
    answers = [message for message in turn.replies if message.role == "assistant" and message.content]
    return replace(turn, replies=tuple(replace(message, tool_calls=()) for message in answers[-1:]))


def _too_long(dialogue: Dialogue, model: LocatedModel, header: GgufHeader) -> tuple[str, ...]:
    tokens = estimate_prompt(message.content for message in dialogue.messages())
    if header.context_length is None or tokens < header.context_length:
        return ()
    return (
        f"the conversation has about {tokens:,} tokens, but the context of {model.name} has only "
        f"{header.context_length:,}",
    )

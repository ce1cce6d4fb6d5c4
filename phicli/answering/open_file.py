"""A model file that answers conversations, and what its answers found out about it."""

from __future__ import annotations

from phicli.answering.engines import Engines
from phicli.answering.model_file import ModelFile, TemplateRenderer
from phicli.chat_format.generic_tools import GenericTools
from phicli.chat_format.plain import Plain
from phicli.chat_format.types import Message, PromptFormat
from phicli.plan.context import ContextPlan


class OpenFile:
    """A file with the engines that run it, and what its answers found out about it.

    Args:
        file: the file's prompt format and special tokens.
        engines: where engines with the file come from.
        context: the first allocation and the limit of a conversation.
    """

    def __init__(self, file: ModelFile, engines: Engines, context: ContextPlan) -> None:
        self.file = file
        self.engines = engines
        self.context = context
        self._grown_for: tuple[Message, ...] = ()
        self._template_is_usable = True
        self.keeps_template = False
        """A conversation that the file's own template refuses is an error, not a reason to format prompts plainly."""
        self._tools_are_text = False

    def format_for(self, engine: TemplateRenderer) -> PromptFormat:
        """The file's prompt format, or the plain one after :meth:`use_plain_format`."""
        prompt_format = self.file.format_for(engine) if self._template_is_usable else Plain()
        return GenericTools(prompt_format) if self._tools_are_text else prompt_format

    def use_tools_as_text(self) -> None:
        """From now on tools are declared, called and answered in words: the model was not trained to call any."""
        self._tools_are_text = True

    def use_plain_format(self) -> None:
        """From now on format prompts plainly: the file's own template cannot be used."""
        self._template_is_usable = False

    def grows_for(self, messages: tuple[Message, ...]) -> None:
        """Remember that ``messages`` needed a larger context than the first one."""
        self._grown_for = messages

    def grew_for(self, messages: tuple[Message, ...], context_tokens: int) -> bool:
        """Whether the answer to ``messages`` needed a larger context, of ``context_tokens`` with the usual factors."""
        return messages == self._grown_for and not self.context.has_long_factors(context_tokens)

    def continues_grown(self, messages: tuple[Message, ...]) -> bool:
        """Whether ``messages`` continue the conversation that needed a larger context."""
        grown = self._grown_for
        return len(messages) > len(grown) > 0 and messages[: len(grown)] == grown

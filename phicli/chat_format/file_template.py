"""Files that are not Phi models: the chat template that the file carries, rendered without letting text into it.

A template renders to one string, and whatever a message contains would be parsed with it. So the template is rendered
with a random word in place of each content, and the result is split at those words: what stands between them is the
template's own text, whose special tokens are meant; the contents never pass through it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from phicli.chat_format.answer import AnswerReader
from phicli.chat_format.conversation import fold_system, refuse_tools
from phicli.chat_format.reasoning import without_reasoning
from phicli.chat_format.types import AnswerParser, Message, Segment, Template, Text
from phicli.errors import TemplateError

RenderTemplate = Callable[[list[dict[str, str]]], str]

_MARGIN = "\t \t"
"""White space around the random word: where it is gone, the template trims its contents."""


def _random_word() -> str:
    return f"w{secrets.token_hex(16)}w"


@dataclass(frozen=True, slots=True)
class FileTemplate:
    """The format of a file with its own template.

    Args:
        render_template: messages (``role``, ``content``) to the prompt: the engine's way to apply the template.
        reasoning: split ``<think>…</think>`` off the answers.
        random_word: makes a word that no template contains or changes.
    """

    render_template: RenderTemplate
    reasoning: bool = True
    random_word: Callable[[], str] = _random_word
    name: str = field(default="template", init=False)
    stop_tokens: tuple[str, ...] = field(default=(), init=False)
    stop_strings: tuple[str, ...] = field(default=(), init=False)
    before_answer: str = field(default="", init=False)
    visible_tokens: tuple[str, ...] = field(default=("<think>", "</think>"), init=False)

    def render(self, messages: Sequence[Message], *, tools: str | None = None) -> tuple[Segment, ...]:
        """Segments of the prompt: pieces of the template with the contents between them.

        A template that has no system role (it refuses it or leaves it out) gets the system text in front of the
        first user message.

        Raises:
            UsageError: tools were asked for.
            TemplateError: the template fails, or changes, repeats, reorders or drops a content.
        """
        refuse_tools("of this file's own template", messages, tools)
        messages = [message for message in messages if message.role != "system" or message.content]
        try:
            return tuple(self._split(messages))
        except TemplateError:
            if all(message.role != "system" for message in messages):
                raise
        return tuple(self._split(fold_system(messages)))

    def parser(self, *, tools: bool = False, inside_reasoning: bool = False) -> AnswerParser:
        """A parser that splits off reasoning; how such a model would call tools is not known."""
        del tools
        return AnswerReader(reasoning=self.reasoning, inside_reasoning=inside_reasoning)

    def _split(self, messages: Sequence[Message]) -> Iterator[Segment]:
        words = [self.random_word() for _ in messages]
        prompt = self._rendered(messages, words)
        if any(prompt.count(word) != 1 for word in words):
            raise TemplateError("the chat template of this file changes, repeats or drops messages")
        start = 0
        for message, word in zip(messages, words, strict=True):
            at = prompt.index(word)
            if at < start:
                raise TemplateError("the chat template of this file reorders the conversation")
            trims_left = not prompt.endswith(_MARGIN, start, at)
            trims_right = not prompt.startswith(_MARGIN, at + len(word))
            yield Template(prompt[start : at if trims_left else at - len(_MARGIN)])
            said = self._without_reasoning(message)
            yield _content(said, trims_left=trims_left, trims_right=trims_right)
            start = at + len(word) + (0 if trims_right else len(_MARGIN))
        yield Template(prompt[start:])

    def _without_reasoning(self, message: Message) -> Message:
        if message.role != "assistant" or not self.reasoning or message.token_ids is not None:
            return message
        return replace(message, content=without_reasoning(message.content))

    def _rendered(self, messages: Sequence[Message], words: Sequence[str]) -> str:
        stand_ins = [
            {"role": message.role, "content": f"{_MARGIN}{word}{_MARGIN}"}
            for message, word in zip(messages, words, strict=True)
        ]
        try:
            return self.render_template(stand_ins)
        except TemplateError as error:
            raise TemplateError(f"the chat template of this file fails: {error.message}", error.hint) from error


def _content(message: Message, *, trims_left: bool, trims_right: bool) -> Text:
    if message.token_ids is not None:
        return Text(message.content, message.token_ids)
    text = message.content.lstrip() if trims_left else message.content
    return Text(text.rstrip() if trims_right else text)

"""A conversation with one model: it remembers, streams, grows its context, and survives an interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from phicli.answering.draft import Draft
from phicli.answering.encode import encode
from phicli.answering.types import Answer, ChatModel, Event, Notice
from phicli.chat_format.plain import Plain
from phicli.chat_format.reasoning import opens_reasoning
from phicli.chat_format.types import AnswerParser, Message, Piece, PromptFormat
from phicli.engine.types import Chunk, Done, Engine, Prefill, Sampling
from phicli.errors import EngineError, TemplateError
from phicli.plan.context import ContextPlan

OpenEngine = Callable[[int], Engine]
"""Loads the model with a context of that many tokens; may return before it is ready."""


class ChatSession:
    """One conversation.

    Args:
        model: the model's format and special tokens.
        open_engine: loads the model; called again when the conversation outgrows its context.
        context: the first allocation and the limit.
        sampling: how tokens are chosen.
        system: the system message, None for none.
        tools: declarations of tools as a JSON array, None for none.
    """

    def __init__(
        self,
        *,
        model: ChatModel,
        open_engine: OpenEngine,
        context: ContextPlan,
        sampling: Sampling,
        system: str | None = None,
        tools: str | None = None,
    ) -> None:
        self.model = model
        self.system = system
        self.last: Answer | None = None
        self._tools = tools
        self._open_engine = open_engine
        self._plan = context
        self._sampling = sampling
        self._turns: list[Message] = []
        self._format: PromptFormat | None = None
        self._engine: Engine | None = open_engine(context.first_tokens)

    @property
    def turns(self) -> Sequence[Message]:
        """The messages so far, without the system message."""
        return tuple(self._turns)

    def clear(self) -> None:
        """Forget the messages; the system message stays, and the context is again what a short conversation gets."""
        self._turns.clear()
        if self._engine is not None and self._engine.context_tokens > self._plan.first_tokens:
            self.close()

    def close(self) -> None:
        """End the engine; the next ``ask`` starts a new one."""
        self._format = None  # it may have been made for this engine
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def ask(self, text: str) -> Iterator[Event]:
        """Send a user message and stream what comes back; the last event is the ``Answer``.

        Closing the iterator, or an interruption inside it, keeps what was generated as the assistant's message.

        Raises:
            ContextExceededError: the conversation does not fit; nothing is remembered of ``text``.
            EngineError: the engine failed; the next call starts a new one.
        """
        question = Message("user", text)
        draft = Draft(started=time.monotonic())
        try:
            yield from self._generate((*self._messages(), question), draft)
        except EngineError:
            self.close()
            raise
        except (KeyboardInterrupt, GeneratorExit):
            draft.finish_reason = "interrupted"
            self._remember(question, draft)
            raise
        self._remember(question, draft)
        assert self.last is not None  # noqa: S101 (just remembered)
        yield self.last

    def _messages(self) -> tuple[Message, ...]:
        system = (Message("system", self.system),) if self.system else ()
        return (*system, *self._turns)

    def _generate(self, messages: Sequence[Message], draft: Draft) -> Iterator[Event]:
        """Generate one answer into ``draft``, moving to a larger context where the conversation crosses its end."""
        engine = self._loaded()
        prompt_format = self._format_of(engine)
        try:
            segments = prompt_format.render(messages, tools=self._tools)
        except TemplateError as error:
            yield Notice(f"{error.message}; a plain prompt is used instead")
            self._format = prompt_format = Plain()
            segments = prompt_format.render(messages, tools=self._tools)
        parser = prompt_format.parser(tools=self._tools is not None, inside_reasoning=opens_reasoning(segments))
        prompt = encode(segments, engine, self.model.special_tokens, bos_id=self.model.bos_id)
        draft.prompt_tokens = len(prompt)
        while True:
            if len(prompt) >= engine.context_tokens:
                size = self._plan.grown(len(prompt) + 1)
                yield Notice(f"the conversation has outgrown {engine.context_tokens} tokens; going on with {size}")
                engine = self._grow(size)
            done = yield from self._stream(engine, prompt_format, prompt, parser, draft)
            if not self._cut_by_context(len(prompt), done, engine, draft):
                break
            longer = (*prompt, *self._generated_ids(done, engine, draft))
            if longer == tuple(prompt) or len(longer) + 1 >= self._plan.limit_tokens:  # nothing would be gained
                break
            prompt = longer
        for piece in parser.finish():
            yield draft.add(piece)
        draft.tool_calls = parser.tool_calls

    def _stream(
        self,
        engine: Engine,
        prompt_format: PromptFormat,
        prompt: Sequence[int],
        parser: AnswerParser,
        draft: Draft,
    ) -> Generator[Prefill | Piece, None, Done]:
        special = self.model.special_tokens
        draft.begin(engine)
        events = engine.generate(
            prompt,
            replace(self._sampling, max_tokens=self._remaining(draft)),
            stop_ids=frozenset(i for token in prompt_format.stop_tokens if (i := special.id_of(token)) is not None),
            stop_strings=prompt_format.stop_strings,
            visible_tokens=prompt_format.visible_tokens,
        )
        for event in events:
            if isinstance(event, Done):
                draft.end(event)
                return event
            if isinstance(event, Chunk):
                draft.generated(event)
                for piece in parser.feed(event.text):
                    yield draft.add(piece)
            else:
                draft.cached_tokens = event.cached if draft.cached_tokens is None else draft.cached_tokens
                yield event
        raise EngineError("the engine ended an answer without saying so", "run it again")

    def _remaining(self, draft: Draft) -> int | None:
        asked = self._sampling.max_tokens
        return None if asked is None else max(asked - draft.completion_tokens, 0)

    def _cut_by_context(self, prompt_tokens: int, done: Done, engine: Engine, draft: Draft) -> bool:
        """Whether the answer stopped only because the allocation ended, and a larger one is allowed."""
        if done.finish_reason != "length" or self._remaining(draft) == 0:
            return False
        at_the_end = prompt_tokens + done.usage.completion_tokens >= engine.context_tokens
        return at_the_end and engine.context_tokens < self._plan.limit_tokens

    def _generated_ids(self, done: Done, engine: Engine, draft: Draft) -> tuple[int, ...]:
        """The ids of the last generation, tokenised again from the text where they are not all known."""
        if done.token_ids is not None:
            return done.token_ids
        return engine.tokenize(draft.raw_part, parse_special=False)

    def _loaded(self) -> Engine:
        if self._engine is None:
            self._engine = self._open_engine(self._plan.first_tokens)
        return self._engine

    def _grow(self, size: int) -> Engine:
        self.close()
        self._engine = self._open_engine(size)
        return self._engine

    def _format_of(self, engine: Engine) -> PromptFormat:
        if self._format is None:
            self._format = self.model.format_for(engine)
        return self._format

    def _remember(self, question: Message, draft: Draft) -> None:
        """Keep the turn; an answer that was interrupted before its first word is as if never asked."""
        self.last = draft.answer()
        if draft.finish_reason == "interrupted" and not draft.text:
            return
        as_generated = draft.text == draft.raw and not draft.tool_calls and draft.finish_reason != "interrupted"
        ids = draft.token_ids if as_generated else None
        self._turns += [question, Message("assistant", draft.text, draft.tool_calls, ids)]

"""A model file on an engine of this machine: format, encode, generate, parse, and grow the context on the way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from phicli.answering.draft import Draft
from phicli.answering.encode import encode, text_ids
from phicli.answering.end_watch import EndWatch
from phicli.answering.engines import Engines, Grown
from phicli.answering.interruptible import Interruptible
from phicli.answering.model_file import ModelFile, TemplateRenderer
from phicli.answering.types import NO_ENDING, Answer, Ending, Event, Notice, Undecided
from phicli.chat_format.generic_tools import GenericTools
from phicli.chat_format.plain import Plain
from phicli.chat_format.reasoning import opens_reasoning
from phicli.chat_format.types import Message, Piece, PromptFormat, Segment
from phicli.engine.closable import Closable, Closing
from phicli.engine.types import Chunk, Done, Engine, Prefill, Sampling
from phicli.errors import EngineError, TemplateError
from phicli.plan.context import ContextPlan


class LocalModel:
    """A :class:`~phicli.answering.types.Model` of a file.

    A conversation that outgrows its context goes on in a larger one. The next conversation that fits into the first
    context is answered in the first context again, as if the larger one had never been.

    Args:
        file: the file's prompt format and special tokens.
        engines: where engines with the file come from; they decide how many answers can be made at a time.
        context: the first allocation and the limit of a conversation.
    """

    def __init__(self, file: ModelFile, engines: Engines, context: ContextPlan) -> None:
        self.file = file
        self.engines = engines
        self.context = context
        self._grown_for: tuple[Message, ...] = ()
        self._template_is_usable = True
        self._tools_are_text = False
        self._drafts: tuple[Draft, ...] = ()

    @property
    def name(self) -> str:
        """The model's name for people."""
        return self.file.name

    @property
    def quant(self) -> str | None:
        """The quantization of its weights; None where it is unknown."""
        return self.file.quant

    @property
    def context_tokens(self) -> int:
        """The most tokens that a conversation with its answers may have."""
        return self.context.limit_tokens

    @property
    def used_tokens(self) -> int:
        """The tokens of the conversation that the engine has evaluated last; 0 before the first answer."""
        return next((used for draft in reversed(self._drafts) if (used := draft.so_far().used_tokens)), 0)

    def answer(
        self,
        messages: Sequence[Message],
        *,
        tools: str | None = None,
        sampling: Sampling,
        ending: Ending = NO_ENDING,
    ) -> LocalAnswering:
        """Answer the last of ``messages``; see :class:`~phicli.answering.types.Model`."""
        draft = Draft(started=time.monotonic())
        self._drafts = (*(known for known in self._drafts if known.so_far().used_tokens), draft)[-2:]
        request = _Request(tuple(messages), tools, sampling, ending)
        return LocalAnswering(draft, lambda closing: _Work(self, request, draft, closing).events())

    def count(self, messages: Sequence[Message], *, tools: str | None = None, closing: Closing | None = None) -> int:
        """The tokens of a prompt; see :class:`~phicli.answering.types.Model`."""
        waiting = closing or Closing()
        work = _Work(self, _Request(tuple(messages), tools, Sampling(), NO_ENDING), Draft(time.monotonic()), waiting)
        return work.count()

    def close(self) -> None:
        """End the engines; answers that still come fail. Safe to call twice, and from any thread."""
        self.engines.close()

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

    def continues_grown(self, messages: tuple[Message, ...]) -> bool:
        """Whether ``messages`` continue the conversation that needed a larger context."""
        grown = self._grown_for
        return len(messages) > len(grown) > 0 and messages[: len(grown)] == grown


class LocalAnswering(Closable[Event]):
    """The events of one answer (:class:`~phicli.answering.types.Answering`)."""

    def __init__(self, draft: Draft, events: Callable[[Closing], Generator[Event, None, None]]) -> None:
        super().__init__(events)
        self._draft = draft

    def close(self) -> None:
        """Cancel the answer, from any thread."""
        self._draft.stop_clock()
        super().close()

    def so_far(self) -> Answer:
        """The answer up to now, from any thread: ``interrupted`` unless it is complete."""
        return self._draft.so_far()


@dataclass(frozen=True, slots=True)
class _Request:
    messages: tuple[Message, ...]
    tools: str | None
    sampling: Sampling
    ending: Ending


@dataclass(frozen=True, slots=True)
class _Work:
    """Makes one answer."""

    model: LocalModel
    request: _Request
    draft: Draft
    closing: Closing

    def events(self) -> Generator[Event, None, None]:
        engine = self.model.engines.running(self.closing)
        prompt_format, segments = yield from self._rendered(engine)
        parser = prompt_format.parser(tools=self.request.tools is not None, inside_reasoning=opens_reasoning(segments))
        tags = self.model.file.special_tokens.ids_of(prompt_format.visible_tokens)
        watch = EndWatch(parser, self.request.ending, prompt_format.stop_strings, tags)
        prompt = self._encoded(segments, engine)
        engine = yield from self._placed(engine, len(prompt))
        try:
            yield from self._generated(engine, prompt_format, prompt, watch)
        finally:  # an answer that is interrupted has what waited, too
            rest = [self.draft.add(piece) for piece in watch.finish()]
        yield from rest
        yield self.draft.complete(parser.tool_calls, over=watch.over, stopped_by=watch.stopped_by)

    def _generated(
        self, engine: Engine, prompt_format: PromptFormat, prompt: tuple[int, ...], watch: EndWatch
    ) -> Generator[Event, None, None]:
        """Generate to the end of the answer, in larger contexts where it needs them."""
        while True:
            done = yield from self._stream(engine, prompt_format, prompt, watch)
            if watch.over or not self._cut_by_context(len(prompt), done, engine):
                return
            if self.model.context.is_usual(engine.context_tokens) and watch.repeats():
                return
            needed = engine.context_tokens + 1
            if needed >= self.model.context.limit_tokens:  # nothing would be gained
                return
            grown = yield from self._grown(engine, needed, ids=done.token_ids is None)
            engine = grown.engine
            prompt = (*prompt, *self._generated_ids(done, prompt, grown))

    def count(self) -> int:
        """The tokens of the prompt."""
        engine = self.model.engines.running(self.closing)
        rendering = self._rendered(engine)
        while True:
            try:
                next(rendering)
            except StopIteration as end:
                return len(self._encoded(end.value[1], engine))

    def _rendered(self, engine: Engine) -> Generator[Notice, None, tuple[PromptFormat, tuple[Segment, ...]]]:
        """The prompt as segments, and the format that made it."""
        messages, tools = self.request.messages, self.request.tools
        prompt_format = self.model.format_for(self._on(engine))
        try:
            with self._watching(engine):
                return prompt_format, prompt_format.render(messages, tools=tools)
        except TemplateError as error:
            yield Notice(f"{error.message}; a plain prompt is used instead")
            self.model.use_plain_format()
            plain = self.model.format_for(self._on(engine))
            return plain, plain.render(messages, tools=tools)

    def _encoded(self, segments: Sequence[Segment], engine: Engine) -> tuple[int, ...]:
        file = self.model.file
        with self._watching(engine):
            prompt = encode(segments, self._on(engine), file.special_tokens, bos_id=file.bos_id)
        self.draft.prompt_tokens = len(prompt)
        return prompt

    def _placed(self, engine: Engine, prompt_tokens: int) -> Generator[Notice, None, Engine]:
        """The engine for a prompt: larger where it does not fit, the first one again for a new short conversation."""
        if prompt_tokens >= engine.context_tokens:
            return (yield from self._grown(engine, prompt_tokens + 1, ids=False)).engine
        first = self.model.context.first_tokens
        if prompt_tokens < first < engine.context_tokens and not self.model.continues_grown(self.request.messages):
            return self.model.engines.with_context(first, self.closing)
        return engine

    def _grown(self, engine: Engine, needed_tokens: int, *, ids: bool) -> Generator[Notice, None, Grown]:
        """An engine with a context for ``needed_tokens`` and a share more; silent where nothing is evaluated again."""
        size = self.model.context.grown(needed_tokens)
        self.model.grows_for(self.request.messages)
        grown = self.model.engines.grown(engine, size, self.closing, ids=ids)
        if not grown.carried:
            yield Notice(f"the conversation no longer fits into {engine.context_tokens} tokens; continuing with {size}")
        return grown

    def _stream(
        self, engine: Engine, prompt_format: PromptFormat, prompt: Sequence[int], watch: EndWatch
    ) -> Generator[Prefill | Piece | Undecided, None, Done]:
        draft, special = self.draft, self.model.file.special_tokens
        asked = {token_id: literal for literal, token_id in special.ids_of(self.request.ending.stop_texts).items()}
        draft.begin(engine, len(prompt))
        generation = engine.generate(
            prompt,
            replace(self.request.sampling, max_tokens=self._remaining()),
            stop_ids=frozenset({*asked, *special.ids_of(prompt_format.stop_tokens).values()}),
            visible_tokens=special.ids_of(prompt_format.visible_tokens),
            until=lambda: watch.over,
        )
        with self._watching(engine), self.closing.woken_by(generation.close), contextlib.closing(generation):
            for event in generation:
                if isinstance(event, Done):
                    draft.ended(event)
                    watch.stop(None if event.stop_id is None else asked.get(event.stop_id))
                    return event
                if isinstance(event, Chunk):
                    draft.generated(event)
                    for piece in watch.take(event):
                        yield draft.add(piece)
                    if watch.waiting:
                        yield Undecided(draft.generated_tokens)
                else:
                    draft.cached_tokens = event.cached if draft.cached_tokens is None else draft.cached_tokens
                    yield event
        self.closing.check()
        raise EngineError("the engine stopped before the answer was complete", "run the command again")

    def _on(self, engine: Engine) -> Interruptible:
        return Interruptible(engine, self.closing, self.model.file.byte_pairs)

    @contextlib.contextmanager
    def _watching(self, engine: Engine) -> Generator[None, None, None]:
        """Reports errors of ``engine`` to the pool that it came from."""
        try:
            yield
        except TemplateError:
            raise
        except EngineError as error:
            self.model.engines.failed(engine, error)
            raise

    def _remaining(self) -> int | None:
        asked = self.request.sampling.max_tokens
        return None if asked is None else max(asked - self.draft.completion_tokens, 0)

    def _cut_by_context(self, prompt_tokens: int, done: Done, engine: Engine) -> bool:
        """Whether the answer stopped only because the allocation ended, and a larger one is allowed."""
        if done.finish_reason != "length" or self._remaining() == 0:
            return False
        at_the_end = prompt_tokens + done.usage.completion_tokens >= engine.context_tokens
        return at_the_end and engine.context_tokens < self.model.context.limit_tokens

    def _generated_ids(self, done: Done, prompt: tuple[int, ...], grown: Grown) -> tuple[int, ...]:
        """The ids of the last generation; text whose ids are unknown is tokenized again.

        An answer that ended inside a character has more ids than its text then: the character is generated again.
        """
        whole, known = self.draft.whole_tokens, done.token_ids
        if known is None and grown.token_ids is not None and grown.token_ids[: len(prompt)] == prompt:
            last = () if done.last_id is None else (done.last_id,)  # generated, but not evaluated yet
            known = (*grown.token_ids, *last)[len(prompt) :]
        known = None if known is None or len(known) < whole else known[:whole]
        self.draft.goes_on(done, known)
        return self._tokenized_again(grown.engine) if known is None else known

    def _tokenized_again(self, engine: Engine) -> tuple[int, ...]:
        ids: list[int] = []
        tokenizer, special = self._on(engine), self.model.file.special_tokens
        with self._watching(engine):
            for part in self.draft.parts:
                ids += text_ids(part, tokenizer, special, inside=True) if isinstance(part, str) else part
        return tuple(ids)

"""Makes one answer: format, encode, generate, parse; end the reasoning and grow the context on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from phicli.answering.draft import Draft
from phicli.answering.encode import encode, least_tokens, text_ids
from phicli.answering.end_watch import EndWatch
from phicli.answering.engines import Grown
from phicli.answering.holding import LOOK_TOKENS, Hold, begins_reasoning
from phicli.answering.interruptible import Interruptible
from phicli.answering.open_file import OpenFile
from phicli.answering.request import Request, check_template
from phicli.answering.think_budget import MOST_ENDS, NO_REASONING, begun_by, behind_tag, end_of, none_for, spelled
from phicli.answering.types import Event, Notice, Reasoned, Undecided
from phicli.chat_format.continuation import begun_text
from phicli.chat_format.reasoning import opens_reasoning
from phicli.chat_format.types import AnswerParser, Piece, PromptFormat, Segment, Text
from phicli.engine.closable import Closing
from phicli.engine.types import Chunk, Done, Engine
from phicli.errors import EngineError, TemplateError
from phicli.units import counted


@dataclass(frozen=True, slots=True)
class _Parsing:
    """How an answer is parsed; ``begun`` is the reasoning that the prompt has opened itself."""

    format: PromptFormat
    watch: EndWatch
    begun: str
    hold: Hold


@dataclass(frozen=True, slots=True)
class Work:
    """Makes one answer."""

    model: OpenFile
    request: Request
    draft: Draft
    closing: Closing

    def events(self) -> Generator[Event, None, None]:
        """The events of the answer."""
        engine = self.model.engines.running(self.closing)
        parsing, parser, segments = yield from self._begun(engine)
        watch, hold = parsing.watch, parsing.hold
        self.model.context.require_least(least_tokens(segments, self.model.file.special_tokens))
        prompt = self._encoded(segments, engine)
        engine = yield from self._placed(engine, len(prompt))
        try:
            if not (hold.waits and (yield from self._reasons_first(engine, parsing, prompt))):
                yield from self._taken(hold.begin(prompt), watch)
            yield from self._generated(engine, parsing, prompt)
        finally:  # an answer that is interrupted has what waited, too
            rest = self._taken(watch.finish(), watch)
        yield from rest
        yield self.draft.complete(parser.tool_calls, over=watch.over, stopped_by=watch.stopped_by)

    def _begun(self, engine: Engine) -> Generator[Notice, None, tuple[_Parsing, AnswerParser, tuple[Segment, ...]]]:
        """How the answer is read, its parser, and the prompt as segments."""
        prompt_format, segments = yield from self._rendered(engine)
        parser = prompt_format.parser(tools=self.request.tools is not None, inside_reasoning=opens_reasoning(segments))
        tags = self.model.file.special_tokens.ids_of(prompt_format.visible_tokens)
        watch = EndWatch(parser, self.request.ending, prompt_format.stop_strings, tags)
        begun, hold = begun_by(segments), Hold(self.request.sampling, watch, self.draft)
        parsing = _Parsing(prompt_format, watch, begun, hold)
        return parsing, parser, (*segments, *self._at_once(parsing))

    def _at_once(self, parsing: _Parsing) -> tuple[Segment, ...]:
        """What follows the prompt: an answer that is begun, or what skips reasoning that is not wanted."""
        watch, begun = parsing.watch, parsing.begun
        if answer := self.request.begun:
            watch.go_on()
            return (*(end_of(begun) if begun else ()), begun_text(parsing.format, answer))
        if watch.answers_at_once or watch.thought_enough:
            list(watch.end_reasoning())
            return end_of(begun) if begun else NO_REASONING
        return ()

    def _reasons_first(
        self, engine: Engine, parsing: _Parsing, prompt: tuple[int, ...]
    ) -> Generator[Event, None, bool]:
        """Whether the model reasons before its answer; one that can do without is asked for its first tokens."""
        watch = parsing.watch
        if not watch.may_reason or watch.reasoning_over:
            return False
        if parsing.begun or watch.expects_reasoning:
            return True
        text = ""
        look = replace(parsing.hold.sampling(self._remaining()), max_tokens=LOOK_TOKENS)
        visible = self.model.file.special_tokens.ids_of(parsing.format.visible_tokens)
        generation = engine.generate(
            prompt, look, visible_tokens=visible, until=lambda: begins_reasoning(text) is not None
        )
        with self._watching(engine), self.closing.woken_by(generation.close), contextlib.closing(generation):
            for event in generation:
                if isinstance(event, Chunk):
                    text += event.text
                elif isinstance(event, Done):
                    self.draft.looked(event)
                else:
                    yield event
        self.closing.check()
        return bool(begins_reasoning(text))

    def _generated(self, engine: Engine, parsing: _Parsing, prompt: tuple[int, ...]) -> Generator[Event, None, None]:
        """Generate to the end of the answer: on after its reasoning was ended, and in larger contexts."""
        watch = parsing.watch
        while True:
            done = yield from self._stream(engine, parsing, prompt)
            if watch.over:
                return
            if watch.thought_enough or (parsing.hold.waits and (watch.reasoning_over or done.finish_reason == "stop")):
                if self._remaining() == 0 or watch.reasoning_ends == MOST_ENDS:
                    self.draft.finish_reason = "length"
                    return
                prompt = yield from self._without_more_reasoning(engine, parsing, prompt, done)
                yield from self._taken(parsing.hold.begin(prompt), watch)
                if len(prompt) >= engine.context_tokens:
                    if len(prompt) >= self.model.context.limit_tokens:
                        self.draft.finish_reason = "length"
                        return
                    engine = (yield from self._grown(engine, len(prompt) + 1, ids=False)).engine
                continue
            if not self._cut_by_context(len(prompt), done, engine):
                return
            if self.model.context.is_usual(engine.context_tokens) and watch.repeats():
                return
            needed = engine.context_tokens + 1
            if needed >= self.model.context.limit_tokens:  # nothing would be gained
                return
            grown = yield from self._grown(engine, needed, ids=done.token_ids is None)
            engine = grown.engine
            more = self._generated_ids(done, prompt, grown)
            prompt = parsing.hold.again() if parsing.hold.holds else (*prompt, *more)

    def _without_more_reasoning(
        self, engine: Engine, parsing: _Parsing, prompt: tuple[int, ...], done: Done
    ) -> Generator[Event, None, tuple[int, ...]]:
        """End the reasoning after what was generated by now; returns the prompt that the answer follows."""
        draft, watch, enough = self.draft, parsing.watch, parsing.watch.thought_enough
        said = (*prompt, *self._generated_ids(done, prompt, Grown(engine)))
        unwanted = self.request.ending.think_tokens == 0 and not watch.reasoning_ends and not parsing.begun
        if nothing := none_for(draft.raw) if unwanted else ():  # a token may have the tag and a word
            said = prompt
        end = nothing or (behind_tag if watch.reasoning_over else end_of)(parsing.begun + draft.raw)
        yield from self._taken(watch.end_reasoning(), watch)
        draft.raw += spelled(end)
        if enough and watch.reasoning_tokens and watch.reasoning_ends == 1:
            yield Notice(
                f"reasoning was ended after {counted(watch.reasoning_tokens, 'token')} (--think-budget)",
                ends_reasoning=True,
            )
        with self._watching(engine):
            return encode((Text("", said), *end), self._on(engine), self.model.file.special_tokens)

    def prompt(
        self, on_notice: Callable[[Notice], object] = lambda _: None
    ) -> tuple[tuple[Segment, ...], tuple[int, ...]]:
        """The prompt, as segments and as ids; nothing is evaluated."""
        engine = self.model.engines.running(self.closing)
        beginning = self._begun(engine)
        while True:
            try:
                on_notice(next(beginning))
            except StopIteration as end:
                segments = end.value[2]
                return segments, self._encoded(segments, engine)

    def _rendered(self, engine: Engine) -> Generator[Notice, None, tuple[PromptFormat, tuple[Segment, ...]]]:
        """The prompt as segments, and the format that made it."""
        prompt_format = self.model.format_for(self._on(engine))
        try:
            with self._watching(engine):
                return self.request.prompt(prompt_format)
        except TemplateError as error:
            if self.model.keeps_template:
                check_template(prompt_format, error)
            yield Notice(f"{error.message}; a plain prompt is used instead")
            self.model.use_plain_format()
            return self.request.prompt(self.model.format_for(self._on(engine)))

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
        first, messages = self.model.context.first_tokens, self.request.messages
        another_attempt = bool(self.request.sampling.constraint) and self.model.grew_for(
            messages, engine.context_tokens
        )
        stays = self.model.continues_grown(messages) or another_attempt
        if prompt_tokens < first < engine.context_tokens and not stays:
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

    def _stream(self, engine: Engine, parsing: _Parsing, prompt: Sequence[int]) -> Generator[Event, None, Done]:
        draft, special, watch = self.draft, self.model.file.special_tokens, parsing.watch
        asked = {token_id: literal for literal, token_id in special.ids_of(self.request.ending.stop_texts).items()}
        draft.begin(engine, len(prompt))
        generation = engine.generate(
            prompt,
            parsing.hold.sampling(self._remaining()),
            stop_ids=frozenset({*asked, *special.ids_of(parsing.format.stop_tokens).values()}),
            visible_tokens=special.ids_of(parsing.format.visible_tokens),
            until=lambda: watch.over or watch.thought_enough or (parsing.hold.waits and watch.reasoning_over),
        )
        with self._watching(engine), self.closing.woken_by(generation.close), contextlib.closing(generation):
            for event in generation:
                if isinstance(event, Done):
                    draft.ended(event)
                    watch.stop(None if event.stop_id is None else asked.get(event.stop_id))
                    return event
                if isinstance(event, Chunk):
                    draft.generated(event)
                    yield from self._taken(watch.take(event), watch)
                    if watch.waiting:
                        yield Undecided(draft.generated_tokens)
                else:
                    draft.cached_tokens = event.cached if draft.cached_tokens is None else draft.cached_tokens
                    if event.total > draft.looked_tokens:
                        yield event
        self.closing.check()
        raise EngineError("the engine stopped before the answer was complete", "run the command again")

    def _taken(self, pieces: Iterator[Piece], watch: EndWatch) -> list[Piece | Reasoned]:
        """Take pieces into the answer; returns what there is to show of them."""
        events: list[Piece | Reasoned] = [piece for piece in map(self.draft.add, pieces) if piece.text]
        if watch.reasoning_tokens > self.draft.reasoning_tokens:
            self.draft.reasoning_tokens = watch.reasoning_tokens
            events.insert(0, Reasoned(watch.reasoning_tokens))
        return events

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

"""The engine ctransformers: a model file of the architecture ``llama`` in a separate process.

The old llama.cpp inside knows neither Phi nor today's way to tokenize, so the file is one that
:mod:`phicli.gguf_file.llama_file` wrote, text becomes token ids here, and token ids become text here.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from phicli.engine.closable import Closable, Closing
from phicli.engine.ctransformers_process import CtransformersProcess, Message
from phicli.engine.process_engine import ProcessEngine
from phicli.engine.prompts import check_prompt
from phicli.engine.sentence_pieces import SentencePieces
from phicli.engine.types import (
    NO_TOKENS,
    Chunk,
    Done,
    GenerationEvent,
    LoadSettings,
    Prefill,
    Sampling,
    StopReason,
    Timings,
    Usage,
)
from phicli.errors import EngineError, TemplateError


class CtransformersEngine(ProcessEngine[CtransformersProcess]):
    """A token-level engine (:class:`~phicli.engine.types.Engine`) in a child process.

    The model loads in the background: the first call that needs it waits, and raises what went wrong. Requests of
    several threads are answered one after the other.

    Args:
        settings: the file and how to load it; of the engine's settings only threads and batch size have an effect.
        log_dir: where the log of the process goes.
        on_tick: called about ten times a second while a call waits for the model, with the seconds waited.
    """

    def __init__(
        self, settings: LoadSettings, *, log_dir: Path | None = None, on_tick: Callable[[float], None] | None = None
    ) -> None:
        process = CtransformersProcess(log_dir)
        process.load(settings)
        super().__init__(settings, process, on_tick)

    def tokenize(self, text: str, *, parse_special: bool, closing: Closing | None = None) -> tuple[int, ...]:
        """Token ids of ``text``, without a begin-of-text token; ``closing`` ends the wait for the model."""
        self.wait_ready(closing)
        return self._pieces.tokenize(text, parse_special=parse_special)

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        *,
        stop_ids: frozenset[int] = frozenset(),
        visible_tokens: Mapping[str, int] = NO_TOKENS,
        until: Callable[[], bool] | None = None,
    ) -> Closable[GenerationEvent]:
        """Generate after ``prompt``; the last event is ``Done``.

        Of ``sampling`` only what the library can do has an effect: see
        :func:`~phicli.engine.abilities.abilities_of_sampling`. The iteration raises:

        Raises:
            ContextExceededError: the prompt leaves no room for an answer.
            EngineError: the engine died.
        """

        def events(closing: Closing) -> Generator[GenerationEvent, None, None]:
            check_prompt(prompt, self.context_tokens)
            self.wait_ready(closing)
            if not all(0 <= token_id < self._pieces.size for token_id in prompt):
                raise EngineError("the prompt has tokens that the vocabulary does not have", "use another prompt")
            body = self._request(prompt, sampling, stop_ids)
            shown = {token_id: literal for literal, token_id in visible_tokens.items()}
            answer = _Answer(self._pieces, len(prompt), stop_ids, shown)
            with self._process.request(body, closing) as (following, stop):
                while not answer.ended:
                    yield from answer.events(following())
                    if not answer.stopped and until is not None and answer.has_new_text and until():
                        answer.stopped = True
                        stop()
                yield answer.done()

        return Closable(events)

    def render_template(
        self,
        messages: Sequence[dict[str, str]],  # noqa: ARG002 (the protocol's)
        *,
        closing: Closing | None = None,  # noqa: ARG002 (the protocol's)
    ) -> str:
        """Nothing: the engine does not know chat templates.

        Raises:
            TemplateError: always.
        """
        raise TemplateError("the engine has no chat templates", "use the default engine: --engine xllamacpp")

    @cached_property
    def _pieces(self) -> SentencePieces:
        return SentencePieces.of_file(self.settings.model_path)

    def _request(self, prompt: Sequence[int], sampling: Sampling, stop_ids: frozenset[int]) -> Message:
        room = self.context_tokens - len(prompt)
        ends = self._pieces.end_ids
        return {
            "prompt": list(prompt),
            "sampling": sampling.to_data(),
            "seed": sampling.seed,
            "most": room if sampling.max_tokens is None else min(sampling.max_tokens, room),
            "end_ids": sorted(stop_ids if sampling.ignore_eos else stop_ids | ends),
            "forbidden_ids": sorted(ends) if sampling.ignore_eos else [],
        }


class _Answer:
    """Turns the messages about one request into events: whole characters only.

    ``shown`` has the text of special tokens that are to be seen, by id.
    """

    def __init__(
        self, pieces: SentencePieces, prompt_tokens: int, stop_ids: frozenset[int], shown: Mapping[int, str]
    ) -> None:
        self.ended = False
        self.stopped = False
        """The caller has enough: what comes now is not a part of the answer."""
        self.has_new_text = False
        self._pieces, self._stop_ids, self._shown = pieces, stop_ids, shown
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._ids: list[int] = []
        self._held = 0
        self._prompt_tokens, self._cached = prompt_tokens, 0
        self._last: Message = {}
        self._stop_id: int | None = None

    def events(self, message: Message) -> Iterator[GenerationEvent]:
        """What there is to say after ``message``."""
        self.has_new_text = False
        if "processed" in message:
            self._cached = message["cached"]
            yield Prefill(processed=message["processed"], total=self._prompt_tokens, cached=self._cached)
        elif "end" in message:
            self._last, self.ended = message, True
            if message["end"] == "stop" and message["last"] in self._stop_ids and not self.stopped:
                self._stop_id = message["last"]
        elif not self.stopped:
            self._ids.append(message["token"])
            self._held += 1
            yield from self._text_of(message["token"])

    def done(self) -> Done:
        """The last event."""
        last = self._last
        reason: StopReason = "length" if last["end"] == "length" and not self.stopped else "stop"
        ended_by_token = last["end"] == "stop" and not self.stopped
        return Done(
            finish_reason=reason,
            usage=Usage(self._prompt_tokens, len(self._ids) + ended_by_token, self._cached),
            timings=Timings(
                prompt_ms=last["prompt_ms"],
                decode_ms=last["decode_ms"],
                prompt_tps=_rate(last["evaluated"], last["prompt_ms"]),
                decode_tps=_rate(last["made"], last["decode_ms"]),
            ),
            token_ids=tuple(self._ids),
            stop_id=self._stop_id,
        )

    def _text_of(self, token_id: int) -> Iterator[Chunk]:
        raw = self._shown[token_id].encode() if token_id in self._shown else self._pieces.bytes_of(token_id)
        text = self._decoder.decode(raw)
        inside_character = bool(self._decoder.getstate()[0])
        if text or not inside_character:
            self.has_new_text = True
            yield Chunk(text, tuple(self._ids[-self._held :]), self._held)
            self._held = 0


def _rate(tokens: int, elapsed_ms: float) -> float:
    return tokens * 1000 / elapsed_ms if elapsed_ms > 0 else 0.0

"""An answer on the terminal or in a pipe: text to standard output, everything else to standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from phicli.answering.types import REPETITION, Answer, Answering, Event, Notice, Reasoned, Undecided
from phicli.chat.screen import Thinking
from phicli.chat_format.types import Piece, ToolCall
from phicli.engine.logprobs import Likely
from phicli.engine.types import Prefill
from phicli.errors import OutputClosedError
from phicli.ui.envelope import json_line
from phicli.ui.prefill_line import PrefillLine
from phicli.ui.status import StatusLine
from phicli.ui.terminal import Terminal
from phicli.ui.thinking import ThinkingPrinter
from phicli.ui.wrapping import StreamWrap, width_of
from phicli.units import counted

if TYPE_CHECKING:
    from phicli.chat.open import OpenChat
    from phicli.ui.markdown.stream import MarkdownStream


class AnswerPrinter:
    """Prints the events of one answer.

    Args:
        terminal: where to.
        status: the line that shows waiting; cleared as soon as there is something to read.
        stream: print text as it comes; otherwise all at once at the end.
        quiet: no reasoning and no notices.
        plain: print the text as it is; otherwise a terminal with colors gets its Markdown rendered.
        wraps: break lines between words on a terminal; not for text that programs read.
        calls_only: the answer is nothing but tool calls: text is a part of one, which is not printed.
        names_calls: a note for each tool call; without it, :func:`print_calls` prints them.
        name: what the answer is called in notes.
        thinking: ``show`` leaves the reasoning on the terminal, ``hide`` folds it to one line there.
        waiting: what the status line says until the first event; empty for nothing.
        on_end: called with the answer when all of it is printed.
    """

    def __init__(
        self,
        terminal: Terminal,
        status: StatusLine,
        *,
        stream: bool = True,
        quiet: bool = False,
        plain: bool = False,
        wraps: bool = True,
        calls_only: bool = False,
        names_calls: bool = True,
        name: str = "the answer",
        thinking: Thinking = "show",
        waiting: str = "",
        on_end: Callable[[Answer], None] | None = None,
    ) -> None:
        self._terminal = terminal
        self._status = status
        self._stream = stream
        self._quiet = quiet
        self._calls_only, self._names_calls, self._name = calls_only, names_calls, name
        self._thoughts = ThinkingPrinter(terminal, thinking=thinking, quiet=quiet)
        self._text = ""
        self._text_wrap = StreamWrap(terminal.stdout if wraps else None)
        self._renders = not plain and terminal.colour and terminal.stdout.isatty()
        self._markdown = self._new_markdown()
        self._prefill_line = PrefillLine()
        self._printed = {"reasoning": 0, "text": 0}
        self._waiting, self._on_end = waiting, on_end

    def show(self, events: Iterator[Event]) -> None:
        """Print until the answer is complete; an interruption passes through with the line ended."""
        complete: Answer | None = None
        if self._waiting:
            self._status.update(self._waiting)
        try:
            for event in events:
                self._take(event)
                complete = event if isinstance(event, Answer) else None
        except OutputClosedError:
            raise
        except KeyboardInterrupt:
            self._print_rest(events)
            self._end()
            raise
        except BaseException:
            self._end()
            raise
        self._end()
        if complete is not None and self._on_end is not None:
            self._on_end(complete)

    def _take(self, event: Event) -> None:
        if isinstance(event, Prefill):
            self._status.update(self._prefill_line.text(event, self._status.columns))
        elif isinstance(event, Undecided):
            self._thoughts.begin()
            self._status.update(f"generating: {counted(event.tokens, 'token')}")
        elif isinstance(event, Reasoned):
            self._thoughts.count(event.tokens)
        elif isinstance(event, Piece):
            self._piece(event)
        elif isinstance(event, Notice):
            self._notice(event)
        else:
            self._finish(event)

    def _end(self) -> None:
        self._status.clear()
        self._end_line()

    def _print_rest(self, events: Iterator[Event]) -> None:
        """Print what was held back of an answer that is interrupted: it is a part of the conversation."""
        if not isinstance(events, Answering):
            return
        events.close()
        answer = events.so_far()
        for piece in (
            Piece("reasoning", answer.reasoning[self._printed["reasoning"] :]),
            Piece("text", answer.text[self._printed["text"] :]),
        ):
            if piece.text:
                self._piece(piece)

    def _piece(self, piece: Piece) -> None:
        self._printed[piece.kind] += len(piece.text)
        if piece.kind == "reasoning":
            self._status.clear(away=True)
            self._thoughts.feed(piece.text, alone=not self._text)
            return
        if self._calls_only:
            return
        if not self._text:
            self._status.clear()
            self._thoughts.end()
        self._text += piece.text
        if self._stream:
            self._write(piece.text)

    def _notice(self, notice: Notice) -> None:
        """Print a notice while the answer comes: only on a terminal does it begin a line inside the answer."""
        self._status.clear()
        if not self._quiet:
            if notice.ends_reasoning:
                self._thoughts.end()
            self._thoughts.pause()
            if self._terminal.stdout.isatty():
                self._end_text()
            self._terminal.say(f"note: {notice.text}")

    def _finish(self, answer: Answer) -> None:
        if not self._stream and not self._calls_only:
            self._write(answer.text)
            self._text = answer.text
        self._end_line()
        for call in answer.tool_calls if self._names_calls else ():
            self._notice(Notice(f"the model calls {_shown(call)}"))
        if answer.only_reasoning:
            self._end_line()
            self._terminal.say(f"note: {_no_answer(answer)}")
        elif answer.stopped_by == REPETITION:
            tokens = counted(answer.usage.completion_tokens, "token")
            self._notice(Notice(f"{self._name} was ended after {tokens}, because it repeated itself"))
        elif answer.finish_reason == "length" and not self._calls_only:
            tokens = counted(answer.usage.completion_tokens, "token")
            self._notice(Notice(f"{self._name} was cut off after {tokens}{full_context(answer)}"))

    def _write(self, text: str) -> None:
        if self._markdown is None:
            self._status.clear(away=True)
            if ready := self._text_wrap.feed(text):
                self._terminal.write(ready)
            return
        ready = self._markdown.feed(text)
        rows = self._markdown.table_rows
        if ready or not rows:
            self._status.clear(away=not rows)
            self._terminal.paint(ready)
        if rows:  # the cursor is at the beginning of a line
            self._status.update(f"generating a table: {counted(rows, 'line')}")

    def _new_markdown(self) -> MarkdownStream | None:
        if not self._renders:
            return None
        from phicli.ui.markdown.stream import MarkdownStream

        return MarkdownStream(lambda: width_of(self._terminal.stdout), colour=True)

    def _end_line(self) -> None:
        if not self._text:
            self._thoughts.end()
        self._end_text()
        self._thoughts.end()

    def _end_text(self) -> None:
        if self._text and self._markdown is not None:
            self._terminal.paint(self._markdown.finish())
            self._markdown = self._new_markdown()
        elif self._text:
            if rest := self._text_wrap.finish():
                self._terminal.write(rest)
            if not self._text.endswith("\n"):
                self._terminal.write("\n")
        self._text = ""


def print_calls(terminal: Terminal, calls: Iterable[ToolCall]) -> None:
    """Print a line of JSON on standard output for each call."""
    for call in calls:
        terminal.write(json_line(terminal, call_data(call)))


def call_data(call: ToolCall) -> dict[str, Any]:
    """A tool call as JSON has it."""
    return {"name": call.name, "arguments": dict(call.arguments)}


def answer_data(answer: Answer) -> dict[str, Any]:
    """The fields of ``chat --json`` that come from the answer itself."""
    timings = answer.timings
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "tool_calls": [*map(call_data, answer.tool_calls)],
        "finish_reason": answer.finish_reason,
        "stopped_by": answer.stopped_by,
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "cached_tokens": answer.usage.cached_tokens,
            "reasoning_tokens": answer.reasoning_tokens,
        },
        "timings": {
            "load_ms": round(answer.load_ms, 1),
            "ttft_ms": None if answer.ttft_ms is None else round(answer.ttft_ms, 1),
            "prompt_tps": round(timings.prompt_tps, 2) if timings else None,
            "decode_tps": round(timings.decode_tps, 2) if timings else None,
            "total_ms": round(answer.total_ms, 1),
        },
        "context": {"size_tokens": answer.context_tokens, "used_tokens": answer.used_tokens},
        **(
            {}
            if answer.likely is None
            else {
                "logprobs": [{**_likely_data(one), "top": [*map(_likely_data, one.likeliest)]} for one in answer.likely]
            }
        ),
    }


def _likely_data(one: Likely) -> dict[str, Any]:
    logprob = one.log_probability
    return {"token": one.text, "id": one.token_id, "logprob": None if logprob is None else round(logprob, 5) + 0.0}


def chat_data(opened: OpenChat, session: str | None = None) -> dict[str, Any]:
    """The ``data`` of ``chat --json``: the last answer, what made it, with which settings, and where it is saved.

    ``session`` is the name of the saved session; None where nothing is saved.
    """
    answer, model = opened.session.last, opened.session.model
    data = {"model": model.name, "quant": model.quant, "engine": opened.opened.engine, "build": opened.opened.build}
    settings = {**opened.plan.settings_data(), "system": opened.session.dialogue.system}
    if answer is not None and answer.sampled is not None:
        settings |= {"seed": answer.sampled.seed, "temperature": answer.sampled.temperature}
    saved = {} if session is None else {"session": session}
    return {
        **data,
        **(answer_data(answer) if answer is not None else {}),
        "settings": settings,
        "attached": opened.opened.attached,
        **saved,
    }


def _no_answer(answer: Answer) -> str:
    """Why an answer has no text; a script must not take it for an empty answer, so it is said with --quiet, too."""
    tokens = counted(answer.usage.completion_tokens, "token")
    if answer.stopped_by == REPETITION:
        return f"the model gave no answer: its reasoning was ended after {tokens}, because it repeated itself"
    if answer.finish_reason == "length":
        return f"the model gave no answer: its reasoning was cut off after {tokens}{full_context(answer)}"
    return f"the model gave no answer: it stopped after {tokens} of reasoning"


def full_context(answer: Answer) -> str:
    """Why an answer was cut off, as the end of a sentence: the context is full; empty where it is not."""
    return f": the context of {answer.context_tokens} is full" if answer.context_full else ""


def _shown(call: ToolCall) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return f"{call.name}({arguments})"

"""Opens the models of a conversation, with everything that a person sees of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from phicli import __version__
from phicli.engine.read_ahead import ReadAhead
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, EngineChoice, build_of
from phicli.gguf_file.names import parts_of
from phicli.plan.load import Use
from phicli.plan.locate import LocatedModel
from phicli.records.tuned_folder import anything_tuned
from phicli.ui.status import StatusLine, loading_says
from phicli.ui.terminal import Terminal
from phicli.units import how_far

if TYPE_CHECKING:
    from phicli.answering.attaching import Attaching
    from phicli.answering.kept_states import GoingOn
    from phicli.answering.opening import OpenModel
    from phicli.commands.conversation_options import Conversation
    from phicli.engine.engine_process import StartedProcess
    from phicli.plan.chat_options import ChatOptions
    from phicli.plan.tuned_here import TunedHere


class Opening:
    """Opens a model as the options say (:data:`~phicli.chat.open.Opener`).

    Args:
        wanted: the options.
        terminal: where to notes go.
        status: the line that shows waiting.
        asked: everything that is sent with the only question; None for a conversation in a terminal.
        early: a process of the engine that was started before; the first model takes it.
        going_on: the saved conversation that is continued; the first model restores its KV state.

    ``reading`` is how far the last file was read ahead.
    """

    def __init__(
        self, wanted: Conversation, terminal: Terminal, status: StatusLine, asked: str | None,
        early: StartedProcess | None, going_on: GoingOn | None = None,
    ) -> None:  # fmt: skip
        self._wanted, self._terminal, self._status = wanted, terminal, status
        self._asked, self._early, self._going_on = asked, early, going_on
        self.reading = ReadAhead(())

    @contextlib.contextmanager
    def __call__(self, model: LocatedModel) -> Iterator[OpenModel]:
        """The model in a file; leaving the context ends its engine."""
        from phicli.answering.opening import open_model
        from phicli.fit.too_large import on_too_large

        wanted = self._wanted
        use = Use.CONVERSATION if self._asked is None else Use.ONE_ANSWER
        engine, tuned = self._chosen(model, use)
        going_on, self._going_on = self._going_on, None
        attaching = self._attaching(engine)
        with (
            open_model(
                model, self._options(model), use, engine=engine, early=self._early_for(engine),
                tuned=tuned.current if tuned else None, only_question=self._asked,
                on_tick=lambda waited_s: self._status.update(loading_says(model.name, waited_s, self.reading.so_far)),
                on_progress=lambda what, done, total: self._status.update(how_far(what, done, total)),
                on_too_large=on_too_large(self._note, check=wanted.memory_check), going_on=going_on,
                attaching=attaching,
            ) as loaded,
            self._read_ahead(engine, loaded),
        ):  # fmt: skip
            for notice in loaded.plan.notices:
                self._note(f"note: {notice}")
            if wanted.verbose:
                from phicli.ui.answer_stats import print_start

                build = loaded.build or build_of(engine.name)
                print_start(self._terminal, loaded.plan, build, lent=loaded.attached)
                self._terminal.say(f"server: {(said := self._about_server(attaching))}")
            yield loaded
            if wanted.verbose and (now := self._about_server(attaching)) != said:
                self._terminal.say(f"server: {now}")

    def _options(self, model: LocatedModel) -> ChatOptions:
        """The options for ``model``; one that a conversation changed to brings its adapters."""
        adapters = getattr(model, "adapters", self._wanted.options.adapters)
        return replace(self._wanted.options, adapters=adapters)

    def _chosen(self, model: LocatedModel, use: Use) -> tuple[EngineChoice, TunedHere | None]:
        """The engine and its tuned settings; no file is read if nothing was tuned."""
        if not anything_tuned():
            return self._wanted.engine or EngineChoice(), None
        from phicli.plan.tuned_here import tuned_for
        from phicli.ui.bench.tuned_settings import stale_says

        quiet = self._wanted.quiet
        tuned = tuned_for(model.path, use.tuned_as, engine=self._wanted.engine, tell=not quiet)
        if tuned.stale is not None:
            self._terminal.say(stale_says(tuned.stale, model.reference))
        return tuned.engine, tuned

    def _read_ahead(self, engine: EngineChoice, loaded: OpenModel) -> ReadAhead:
        """Reads the file while the engine loads it; what is lent needs that no more."""
        reads = not (loaded.attached or ENGINES[engine.name].reads_llama)
        self.reading = ReadAhead(parts_of(loaded.plan.model.path) if reads else ())
        return self.reading

    def _attaching(self, engine: EngineChoice) -> Attaching | None:
        """What asks the server for the engine; None where no server is asked."""
        path = self._wanted.lender.socket
        if path is None or engine.name != DEFAULT_ENGINE:
            return None
        from phicli.answering.attaching import Attaching

        return Attaching(path, __version__, tell=lambda text: self._note(f"note: {text}"))

    def _about_server(self, attaching: Attaching | None) -> str:
        """Whether the engine is lent, and why not, in words."""
        if attaching is not None:
            return attaching.note
        return f"not attached: {self._wanted.lender.why_not or 'another engine was found faster'}"

    def _early_for(self, engine: EngineChoice) -> StartedProcess | None:
        """The early process for the first model; it is ended where another engine was found faster."""
        early, self._early = self._early, None
        if early is not None and not ENGINES[engine.name].starts_early:
            early.close()
            return None
        return early

    def _note(self, text: str) -> None:
        if not self._wanted.quiet:
            self._terminal.say(text)

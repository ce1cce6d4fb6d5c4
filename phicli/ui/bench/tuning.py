"""``phi autotune``: before and after, and how it was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from phicli.bench.tuning.against import EngineDuel
from phicli.bench.tuning.autotune import Forgotten
from phicli.bench.tuning.space import LABELS
from phicli.bench.tuning.tune import Tuning
from phicli.bench.tuning.types import Compared, SearchOutcome, SearchStep, UseResult
from phicli.bench.tuning.verdict import NOTED, WON
from phicli.catalog.display_name import name_of
from phicli.engine.settings import value_text
from phicli.engine.starting import DEFAULT_ENGINE
from phicli.errors import PhiError
from phicli.records.tuned import CONVERSATION, ONE_ANSWER
from phicli.ui.bench.progress import MeasuringLine
from phicli.ui.bench.tuned_settings import USE_WORDS, faster_words, settings_words
from phicli.ui.envelope import print_result
from phicli.ui.sections import INDENT, Section, print_page
from phicli.ui.terminal import Terminal
from phicli.units import counted

_HEADS = ("for", "before", "after", "faster (95 % interval)")
_STEP_HEADS = ("tried", "against", "for", "times as fast", "rounds", "verdict", "faster")
_STEP_RIGHT = frozenset({"times as fast", "rounds", "faster"})
_STEP_LAYOUTS = (
    ("tried", "against", "for", "times as fast", "rounds", "verdict"),
    ("tried", "for", "times as fast", "verdict"),
    ("tried", "for", "faster", "verdict"),
)
"""What is shown of the steps: the first of these that fits."""

_DUEL_HEADS = ("for", "times as fast", "rounds", "verdict")
_OF_CHAT = (ONE_ANSWER, CONVERSATION)
_GAP = 2
_LEAST_FOR_INTERVAL = 3
"""With two rounds the interval is right and says nothing: t is 12.7."""

_VERDICTS = {"won": "used", "lost": "not used", "undecided": "undecided", "noted": "faster, not used"}
_COSTS = {
    "one_answer": "loading, a prompt of 64 tokens, and the answer",
    "conversation": "a turn with a prompt of 128 tokens and an answer of 200",
    "batch": "a prompt of 128 tokens and an answer of 64, with 4 concurrent requests",
}


def print_tuning(terminal: Terminal, tuning: Tuning) -> None:
    """Print the settings that were found to standard output, and where they are used to standard error.

    Raises:
        OutputClosedError: the reader has closed it.
    """
    subject, outcome = tuning.subject, tuning.outcome
    engine = subject.build or subject.engine  # the build is known when an engine has been ready
    title = f"{name_of(subject)} on this machine, with {engine}"
    against = _against_engine(tuning.duel) if tuning.duel else ()
    print_page(terminal, title, [*_sections(outcome, _width(terminal)), *against])
    chat = "phi chat" if subject.engine == DEFAULT_ENGINE else f"phi chat --engine {subject.engine}"
    if tuning.kept and outcome.changes:
        terminal.say(f"{chat} now uses these settings; to delete them: phi autotune --reset {subject.model}")
    elif tuning.kept:
        terminal.say(f"nothing was faster than the defaults, so {chat} still uses them")
    if tuning.kept and tuning.duel:
        terminal.say(_engine_says(tuning, tuning.duel))


def _against_engine(duel: EngineDuel) -> Iterator[Section]:
    """The comparison of the engine with the default engine."""
    rows = tuple(
        (USE_WORDS[one.use], _ratio(one), str(len(one.rounds)), _VERDICTS[one.verdict]) for one in duel.compared
    )
    points = ("each engine with its best settings, started again for every round",)
    yield Section(f"Against {duel.against}", table=(_DUEL_HEADS, *rows), right=(1, 2), points=points)


def _engine_says(tuning: Tuning, duel: EngineDuel) -> str:
    engine, faster = tuning.subject.engine, duel.faster
    if not any(use in faster for use in _OF_CHAT):
        return f"phi chat still uses {DEFAULT_ENGINE}, because {engine} was not faster"
    uses = " and ".join(USE_WORDS[use] for use in _OF_CHAT if use in faster)
    return f"phi chat now uses {engine} for this model ({uses}); to use {DEFAULT_ENGINE}: --engine {DEFAULT_ENGINE}"


def _width(terminal: Terminal) -> int | None:
    """Columns of standard output, None where it has no width."""
    if not terminal.stdout.isatty():
        return None
    from phicli.ui.canvas import Canvas

    return Canvas(terminal).width


def print_tunings(terminal: Terminal, line: MeasuringLine, tunings: Iterator[Tuning], *, as_json: bool) -> None:
    """Show each tuning as soon as it is done, or all of them in one object; a failure takes along what was done.

    Raises:
        PhiError: what ended the tunings early.
        OutputClosedError: the reader has closed it.
    """
    done: list[Tuning] = []
    try:
        for tuning in tunings:
            line.clear()
            done.append(tuning)
            for warning in tuning.warnings:
                terminal.alarm("warning:", warning)
            if not as_json:
                print_tuning(terminal, tuning)
    except PhiError as error:
        error.data = tunings_data(done) if done else error.data
        raise
    if as_json:
        print_result(terminal, "autotune", tunings_data(done))


def tunings_data(tunings: Sequence[Tuning]) -> dict[str, Any]:
    """The ``data`` of ``autotune --json``."""
    return {"hardware": dict(tunings[0].hardware), "tunings": [one.to_data() for one in tunings]}


def print_forgotten(terminal: Terminal, forgotten: Forgotten, *, as_json: bool) -> None:
    """What ``--reset`` forgot: of which models where they were named, else of how many files."""
    count = forgotten.files
    if as_json:
        print_result(terminal, "autotune", {"forgotten": list(forgotten.models), "files": count})
    elif not count:
        terminal.say("no tuned settings are saved")
    else:
        models = ", ".join(forgotten.models) or counted(count, "file")
        terminal.say(f"deleted the tuned settings of {models}; the defaults are used")


def _sections(outcome: SearchOutcome, width: int | None) -> Iterator[Section]:
    results = tuple(outcome.results.values())
    rows = tuple(_row(one) for one in results)
    points = [f"{USE_WORDS[one.use]}: {_COSTS[one.use]}" for one in results]
    yield Section("Before and after", table=(_HEADS, *rows), right=(1, 2), points=tuple(points))
    facts = tuple((USE_WORDS[one.use], settings_words(one.winner)) for one in results)
    yield Section("Settings" if outcome.complete else "Best settings at the time of the interruption", facts=facts)
    table, right = _table_of_steps(outcome, width)
    yield Section("Tried", table=table, right=right, points=tuple(_notes(outcome)))
    yield Section("Not tried", points=outcome.skipped)


def _table_of_steps(outcome: SearchOutcome, width: int | None) -> tuple[tuple[tuple[str, ...], ...], tuple[int, ...]]:
    """Each step for each use, in the columns for which ``width`` has room, and which of them have numbers."""
    rows = [_tried(step, one) for step in outcome.steps for one in step.compared]
    if not rows:
        return (), ()
    columns = {head: (head, *(row[place] for row in rows)) for place, head in enumerate(_STEP_HEADS)}

    def needs(layout: tuple[str, ...]) -> int:
        return len(INDENT) + sum(max(map(len, columns[head])) + _GAP for head in layout) - _GAP

    fitting = (layout for layout in _STEP_LAYOUTS if width is None or needs(layout) <= width)
    chosen = next(fitting, _STEP_LAYOUTS[-1])
    right = tuple(place for place, head in enumerate(chosen) if head in _STEP_RIGHT)
    return tuple(zip(*(columns[head] for head in chosen), strict=True)), right


def _row(one: UseResult) -> tuple[str, ...]:
    faster = faster_words(one.ratio, one.low, one.high, default=one.winner == one.default)
    return USE_WORDS[one.use], _seconds(one.default_ms), _seconds(one.winner_ms), faster


def _seconds(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.1f} ms"


def _tried(step: SearchStep, one: Compared) -> tuple[str, ...]:
    said = (_ratio(one), str(len(one.rounds)), _VERDICTS[one.verdict], f"{one.ratio:.2f} x")
    return step.value, _against(step), USE_WORDS[one.use], *said


def _ratio(one: Compared) -> str:
    few = len(one.rounds) < _LEAST_FOR_INTERVAL or one.low is None or one.high is None
    return f"{one.ratio:.2f} x" + ("" if few else f" ({one.low:.2f} to {one.high:.2f})")


def _against(step: SearchStep) -> str:
    if step.setting not in LABELS:
        return "the defaults"
    return value_text(getattr(step.incumbent, step.setting))


def _notes(outcome: SearchOutcome) -> Iterator[str]:
    won = [one for step in outcome.steps for one in step.compared if one.verdict == WON]
    if any(len(one.rounds) >= _LEAST_FOR_INTERVAL and one.low is not None and one.low <= 1 for one in won):
        yield "a setting whose interval includes 1 is used only where it was faster in every round"
    for step in outcome.steps:
        if any(one.verdict == NOTED for one in step.compared):
            kv_type = step.challenger.kv_type
            yield (
                f"the KV cache type {kv_type} is faster, but changes answers slightly, so it is not used by "
                "default; to use it: "
                f"phi chat --kv-type {kv_type}"
            )

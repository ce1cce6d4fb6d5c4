"""``phi bench --tune``: before and after, and how it was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from phicli.bench.tuning.space import LABELS
from phicli.bench.tuning.types import Compared, Outcome, Step, UseResult
from phicli.bench.tuning.verdict import NOTED, WON
from phicli.catalog.display_name import name_of
from phicli.records.run import BenchSettings, Subject
from phicli.ui.bench.tuned_settings import USE_WORDS, faster_words, settings_words
from phicli.ui.envelope import print_result
from phicli.ui.sections import INDENT, Section, print_page
from phicli.ui.terminal import Terminal

_HEADS = ("for", "before", "after", "faster (95 % interval)")
_STEP_HEADS = ("tried", "against", "for", "times as fast", "rounds", "verdict", "faster")
_STEP_RIGHT = frozenset({"times as fast", "rounds", "faster"})
_STEP_LAYOUTS = (
    ("tried", "against", "for", "times as fast", "rounds", "verdict"),
    ("tried", "for", "times as fast", "verdict"),
    ("tried", "for", "faster", "verdict"),
)
"""What is shown of the steps: the first of these that fits."""

_GAP = 2
_LEAST_FOR_INTERVAL = 3
"""With two rounds the interval is right and says nothing: t is 12.7."""

_VERDICTS = {"won": "taken", "lost": "not taken", "undecided": "undecided", "noted": "faster, not taken"}
_COSTS = {
    "one_answer": "loading, a prompt of 64 tokens and the answer",
    "conversation": "a turn of 128 tokens and 200 of answer",
    "batch": "128 tokens and 64 of answer, with 4 requests at a time",
}


def print_tuning(terminal: Terminal, subject: Subject, outcome: Outcome, *, kept: bool) -> None:
    """What was found to standard output, and what becomes of it to standard error.

    Raises:
        OutputClosedError: nobody reads it any more.
    """
    title = f"{name_of(subject)} on this machine, with {subject.build}"
    print_page(terminal, title, list(_sections(outcome, _width(terminal))))
    if kept and outcome.changes:
        terminal.say(f"phi chat uses this from now on; to forget it: phi bench --tune --reset {subject.model}")
    elif kept:
        terminal.say("nothing beat the defaults, so phi chat keeps them")


def _width(terminal: Terminal) -> int | None:
    """Columns of standard output, None where it is none."""
    if not terminal.stdout.isatty():
        return None
    from phicli.ui.canvas import Canvas

    return Canvas(terminal).width


def tuning_data(subject: Subject, outcome: Outcome, *, kept: bool, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """One entry of ``tunings[]``; ``kept`` says whether ``phi chat`` uses it from now on."""
    about = {"model": subject.model, "quant": subject.quant, "path": str(subject.path), "engine": subject.engine}
    return {**about, "build": subject.build, **outcome.to_data(), "kept": kept, "warnings": list(warnings)}


def print_tunings(terminal: Terminal, hardware: Mapping[str, Any], tunings: Sequence[Mapping[str, Any]]) -> None:
    """The ``data`` of ``bench --tune --json``.

    Raises:
        OutputClosedError: nobody reads it any more.
    """
    print_result(terminal, "bench", {"hardware": dict(hardware), "tunings": [dict(one) for one in tunings]})


def print_reset(terminal: Terminal, forgotten: Sequence[str], count: int, *, as_json: bool) -> None:
    """What ``--reset`` forgot: of which models where they were named, else of how many files."""
    if as_json:
        print_result(terminal, "bench", {"forgotten": list(forgotten), "files": count})
    elif not count:
        terminal.say("nothing was tuned")
    else:
        files = f"{count} file{'' if count == 1 else 's'}"
        terminal.say(f"the tuned settings of {', '.join(forgotten) or files} are forgotten; the defaults are used")


def _sections(outcome: Outcome, width: int | None) -> Iterator[Section]:
    results = tuple(outcome.results.values())
    rows = tuple(_row(one) for one in results)
    points = [f"{USE_WORDS[one.use]}: {_COSTS[one.use]}" for one in results]
    yield Section("Before and after", table=(_HEADS, *rows), right=(1, 2), points=tuple(points))
    facts = tuple((USE_WORDS[one.use], _settings(one.winner)) for one in results)
    yield Section("Settings" if outcome.complete else "Settings that were best when it was interrupted", facts=facts)
    table, right = _table_of_steps(outcome, width)
    yield Section("Tried", table=table, right=right, points=tuple(_notes(outcome)))
    yield Section("Not tried", points=outcome.skipped)


def _table_of_steps(outcome: Outcome, width: int | None) -> tuple[tuple[tuple[str, ...], ...], tuple[int, ...]]:
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


def _settings(one: BenchSettings) -> str:
    return settings_words(one.threads, one.batch_tokens, one.kv_type, one.flash_attention, repack=one.repack)


def _tried(step: Step, one: Compared) -> tuple[str, ...]:
    few = len(one.rounds) < _LEAST_FOR_INTERVAL or one.low is None or one.high is None
    between = "" if few else f" ({one.low:.2f} to {one.high:.2f})"
    ratio = f"{one.ratio:.2f} x"
    said = (ratio + between, str(len(one.rounds)), _VERDICTS[one.verdict], ratio)
    return step.value, _against(step), USE_WORDS[one.use], *said


def _against(step: Step) -> str:
    if step.setting not in LABELS:
        return "the defaults"
    value = getattr(step.incumbent, step.setting)
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _notes(outcome: Outcome) -> Iterator[str]:
    won = [one for step in outcome.steps for one in step.compared if one.verdict == WON]
    if any(len(one.rounds) >= _LEAST_FOR_INTERVAL and one.low is not None and one.low <= 1 for one in won):
        yield "what is taken with an interval that includes 1 was faster in each of its rounds"
    for step in outcome.steps:
        if any(one.verdict == NOTED for one in step.compared):
            kv_type = step.challenger.kv_type
            yield (
                f"a context kept as {kv_type} is faster, but changes answers a little, so it is not chosen for you: "
                f"phi chat --kv-type {kv_type}"
            )

"""What ``phi data check`` shows on a terminal and off it: findings, the histogram, and how far a file is read."""

from __future__ import annotations

import io
from array import array

import pytest

from phicli.errors import CheckFailedError
from phicli.training_data.findings import Finding, Findings
from phicli.training_data.report import FileFacts, Report, Tokens
from phicli.ui import training_data
from phicli.ui.terminal import Terminal
from phicli.ui.training_data import ReadingBar, print_report


class Screen(io.StringIO):
    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True


def report(findings: Findings | None = None) -> Report:
    facts = FileFacts("train.jsonl", 4, 4, 1000)
    tokens = Tokens("phi-4", "phi-4", 30, array("q", [5, 6, 6, 40]), 0.5)
    return Report("", [facts], findings or Findings(), tokens)


def printed(out: io.StringIO, made: Report) -> list[str]:
    print_report(Terminal(io.StringIO(), out, io.StringIO(), colour=False), made, as_json=False)
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "█"), ("ascii", "#")])
def test_the_histogram_on_a_terminal(encoding: str, bar: str) -> None:
    lines = printed(Screen(encoding), report())
    assert lines[:3] == [
        "train.jsonl: 4 examples in 4 lines, 1000 B",
        "tokens per example in the format of phi-4: min 5, median 6, p95 40, max 40; 57 in total",
        "1 example exceeds the context of 30 tokens",
    ]
    bars = [line for line in lines if bar in line]
    assert bars[0].split() == ["5", "to", "7", bar * 40, "3"]
    assert bars[-1].split() == ["38", "to", "40", bar * 13, "1"]
    assert lines[-2] == "counted in 0.5 s: 114 tokens per second"


def test_no_histogram_in_a_pipe() -> None:
    lines = printed(io.StringIO(), report())
    assert len(lines) == 5
    assert not any("#" in line or "█" in line for line in lines)


def test_findings_are_grouped_and_a_name_cannot_make_a_line() -> None:
    findings = Findings(2)
    for number in range(1, 6):
        findings.add(Finding("error", "empty", "a\nerror: b", number, "the answer is empty", "messages[1].content"))
    findings.add(Finding("note", "line_ends", "a", 0, "fine"))
    out = io.StringIO()
    with pytest.raises(CheckFailedError, match="must not be used: 5 errors in 5 lines"):
        printed(out, report(findings))
    lines = out.getvalue().splitlines()
    assert lines[1:5] == [
        "error: empty turns (5)",
        "  a error: b:1, messages[1].content: the answer is empty",
        "  a error: b:2, messages[1].content: the answer is empty",
        "  and 3 more",
    ]
    assert lines[5] == "note: a: fine"


def test_the_bar_shows_after_half_a_second_and_disappears(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(training_data, "monotonic", lambda: now[0])
    screen = Screen()
    with ReadingBar(Terminal(io.StringIO(), io.StringIO(), screen, colour=False), "checking x", 1000) as bar:
        bar.update(10)
        assert screen.getvalue() == ""
        now[0] = 1.0
        bar.update(500)
        bar.update(2000)
    assert "checking x" in screen.getvalue()
    assert screen.getvalue().endswith(("\x1b[2K", "\x1b[?25h", "\r\x1b[1A\x1b[2K"))


def test_nothing_moves_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(100))
    monkeypatch.setattr(training_data, "monotonic", lambda: float(next(now)))
    err = io.StringIO()
    with ReadingBar(Terminal(io.StringIO(), io.StringIO(), err, colour=False), "checking x", 1000) as bar:
        bar.update(500)
    assert err.getvalue() == ""

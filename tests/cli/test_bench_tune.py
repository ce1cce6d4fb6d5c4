"""``phi bench --tune`` in a shell, on the embedded model, and what chat, show and recommend make of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import children, gone, wait_for_child
from tests.support.running import Phi

FEW = ("--threads", "1", "--kv-type", "f16", "--flash-attention", "auto", "--batch-size", "128", "--quick")
"""Values that leave little to try."""


def settings(phi: Phi, *more: str, **environment: str) -> dict[str, object]:
    data = phi("chat", "tiny-phi", "hello", "--json", "-n", "2", *more, **environment).json["data"]
    return dict(data["settings"])


def entries(home: str) -> list[Path]:
    return sorted((Path(home) / "data" / "tuned").glob("*.json"))


def test_winners_are_found_kept_used_shown_told_stale_and_forgotten(phi: Phi, environment: dict[str, str]) -> None:
    home = environment["PHI_HOME"]
    assert settings(phi)["tuned"] is False

    run = phi("bench", "--tune", "tiny-phi", *FEW, "--json")
    assert (run.code, run.json["command"]) == (0, "bench")
    assert all("busy" in line for line in run.err.splitlines())
    [tuning] = run.json["data"]["tunings"]
    assert {one["use"] for one in tuning["uses"]} == {"one_answer", "conversation", "batch"}
    assert tuning["trials"][0]["prefill_ms"] > 0
    assert tuning["trials"][0]["start_ms"] > 0
    assert (tuning["complete"], tuning["kept"]) == (True, True)
    assert tuning["build"].startswith("xllamacpp ")

    # a chat takes what is kept; here it is changed by hand, so that it is not the default by chance
    [path] = entries(home)
    data = json.loads(path.read_text())
    data["tuned"][0]["winners"]["one_answer"] |= {"threads": 1, "batch_tokens": 64, "default": False, "ratio": 1.25}
    path.write_text(json.dumps(data))
    used = settings(phi)
    assert (used["tuned"], used["threads"], used["batch_tokens"]) == (True, 1, 64)
    assert settings(phi, "--threads", "2")["threads"] == 2
    assert settings(phi, PHI_THREADS="2")["threads"] == 2

    shown = phi("show", "tiny-phi")
    assert "Tuned on this machine" in shown.out
    assert "1.25 x" in shown.out
    [on_file] = phi("show", "tiny-phi", "--json").json["data"]["tuned"]
    assert on_file["winners"]["one_answer"]["threads"] == 1
    here = phi("show", "tiny-phi", "--json").json["data"]["on_this_machine"]
    assert [row["speed"]["method"] for row in here["rows"] if row["speed"]] == ["measured"]

    data["tuned"][0]["build"] = "xllamacpp 1"
    data["marks"] = {}
    path.write_text(json.dumps(data))
    quiet = phi("chat", "tiny-phi", "hello", "-n", "2", "--quiet")
    assert quiet.err == ""
    told = phi("chat", "tiny-phi", "hello", "--json", "-n", "2")
    assert "xllamacpp 1" in told.err
    assert "phi bench --tune tiny-phi" in told.err
    assert told.json["data"]["settings"]["tuned"] is False
    assert phi("chat", "tiny-phi", "hello", "--json", "-n", "2").err == ""  # once

    forgotten = phi("bench", "--tune", "--reset", "tiny-phi", "--json").json["data"]
    assert forgotten == {"forgotten": ["tiny-phi"], "files": 1}
    assert entries(home) == []
    assert "nothing was tuned" in phi("bench", "--tune", "--reset").err


def test_the_page_has_before_and_after_and_the_history_has_all(phi: Phi) -> None:
    run = phi("bench", "--tune", "tiny-phi", *FEW)
    assert run.code == 0
    for part in ("Before and after", "conversation", "Tried", "threads 1"):
        assert part in run.out
    assert "--reset tiny-phi" in run.err
    kept = phi("runs", "list", "--json")
    assert kept.code == 0
    assert '"tune"' in kept.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--tune",), 2, "which model"),
        (("--tune", "tiny-phi", "--engine", "llama-server"), 2, "--engine"),
        (("--tune", "tiny-phi", "--csv"), 2, "--csv"),
        (("--tune", "tiny-phi", "--gpu-layers", "3"), 2, "--gpu-layers"),
        (("--tune", "no-such-model"), 3, "no-such-model"),
        (("--tune", "--reset", "no-such-model"), 3, "no-such-model"),
    ],
)
def test_what_makes_no_sense(phi: Phi, arguments: tuple[str, ...], code: int, words: str) -> None:
    run = phi("bench", *arguments)
    assert (run.code, run.out) == (code, "")
    assert words in run.err


def test_a_home_that_cannot_be_written_is_told(phi: Phi) -> None:
    run = phi("bench", "--tune", "tiny-phi", *FEW, "--json", PHI_HOME="/dev/null/nowhere")
    assert run.code == 0
    assert "phi chat will not know of it" in run.err
    [tuning] = run.json["data"]["tunings"]
    assert tuning["kept"] is False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ctrl_c_shows_what_was_found_and_keeps_nothing(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "phicli", "bench", "--tune", "tiny-phi", "--json"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for_child(process.pid)
    workers = children(process.pid)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    envelope = json.loads(out)
    assert envelope["error"]["code"] == "interrupted"
    [tuning] = envelope["data"]["tunings"]
    assert (tuning["complete"], tuning["kept"]) == (False, False)
    assert entries(environment["PHI_HOME"]) == []
    assert all(gone(worker) for worker in workers)

"""Runs for programs and documents: JSON lines, CSV, Markdown, and the command that repeats them."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.errors import OutputClosedError
from phicli.records.run import Run, Workload
from phicli.ui.bench.printers import print_csv, print_jsonl, print_markdown
from phicli.ui.bench.repeat_command import command_of
from phicli.ui.terminal import Terminal
from tests.support.bench_command import parsed
from tests.support.runs import depths, quants, run, threads
from tests.ui.test_terminal import Gone, shown


def pipe(stdout: io.StringIO | None = None) -> Terminal:
    return Terminal(io.StringIO(), stdout or io.StringIO(newline=""), io.StringIO(), colour=False)


def markdown(runs: Sequence[Run], notes: Sequence[str] = ()) -> str:
    terminal = pipe()
    print_markdown(terminal, runs, notes)
    return shown(terminal.stdout)


def records(runs: Sequence[Run]) -> list[dict[str, str]]:
    terminal = pipe()
    print_csv(terminal, runs)
    return list(csv.DictReader(io.StringIO(shown(terminal.stdout), newline="")))


def test_json_lines_are_runs_that_can_be_read_back() -> None:
    terminal = pipe()
    runs = [*quants(), run("naïve\u202emodel", None)]
    print_jsonl(terminal, runs)
    text = shown(terminal.stdout)
    assert text.endswith("\n")
    assert "\u202e" not in text
    assert [Run.from_data(json.loads(line)) for line in text.splitlines()] == runs


def test_a_record_has_the_numbers_of_its_run() -> None:
    one, two = records(quants())
    assert one["model"] == "phi-4-mini"
    assert (one["quant"], two["quant"]) == ("Q4_K_M", "Q8_0")
    assert float(two["decode_tps_mean"]) == pytest.approx(5.98, rel=1e-3)
    assert int(one["peak_rss_bytes"]) == 2_840_000_000
    assert one["gpu_layers"] == "-1"
    assert one["complete"] == "true"
    assert one["tokens_per_joule_mean"] == ""
    assert one["processor"].endswith("2.10GHz, 2 cores")


def test_csv_is_that_of_the_standard() -> None:
    terminal = pipe()
    print_csv(terminal, [run('a "big", model\nof two lines', None)])
    text = shown(terminal.stdout)
    assert text.count("\r\n") == 2
    assert '"a ""big"", model\nof two lines"' in text


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_name_is_no_formula(name: str) -> None:
    (found,) = records([run(name, None)])
    assert found["model"] == f"'{name}"


@pytest.mark.parametrize("name", ["\r=1", "=1\r", "\x1b[31m\x9b2J\u202e", "a\r\nb", "\x85\u2028"])
def test_a_name_of_control_characters_is_a_cell_and_no_command(name: str) -> None:
    (found,) = records([run(name, None)])
    assert found["model"] in ("'=1", "\ufffd[31m\ufffd2J\ufffd", "a\nb", "\ufffd\u2028")
    assert found["quant"] == ""


def test_a_line_of_json_is_one_line_for_everybody() -> None:
    terminal = pipe()
    print_jsonl(terminal, [run("\x85\u2028\u2029\x9b31m\x7f\x1b", None)])
    (line,) = shown(terminal.stdout).splitlines()
    assert json.loads(line)["model"] == "\x85\u2028\u2029\x9b31m\x7f\x1b"
    assert line.isprintable()


def test_a_reader_that_has_left_ends_it() -> None:
    for printer in (print_csv, print_jsonl, print_markdown):
        with pytest.raises(OutputClosedError):
            printer(pipe(Gone()), quants())


def test_markdown_is_a_table_with_its_conditions_and_the_command() -> None:
    lines = markdown(threads(), ["a * b"]).splitlines()
    head, rule, *rows = [line for line in lines if line.startswith("|")]
    assert head.split("|")[1:4] == [" model ", " threads ", " repack "]
    assert rule.split("|")[1:4] == [" --- ", " ---: ", " --- "]
    assert len(rows) == 8
    assert {line.count("|") for line in (head, rule, *rows)} == {head.count("|")}
    assert "- energy: not available" in lines
    assert "- a \\* b" in lines
    assert lines[-3:] == ["```sh", command_of(threads()), "```"]
    assert "| phi-4-mini:q4_k_m | 1 | off |" in "\n".join(rows)


def test_markdown_shows_energy_where_there_is_some() -> None:
    text = markdown([run(energy_j=32.0)])
    assert "not available" not in text
    assert "tokens/J" in text


def test_a_name_does_nothing_in_markdown() -> None:
    text = markdown([run("a|b<script>_x_ [y](z)\n# head\\&lt;$x$", None)])
    (row,) = [line for line in text.splitlines() if line.startswith("| a")]
    assert row.startswith(r"| a\|b\<script\>\_x\_ \[y\](z) \# head\\\&lt;\$x\$ | ")


@pytest.mark.parametrize("runs", [quants(), depths(), threads(), [run("it's.gguf", None)]])
def test_the_command_measures_the_same_again(runs: Sequence[Run]) -> None:
    words = shlex.split(command_of(runs))
    assert words[:2] == ["phi", "bench"]
    models, options = parsed(words[2:])
    grid = (
        len(models)
        * len(options.settings["threads"])
        * len(options.depth_tokens)
        * len(options.settings.get("repack", (False,)))
    )
    assert grid == len(runs)
    assert options.settings["threads"] == tuple(dict.fromkeys(one.settings.threads for one in runs))
    assert options.depth_tokens == tuple(dict.fromkeys(one.workload.depth_tokens for one in runs))
    assert (options.prompt_tokens, options.generated_tokens, options.repeat) == ((512,), (128,), 5)


def test_the_command_names_what_is_not_usual() -> None:
    one = run(kv_type="q8_0", flash_attention="on", repack=True, batch_tokens=256, gpu_layers=0, repeat=3)
    one = replace(one, subject=replace(one.subject, engine="llama-server", path=Path("/a b/c.gguf"), model="c.gguf"))
    assert command_of([one]) == (
        "phi bench '/a b/c.gguf' --engine llama-server --prompt-tokens 512 --tokens 128 --threads 2 --batch-size 256 "
        "--kv-type q8_0 --flash-attention on --repack on --gpu-layers 0 --context 768 --repeat 3"
    )


def test_the_command_of_several_depths_leaves_the_context_to_each() -> None:
    assert "--context" not in command_of(depths())
    work = Workload(0, 64, 0)
    assert "--prompt-tokens 0 --tokens 64" in command_of([run(prompt_tps=None, workload=work)])

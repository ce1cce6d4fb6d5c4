"""``phi recommend`` on terminals of several widths, and in a pipe; the bar."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace

import pytest

from phicli.errors import OutputClosedError
from phicli.fit.memory_sum import MemorySum
from phicli.fit.types import Request
from phicli.hardware.types import Gpu, Machine
from phicli.plan.recommendation import Report, make_report, sums_of
from phicli.ui.memory_bar import bar_text, cells_of, parts_of, parts_text, shares_of
from phicli.ui.recommendation import machine_lines, print_report
from phicli.ui.recommendation_data import report_data
from phicli.ui.terminal import Terminal
from phicli.units import format_bytes
from tests.support.recommending import GB, all_candidates, machine, speed_on
from tests.ui.test_terminal import Gone, Screen, shown

LAPTOP = machine(16, used_gib=4, bandwidth=50 * GB)
GRAPHICS = machine(32, used_gib=4, bandwidth=50 * GB, vram_gib=24)


def report(here: Machine = LAPTOP, request: Request | None = None) -> Report:
    return make_report(here, request or Request(), all_candidates("phi-4-mini:Q4_K_M"), speed_on(here))


def on_screen(
    monkeypatch: pytest.MonkeyPatch,
    found: Report,
    width: int,
    *,
    everything: bool = False,
    explain: bool = False,
    colour: bool = False,
    encoding: str = "utf-8",
) -> list[str]:
    class Sized(Screen):
        @property
        def encoding(self) -> str:  # type: ignore[override]
            return encoding

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal(Screen(), Sized(), Screen(), colour)
    print_report(terminal, found, everything=everything, explain=explain)
    return shown(terminal.stdout).splitlines()


def piped(found: Report, *, everything: bool = False, explain: bool = False) -> tuple[list[str], str]:
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    print_report(terminal, found, everything=everything, explain=explain)
    return shown(terminal.stdout).splitlines(), shown(terminal.stderr)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_answer_is_one_screen_without_a_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = on_screen(monkeypatch, report(), width)
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    assert "Best for general use: phi-4-mini:q4_k_m (installed)" in text
    assert "Smarter: phi-4:q4_k_m" in text
    assert "tokens/s" in text
    assert "estimated" in text
    assert any(line.split() == ["run", "phi", "chat", "phi-4-mini:q4_k_m"] for line in lines)


def test_the_bar_tells_its_parts_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = on_screen(monkeypatch, report(), 80)
    (bar,) = [line for line in plain if "█" in line]
    assert all(letter in bar for letter in "█▓░·")
    assert "of 11.20 GiB" in bar
    coloured = on_screen(monkeypatch, report(), 80, colour=True)
    assert "\x1b[" not in "\n".join(plain)
    assert "\x1b[" in "\n".join(coloured)


def test_a_terminal_that_knows_only_ascii_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    (bar,) = [line for line in on_screen(monkeypatch, report(), 80, encoding="ascii") if "#" in line]
    assert all(letter in bar for letter in "#=-.")


@pytest.mark.parametrize("width", [60, 80, 140])
def test_all_lists_every_candidate_with_a_reason(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = on_screen(monkeypatch, report(), width, everything=True)
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    assert "lower quality" in text
    assert "Rejected:" in text
    assert "phi-2 (" in text  # all of its files are out for one reason
    assert "phi-3-vision" in text


def test_a_pipe_gets_plain_lines_and_the_rest_is_on_standard_error() -> None:
    lines, told = piped(report())
    labels = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    best, smarter = ["memory", "speed", "why", "run"], ["memory", "speed", "download", "why", "run"]
    assert labels == ["machine", "best", *best, "smarter", *smarter]  # the best one is installed
    assert not [line for line in lines if "\x1b" in line or "█" in line or line != line.rstrip()]
    found = report().found
    assert told.startswith(f"{len(found.others) + len(found.rejected)} other candidates were not picked")


def test_all_in_a_pipe_is_a_line_for_each_file() -> None:
    found = report()
    lines, told = piped(found, everything=True)
    rows = lines[next(place for place, line in enumerate(lines) if line.startswith("MODEL")) + 1 :]
    assert len(rows) == len(found.found.picks) + len(found.found.others) + len(found.found.rejected)
    assert told == ""


def test_explain_shows_sums_that_add_up() -> None:
    found = report()
    lines, _ = piped(found, explain=True)
    one = found.found.picks[0].assessment
    (line,) = [line for line in lines if f"= {one.memory.total_bytes:,} bytes" in line]
    words = [word.replace(",", "") for word in line.partition(" = ")[0].split() if "," in word]
    figures = [int(word) for word in words if word.isdigit()]
    memory = one.memory
    parts = [memory.weights_bytes, memory.kv_bytes, memory.compute_bytes, memory.overhead_bytes]
    assert [figure for figure in figures if figure in parts] == parts


def test_the_sum_of_quality_names_its_source() -> None:
    found = report(GRAPHICS)
    sums = {one.label: one.text for one in sums_of(found.found.picks[0].assessment, found)}
    assert sums["quality"] == "84.80 (MMLU 84.8, published) - 0.10 (Q6_K) = 84.70 points of MMLU"
    assert "the target for general use is 8" in sums["speed"]
    assert sums["worth"].startswith("quality 100.8 - loss 0.1 - wait ")


def test_points_that_are_no_score_are_about(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report()
    sums = {one.label: one.text for one in sums_of(found.found.picks[0].assessment, found)}
    assert sums["quality"].startswith("about 74.70 (")
    assert sums["quality"].endswith(" = about 73.86 points of MMLU")
    lines, _ = piped(found, everything=True)
    rows = {line.split()[0]: line for line in lines if line.startswith("phi-")}
    assert "about 73.9" in rows["phi-4-mini:q4_k_m"]
    assert "about" not in rows["phi-4:q4_k_m"]
    assert "about 74 points" in " ".join(on_screen(monkeypatch, found, 140))


def test_the_rows_of_all_say_what_a_candidate_costs_most() -> None:
    lines, _ = piped(report(), everything=True)
    words = {line.split()[0]: line.split("  ")[-1] for line in lines if line.startswith("phi-")}
    assert words["phi-4:q8_0"].startswith(" needs") or words["phi-4:q8_0"].startswith("needs")
    assert words["phi-4:q5_k_m"] == "slower"
    assert words["phi-3-mini-4k:q4_k_m"] == "lower quality"
    assert words["phi-4-mini:q2_k"] == "ruined by its quantization"


def test_the_data_has_the_worth_of_each() -> None:
    data = report_data(report(), everything=True)
    for one in (*data["picks"], *data["others"]):
        parts = one["worth"]
        costs = sum(parts[name] for name in ("loss", "wait", "size", "tight", "split", "unusual", "short"))
        assert parts["points"] == pytest.approx(parts["quality"] - costs + parts["here"], abs=0.05)
        assert 0 < one["memory_share"] <= 1


def test_on_a_gpu_its_memory_is_the_measure() -> None:
    lines, _ = piped(report(GRAPHICS))
    place = next(place for place, line in enumerate(lines) if line.startswith("memory"))
    assert "of 22.51 GiB on the GPU: weights" in lines[place]
    assert "of 26.40 GiB in main memory: rest" in lines[place + 1]


def test_a_time_that_is_hardly_one_is_not_zero() -> None:
    quick = report(machine(128, bandwidth=40_000 * GB))
    lines, _ = piped(quick)
    assert quick.found.picks[0].assessment.speed.ttft_s < 0.1
    assert lines[next(n for n, line in enumerate(lines) if line.startswith("speed"))].endswith(
        "tokens take under 0.1 s"
    )


def test_a_machine_in_two_lines_says_what_it_cannot_use() -> None:
    card = Gpu("Radeon", "ROCm", 8 << 30, None, False, "sysfs", "install the Vulkan build")
    first, second = machine_lines(replace(LAPTOP, gpus=(card,), container="docker"), 1 << 30)
    assert first == "a processor, 8 cores · 1.00 GiB of 16.00 GiB usable"
    assert "Radeon 8.00 GiB (not used)" in second
    assert "in a container (docker)" in second


def test_a_machine_that_tells_nothing_is_said_to() -> None:
    first, second = machine_lines(Machine(memory=None, cpu=replace(LAPTOP.cpu, physical_cores=1)), None)
    assert first == "a processor, 1 core · memory unknown"
    assert second == "no GPU"


def test_the_data_has_the_fields_of_the_contract_and_is_json() -> None:
    data = json.loads(json.dumps(report_data(report(), everything=True, explain=True)))
    assert set(data) == {"hardware", "usable_bytes", "request", "notes", "picks", "rejected", "others"}
    (best, smarter) = data["picks"]
    assert (best["role"], smarter["role"]) == ("best", "smarter")
    contract = {"role", "model", "quant", "context_tokens", "kv_type", "memory", "speed", "reasons", "command"}
    assert contract <= set(best)
    sums = best["memory"]
    parts = ("weights_bytes", "kv_bytes", "compute_bytes", "repack_bytes", "overhead_bytes")
    assert sum(sums[part] for part in parts) == sums["total_bytes"]
    assert sums["resident_bytes"] + sums["gpu_bytes"] == sums["total_bytes"]
    assert sums["must_have_bytes"] + sums["reclaimable_bytes"] == sums["resident_bytes"]
    speed = {"decode_tps", "decode_tps_low", "decode_tps_high", "prefill_tps", "ttft_s", "method"}
    assert speed <= set(best["speed"])
    assert {"model", "quant", "reason"} <= set(data["rejected"][0])
    assert data["hardware"]["memory"]["total_bytes"] == 16 << 30


def test_a_reader_who_has_left_ends_it() -> None:
    with pytest.raises(OutputClosedError):
        print_report(Terminal(io.StringIO(), Gone(), io.StringIO(), colour=False), report())


@pytest.mark.parametrize("width", [8, 20, 40])
@pytest.mark.parametrize("total", [100, 1000, 100_000])
def test_cells_never_exceed_the_bar_and_no_part_is_hidden(width: int, total: int) -> None:
    memory = MemorySum(weights_bytes=60, kv_bytes=20, compute_bytes=1, repack_bytes=10, overhead_bytes=2)
    shares = shares_of(parts_of(memory), total)
    cells = cells_of(shares, width)
    assert sum(cells) <= width
    assert all(cell >= 0 for cell in cells)
    if total == 100:
        assert all(cells)
    assert len(bar_text(shares, width, fine=True).plain) == width


def test_a_model_that_is_larger_than_the_memory_fills_the_bar() -> None:
    memory = MemorySum(weights_bytes=600, kv_bytes=20, compute_bytes=1, repack_bytes=0, overhead_bytes=2)
    assert sum(cells_of(shares_of(parts_of(memory), 100), 20)) == 20


def test_parts_are_named_in_the_order_of_the_bar() -> None:
    memory = MemorySum(2 << 30, 1 << 30, 1 << 29, 0, 1 << 29)
    assert parts_text(parts_of(memory), 4096) == "weights 2.00, 4,096 tokens 1.00, rest 1.00 GiB"


@pytest.mark.parametrize("seed", range(40))
def test_parts_as_written_add_up_to_their_sum_as_written(seed: int) -> None:
    chance = random.Random(seed)
    parts = [int(chance.random() ** 3 * size) for size in (12 << 30, 4 << 30, 1 << 29)]
    text = parts_text(parts, 4096)
    assert text.endswith(format_bytes(sum(parts))[-4:])
    written = [float(part.split()[-1]) for part in text[:-4].split(", ")]
    assert sum(written) == pytest.approx(float(format_bytes(sum(parts))[:-4]), abs=1e-6)


def test_memory_that_the_gpu_shares_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = machine(16, used_gib=4, bandwidth=80 * GB, vram_gib=11, unified=True)
    found = report(shared)
    lines, _ = piped(found)
    memory = found.found.picks[0].assessment.memory
    assert memory.gpu_bytes > 0
    words = f"{format_bytes(memory.total_bytes)} of 11.20 GiB, which the GPU shares: weights"
    assert [line for line in lines if words in line]
    assert not [line for line in lines if "in main memory" in line]
    assert words.partition(",")[0] in " ".join(on_screen(monkeypatch, found, 80))


def test_the_sum_on_a_gpu_adds_up() -> None:
    found = report(machine(32, used_gib=4, bandwidth=50 * GB, vram_gib=8), Request(quant="Q4_K_M"))
    one = found.found.picks[0].assessment
    assert 0 < one.gpu_layers <= one.candidate.shape.layers
    text = next(line.text for line in sums_of(one, found) if line.label == "memory")
    _, total, places = text.split(" = ")
    assert int(total.split()[0].replace(",", "")) == one.memory.total_bytes
    there, beside = (int(words.split()[0].replace(",", "")) for words in (places, places.rpartition(" + ")[2]))
    assert (there, beside) == (one.memory.gpu_bytes, one.memory.resident_bytes)
    assert there + beside == one.memory.total_bytes


def test_a_context_that_the_engine_rounds_up_is_told_as_it_is() -> None:
    found = report(request=Request(context_tokens=1000, prompt_tokens=100))
    text = next(line.text for line in sums_of(found.found.picks[0].assessment, found) if line.label == "memory")
    assert "(1,024 tokens of 131,072 bytes as f16, 32 layers)" in text


def test_what_one_has_to_know_of_the_machine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    old = replace(LAPTOP, cpu=replace(LAPTOP.cpu, instruction_sets=("SSE4_2", "AVX")))
    lines, _ = piped(report(old))
    assert [line for line in lines if line.startswith("note") and "needs AVX2" in line]
    assert "Note: the engine's published package needs AVX2" in " ".join(on_screen(monkeypatch, report(old), 140))
    assert report_data(report(old))["notes"][0].startswith("the engine's published package needs AVX2")


def test_ascii_in_a_pipe_has_no_question_marks() -> None:
    raw = io.BytesIO()
    terminal = Terminal(io.StringIO(), io.TextIOWrapper(raw, "ascii", errors="replace"), io.StringIO(), colour=False)
    print_report(terminal, report())
    terminal.stdout.flush()
    text = raw.getvalue().decode("ascii")
    assert "8 cores | 11.20 GiB" in text
    assert "?" not in text

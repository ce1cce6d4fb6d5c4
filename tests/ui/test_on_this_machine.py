"""What ``phi show`` says of this machine: its table in a pipe and on a terminal, the star, and the data."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phicli.fit.placement import place
from phicli.hardware.types import Machine
from phicli.plan.description import VariantDescription, describe, on_machine
from phicli.plan.installed import InstalledModel
from phicli.ui.models.data import description_data
from phicli.ui.models.page import example_of, print_description
from phicli.ui.terminal import Terminal
from tests.support.files import TINY_PHI
from tests.support.machines import CONTAINER_4, GPU_24, LAPTOP_16, WORKSTATION_64
from tests.support.recommending import all_candidates, machine, speed_on
from tests.ui.test_terminal import Screen, shown

TIGHT = machine(3.4)
TITLE = "On this machine now"


@pytest.fixture(autouse=True)
def _nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))


def page(name: str, here: Machine, *, screen: bool = False, installed: tuple[InstalledModel, ...] = ()) -> str:
    streams = [Screen() if screen else io.StringIO() for _ in range(3)]
    terminal = Terminal(streams[0], streams[1], streams[2], colour=False)
    what, found = on_machine(describe(name), here, speed_on(here))
    if isinstance(what, VariantDescription):
        what = replace(what, installed=installed)
    print_description(terminal, what, found)
    return shown(terminal.stdout)


def section(text: str) -> list[str]:
    lines = text.splitlines()
    start = lines.index(TITLE) + 1
    return lines[start : lines.index("", start)]


def rows(name: str, here: Machine) -> dict[str, str]:
    """Quantisation → the rest of its row."""
    lines = section(page(name, here))
    head = next(place for place, line in enumerate(lines) if line.split()[0] == "quant")
    table = [line.strip() for line in lines[head + 1 :] if not line.startswith("  - ")]
    return {row.split(" ", 1)[0]: row.split(" ", 1)[1] for row in table}


def data(name: str, here: Machine) -> Any:
    what, found = on_machine(describe(name), here, speed_on(here))
    return json.loads(json.dumps(description_data(what, example_of(what), found)))["on_this_machine"]


def test_the_most_useful_rows_and_how_many_more() -> None:
    text = section(page("phi-4-mini", LAPTOP_16))
    assert text[0].split() == ["memory", "11.20", "GiB", "of", "16.00", "GiB", "can", "be", "used"]
    assert text[1].split() == ["context", "4,096", "tokens", "planned"]
    found = rows("phi-4-mini", LAPTOP_16)
    assert next(iter(found)) == "Q4_K_M"
    assert len(found) == 8
    assert re.fullmatch(r"\* +\d\.\d\d GiB +\d+ \([\d.]+ to \d+\) +estimated +yes", found["Q4_K_M"])
    everything = data("phi-4-mini", LAPTOP_16)["rows"]
    assert text[-1] == f"  - {len(everything) - 8} more: phi show phi-4-mini --json"


def test_one_star_in_the_page_s_tables_means_one_file() -> None:
    for here, quant in ((LAPTOP_16, "Q4_K_M"), (GPU_24, "Q6_K")):
        starred = [line.split()[0] for line in page("phi-4-mini", here).splitlines() if " * " in line]
        assert starred == [quant, quant]


def test_the_star_is_there_where_others_miss_less() -> None:
    found = rows("phi-4", CONTAINER_4)
    assert len(found) == 8
    assert re.fullmatch(r"\* +8\.\d\d GiB +- +- +5\.\d\d GiB too large", found["Q4_K_M"])
    text = page("phi-4", CONTAINER_4)
    assert "no file of this model fits; see what fits: phi recommend" in text
    assert "nothing of it fits" not in page("phi-4", WORKSTATION_64)
    smaller = [row["quant"] for row in data("phi-4-mini", machine(1))["rows"]]
    assert smaller.index("Q4_K_M") >= 8
    assert list(rows("phi-4-mini", machine(1))) == [*smaller[:8], "Q4_K_M"]


def test_what_would_make_it_fit_is_said_and_does() -> None:
    cells = [cell for cell in rows("phi-3-mini-4k", TIGHT).values() if "too large" in cell]
    options = [found for cell in cells if (found := re.search(r"fits with --context (\d+) --kv-type q8_0$", cell))]
    assert options
    shapes = {one.quant: one.shape for one in all_candidates() if one.variant.id == "phi-3-mini-4k"}
    remedies = {row["quant"]: row["remedy"] for row in data("phi-3-mini-4k", TIGHT)["rows"] if row["remedy"]}
    assert remedies
    for quant, remedy in remedies.items():
        option, tokens, *kv_type = remedy.split(" ", 2)
        assert (option, kv_type) == ("--context", ["--kv-type q8_0"])
        assert place(shapes[quant], TIGHT, int(tokens), "q8_0").fits
    smaller = rows("phi-4-mini", TIGHT)
    assert smaller["Q4_K_M"].endswith("yes, with --kv-type q8_0")


def test_where_on_the_gpu() -> None:
    assert rows("phi-4", GPU_24)["Q4_K_M"].endswith("yes, on the GPU")
    assert "on the GPU 22.51 GiB" in section(page("phi-4", GPU_24))[0]
    shared = rows("phi-4", machine(32, vram_gib=8))["Q4_K_M"]
    assert re.search(r"yes, \d+ of 41 layers on the GPU, with --kv-type q8_0$", shared)  # more of them than with f16


def test_a_machine_that_tells_nothing_is_said_to() -> None:
    silent = Machine(memory=None, cpu=LAPTOP_16.cpu)
    what, found = on_machine(describe("phi-4"), silent, speed_on(LAPTOP_16))
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    print_description(terminal, what, found)
    lines = section(shown(terminal.stdout))
    assert "the memory size of this machine is unknown" in lines[0]
    assert all(line.endswith("?") for line in lines if "GiB" in line)
    rest = json.loads(json.dumps(description_data(what, None, found)))["on_this_machine"]
    assert rest["usable_bytes"] is None
    assert {(row["fits"], row["missing_bytes"]) for row in rest["rows"]} == {(None, None)}


def test_a_pull_that_would_be_content_with_what_is_here_is_named_in_full() -> None:
    def told(*installed: InstalledModel) -> set[str]:
        text = page("phi-4-mini", GPU_24, installed=installed)
        return set(re.findall(r"download the file with the star: (.*)", text))

    usual = InstalledModel("phi-4-mini:q4_k_m", "Q4_K_M", Path("/hub/4.gguf"), 1, "hub cache")
    assert told() == {"phi pull phi-4-mini"}
    assert told(replace(usual, quant="Q6_K")) == {"phi pull phi-4-mini"}
    assert told(usual) == {"phi pull phi-4-mini:q6_k"}


def test_a_file_has_one_row_and_nothing_to_pull() -> None:
    text = page(str(TINY_PHI), CONTAINER_4)
    lines = section(text)
    assert len(lines) == 4
    assert re.match(r"  F16 +\d+\.\d MiB ", lines[3])
    assert " * " not in text


def test_what_cannot_run_has_no_section() -> None:
    assert TITLE not in page("phi-3-small-8k", LAPTOP_16)
    assert data("phi-3-small-8k", LAPTOP_16) is None


def test_the_data_has_every_quantisation_with_its_sums() -> None:
    found = data("phi-4", LAPTOP_16)
    assert found["usable_bytes"] == pytest.approx(11.2 * (1 << 30))
    assert {row["fits"] for row in found["rows"]} == {True, False}
    parts = ("weights_bytes", "kv_bytes", "compute_bytes", "repack_bytes", "overhead_bytes")
    for row in found["rows"]:
        memory = row["memory"]
        assert sum(memory[part] for part in parts) == memory["total_bytes"]
        assert row["missing_bytes"] == max(memory["total_bytes"] - found["usable_bytes"], 0)
        assert (row["speed"] is None) is not row["fits"]
        assert row["context_tokens"] == found["context_tokens"] == 4096
        if row["speed"]:
            assert row["speed"]["decode_tps_low"] < row["speed"]["decode_tps"] < row["speed"]["decode_tps_high"]
    assert [row["quant"] for row in found["rows"] if row["takes"]] == ["Q4_K_M"]


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize(("name", "here"), [("phi-4-mini", LAPTOP_16), ("phi-4", LAPTOP_16), ("phi-3-mini-4k", TIGHT)])
def test_a_terminal_wraps_the_last_column_alone(
    monkeypatch: pytest.MonkeyPatch, width: int, name: str, here: Machine
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = section(page(name, here, screen=True))
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    for line in section(page(name, here)):
        assert set(line.split()) <= set(words)

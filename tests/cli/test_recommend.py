"""``phi recommend`` in a shell."""

from __future__ import annotations

import subprocess
import sys

import pytest

from phicli.catalog.load import catalog
from phicli.fit.tasks import TASKS
from phicli.hardware.simulation import profile_names
from tests.support.running import Phi

SHOWN = (
    "memory", "cpu", "gpus", "disk", "bandwidth", "native_kernels", "system", "wsl", "container", "simulated",
    "sources",
)  # fmt: skip


def best(run_json: dict[str, object]) -> tuple[str, str]:
    data = run_json["data"]
    assert isinstance(data, dict)
    first = data["picks"][0]
    return first["model"], first["quant"]


@pytest.mark.parametrize(
    ("profile", "model", "quant"),
    [
        ("laptop-8gb", "phi-4-mini", "Q4_K_M"),  # 14B do not fit; the best small one in the usual size does
        ("laptop-16gb", "phi-4-mini", "Q4_K_M"),  # Phi-4 would fit and crawl: it is offered as the smarter one
        ("desktop-64gb-rtx4090-24gb", "phi-4", "Q6_K"),  # the best general model, nearly lossless, all on the card
        ("container-4gb", "phi-4-mini", "Q4_K_M"),  # fits; a smaller quantisation would cost more than it gives
        ("workstation-64gb", "phi-4-mini", "Q5_K_M"),  # Phi-4 gives 5 tokens/s there; a mixture is 25 GB to download
    ],
)
def test_a_machine_gets_what_an_expert_would_take(phi: Phi, profile: str, model: str, quant: str) -> None:
    run = phi("recommend", "--machine", profile, "--json")
    assert (run.code, run.err) == (0, "")
    assert best(run.json) == (model, quant)
    assert run.json["data"]["hardware"]["simulated"] == profile
    command = run.json["data"]["picks"][0]["command"]
    assert command.startswith(f"phi chat {model}:{quant.lower()}")


def test_what_was_slow_and_better_is_offered(phi: Phi) -> None:
    run = phi("recommend", "--machine", "laptop-16gb", "--json")
    assert [(pick["role"], pick["model"]) for pick in run.json["data"]["picks"]] == [
        ("best", "phi-4-mini"),
        ("smarter", "phi-4"),
    ]


def test_json_has_the_fields_of_the_contract(phi: Phi) -> None:
    run = phi("recommend", "--ram", "16G", "--cores", "8", "--bandwidth", "60GB/s", "--json")
    assert (run.json["schema"], run.json["command"]) == (1, "recommend")
    data = run.json["data"]
    assert tuple(data["hardware"]) == SHOWN
    assert data["hardware"]["cpu"]["physical_cores"] == 8
    assert data["hardware"]["memory"]["total_bytes"] == 16 << 30
    assert data["request"]["task"] == "any"
    for pick in data["picks"]:
        assert pick["speed"]["method"] == "estimated"
        assert pick["speed"]["decode_tps_low"] < pick["speed"]["decode_tps"] < pick["speed"]["decode_tps_high"]
        assert pick["memory"]["total_bytes"] <= 16 << 30
        assert pick["reasons"]
    runnable = {variant.id for variant in catalog().variants if variant.runs_here}
    assert {pick["model"] for pick in data["picks"]} <= runnable
    assert {out["model"] for out in data["rejected"]} >= {v.id for v in catalog().variants if not v.runs_here}


def test_the_same_simulated_machine_has_the_same_answer(phi: Phi) -> None:
    first, second = (phi("recommend", "--ram", "12G", "--vram", "8G", "--json", "--all").out for _ in range(2))
    assert first == second


@pytest.mark.parametrize("task", [name for name in TASKS if name != "vision"])
def test_every_task_has_a_pick_on_a_good_machine(phi: Phi, task: str) -> None:
    run = phi("recommend", "--task", task, "--machine", "desktop-64gb-rtx4090-24gb", "--json")
    assert run.code == 0
    variant = next(one for one in catalog().variants if one.id == best(run.json)[0])
    assert set(TASKS[task].needs) & set(variant.capabilities)


def test_the_machine_at_hand_is_looked_at(phi: Phi) -> None:
    run = phi("recommend", "--json")
    assert run.code in (0, 5)
    if run.code == 0:
        assert run.json["data"]["hardware"]["simulated"] is None
        assert run.json["data"]["hardware"]["sources"]["memory"]


def test_all_and_explain(phi: Phi) -> None:
    run = phi("recommend", "--machine", "laptop-16gb", "--all", "--explain")
    assert (run.code, run.err) == (0, "")
    assert "MODEL" in run.out
    assert "points of MMLU" in run.out
    assert "no engine on this machine supports it" in run.out


@pytest.mark.parametrize(
    ("arguments", "words", "hint"),
    [
        (["--ram", "12Q"], "--ram", "--ram 16G"),
        (["--ram=-4G"], "--ram", "--ram 16G"),
        (["--vram", "0G"], "--vram", "--vram"),
        (["--bandwidth", "fast"], "--bandwidth", "60GB/s"),
        (["--cores", "0"], "--cores 0", "--cores 8"),
        (["--max-size", "much"], "--max-size", "--max-size 16G"),
        (["--machine", "laptop-8g"], "laptop-8g", "laptop-8gb"),
        (["--task", "cooking"], "unknown task: 'cooking'", "multilingual"),
        (["--ram", "64G", "--context", "1000000"], "the longest is 131,072", "--context 131072"),
        (["--ram", "64G", "--quant", "F16", "--max-size", "1G"], "no model matches", ""),
        (["--ram", "64G", "--license", "GPL"], "no model matches --license GPL", "MIT"),
        (["--ram", "64G", "--installed"], "no model for general use is installed", "phi recommend"),
        (["--ram", "64G", "--kv-type", "f32"], "--kv-type f32 is unknown", "q8_0"),
        (["--ram", "64G", "--min-tps", "nan"], "--min-tps must be more than 0", "--help"),
        (["--ram", "64G", "--calibrate"], "--calibrate measures the real machine", "leave"),
        (["--context", "3"], "--context", "--help"),
    ],
)
def test_what_makes_no_sense_is_told(phi: Phi, arguments: list[str], words: str, hint: str) -> None:
    run = phi("recommend", *arguments, "--json")
    assert run.code == 2, run.out
    assert run.json["error"]["code"] == "usage"
    assert words in run.json["error"]["message"]
    assert hint in run.json["error"]["hint"]


def test_an_unknown_machine_lists_those_there_are(phi: Phi) -> None:
    run = phi("recommend", "--machine", "mainframe")
    assert run.code == 2
    assert all(name in run.err for name in profile_names())


def test_nothing_fits(phi: Phi) -> None:
    run = phi("recommend", "--ram", "1G", "--json")
    assert run.code == 5
    assert run.json["error"]["code"] == "does_not_fit"
    assert "no model fits: 288.0 MiB can be used" in run.json["error"]["message"]
    assert run.json["data"]["missing_bytes"] > 0
    assert {"model", "quant", "reason"} <= set(run.json["data"]["rejected"][0])


def test_pictures(phi: Phi) -> None:
    run = phi("recommend", "--task", "vision", "--ram", "64G")
    assert run.code == 6
    assert "no engine on this machine supports pictures" in run.err
    assert "phi-4-multimodal" in run.err


@pytest.mark.process
def test_a_simulation_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from phicli.app import main\n"
        "code = main(['recommend', '--ram', '16G', '--json'])\n"
        "heavy = ('rich', 'huggingface_hub', 'xllamacpp', 'prompt_toolkit', 'http.client', 'httpx', 'psutil')\n"
        "print('LOADED', code, [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED 0 []"


def test_tasks_and_machines_are_completed(phi: Phi) -> None:
    for words, expected in (("phi recommend --task mu", "multilingual"), ("phi recommend --machine rasp", "raspberry")):
        run = phi(_PHI_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")
        assert run.out.startswith(expected)

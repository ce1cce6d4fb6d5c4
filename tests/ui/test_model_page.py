"""``phi show`` in a pipe and on a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.catalog.load import catalog
from phicli.catalog.types import PROMPT_FORMATS
from phicli.chat_format import format_by_name
from phicli.chat_format.example import prompt_example, spelled
from phicli.chat_format.types import Message
from phicli.plan.description import VariantDescription, describe
from phicli.plan.file_description import FileDescription
from phicli.plan.identify import FormatChoice
from phicli.plan.installed import InstalledModel
from phicli.ui.models.page import example_of, print_description, prompt_section
from phicli.ui.sections import INDENT, plain_lines
from phicli.ui.terminal import Terminal
from tests.support.files import TINY_PHI
from tests.ui.test_terminal import Screen, shown


@pytest.fixture(autouse=True)
def _nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("PHI_HOME", str(tmp_path / "phi"))


def page(what: VariantDescription | FileDescription) -> str:
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), colour=False)
    print_description(terminal, what)
    assert shown(terminal.stderr) == ""
    return shown(terminal.stdout)


def variant(name: str) -> VariantDescription:
    found = describe(name)
    assert isinstance(found, VariantDescription)
    return found


def tiny_file() -> FileDescription:
    found = describe(str(TINY_PHI))
    assert isinstance(found, FileDescription)
    return found


@pytest.mark.parametrize("name", PROMPT_FORMATS)
@pytest.mark.parametrize("reasoning", [False, True])
def test_the_example_is_what_the_format_renders(name: str, reasoning: bool) -> None:
    example = prompt_example(name, reasoning=reasoning)
    assert example is not None
    roles = [message.role for message in example.messages]
    assert roles == (["user"] if name.startswith("completion") else ["system", "user"])
    rendered = format_by_name(name, reasoning=reasoning).render(example.messages)
    assert example.text == "".join(map(spelled, rendered))
    lines = list(plain_lines("title", [prompt_section(example, name)]))
    how = "" if name.startswith("completion") else " with --system"
    below = lines[lines.index(f"Prompt format {name}, on an example{how}") + 1 :]
    assert below[-1]
    assert "\n".join(line.removeprefix(INDENT) for line in below) == example.text.rstrip("\n")


def test_the_example_of_phi_4_mini_is_the_one_of_its_card() -> None:
    example = prompt_example("phi-4-mini")
    assert example is not None
    system, user = example.messages
    assert (system.role, user.role) == ("system", "user")
    assert example.text == f"<|system|>{system.content}<|end|><|user|>{user.content}<|end|><|assistant|>"
    assert isinstance(user, Message)


def test_the_example_is_what_phi_sends() -> None:
    own = example_of(variant("phi-4-reasoning"))
    assert own is not None
    assert own.text.startswith(
        "<|im_start|>system<|im_sep|>You are Phi, a language model trained by Microsoft to help users. …<|im_end|>"
    )
    short = example_of(variant("phi-4-mini-reasoning"))
    assert short is not None
    assert short.messages[0].content == variant("phi-4-mini-reasoning").variant.system_prompt
    code = example_of(variant("phi-1"))
    assert code is not None
    assert code.text.startswith("def is_prime(")
    question = example_of(variant("phi-2"))
    assert question is not None
    assert question.text == "Instruct: How do I boil an egg?\nOutput:"
    assert "on an example with --system" in page(variant("phi-4-mini"))
    assert "on an example\n" in page(variant("phi-4-reasoning"))


def test_there_is_no_example_of_a_template_or_of_nothing() -> None:
    assert prompt_example("template") is None
    assert prompt_example(None) is None
    own = replace(tiny_file(), prompt_format=FormatChoice("template", reasoning=True))
    assert "the chat template in the file" in page(own)


@pytest.mark.parametrize("name", [one.id for one in catalog().variants])
def test_every_fact_of_the_catalogue_is_on_the_page(name: str) -> None:
    found = variant(name)
    one = found.variant
    text = page(found)
    texts = [one.title, one.license, one.runs_on, one.strength, one.best_use, *one.notes, *one.aliases]
    texts += one.languages if len(one.languages) > 3 else ()
    texts += [one.release, one.repo, one.why_not, one.architecture, *one.capabilities, *found.sources.values()]
    for part in [part for part in texts if part]:
        assert " ".join(part.split()) in text
    for file in found.published:
        assert file.filename in text
    for source in one.sources:
        assert source.repo in text
    for score in one.scores:
        assert score.benchmark in text
        assert f" {score.value} " in text
    if one.system_prompt:
        assert " ".join(one.system_prompt.split()) in text
    example = example_of(found)
    assert (example is not None) is one.runs_here
    assert ("Runs elsewhere" in text) is not one.runs_here
    assert text.count("--dry-run") <= 1
    assert "licence" not in text.replace(found.sources.get("phicli", ""), "")


def test_sizes_are_exact_or_rough_or_the_hub_s() -> None:
    found = variant("phi-4-mini")
    file = found.published[0]
    files = tuple(
        replace(file, filename=f"{size}.gguf", size_bytes=size, size_is_exact=exact)
        for size, exact in ((2_491_874_688, True), (1_790_000_000, False), (None, False))
    )
    text = page(replace(found, published=files))
    lines = {line.split()[-1]: line.replace(" * ", " ").split() for line in text.splitlines() if line}
    assert lines["2491874688.gguf"][1:3] == ["2.32", "GiB"]
    assert lines["1790000000.gguf"][1:3] == ["~1.7", "GiB"]
    assert lines["None.gguf"][1] == "?"
    assert f"phi pull {file.repo}:{file.quant} --dry-run" in text
    assert "--dry-run" not in page(replace(found, published=files[:1])).split("To download from")[1]


def test_what_a_pull_takes_has_a_star() -> None:
    def starred(name: str) -> list[str]:
        return [line.split()[-1] for line in page(variant(name)).splitlines() if " * " in line]

    assert starred("phi-4-mini") == ["microsoft_Phi-4-mini-instruct-Q4_K_M.gguf"]
    assert starred("phi-4-mini:q8_0") == ["microsoft_Phi-4-mini-instruct-Q8_0.gguf"]
    assert starred("phi-3-mini-4k:f16") == starred("phi-4-reasoning-vision") == starred("phi-4-multimodal") == []
    assert "phi pull phi-4-mini:q8_0" in page(variant("phi-4-mini:q8_0"))


def test_the_hub_is_asked_about_the_repository_that_is_open() -> None:
    assert "--dry-run" not in page(variant("phi-4-mini"))
    assert "phi pull lmstudio-community/phi-4-GGUF:Q4_K_M --dry-run" in page(variant("phi-4"))
    assert "phi pull lmstudio-community/Phi-3.1-mini-4k-instruct-GGUF --dry-run" in page(variant("phi-3-mini-4k"))


def test_numbers_are_said_as_they_were_published() -> None:
    mini = page(variant("phi-3-mini-128k"))
    assert re.search(r"MBPP +70\.0 ", mini)
    assert "compare only scores from the same source" in mini
    assert re.search(r"RepoQA +77 ", page(variant("phi-3.5-mini")))
    assert re.search(r"benchmark +score +source +note", mini)
    assert re.search(r"benchmark +score +source\n", page(variant("phi-4-mini-flash-reasoning")))
    assert "32 heads of size 96, 32 key-value heads" in mini
    assert "375.0 MiB for 1,000 tokens" in mini
    assert "KV cache" not in page(variant("phi-4-multimodal"))
    assert re.search(r"languages +English\n", mini)
    assert re.search(r"languages +23: ar, zh, ", page(variant("phi-4-mini")))


def test_what_is_installed_where() -> None:
    found = variant("phi-4-mini")
    at = 1_763_809_200.0  # 11:00 in Greenwich: the same day nearly everywhere
    models = (
        InstalledModel("phi-4-mini:q4_k_m", "Q4_K_M", Path("/hub/4.gguf"), 2_491_874_272, "hub cache", "a/b", "c", at),
        InstalledModel("mine", "Q8_0", Path("/mine/8.gguf"), 5 << 30, "ollama"),
    )
    text = page(replace(found, installed=models))
    assert "2.32 GiB, verified 2025-11-22, from a/b" in text
    assert "5.00 GiB, never verified, mine, used in place (ollama)" in text
    assert "/hub/4.gguf" in text
    assert "/mine/8.gguf" in text
    assert "\nInstalled\n" in text
    assert "\nInstalled\n" not in page(found)


def test_a_file_by_its_header() -> None:
    text = page(tiny_file())
    for part in (
        str(TINY_PHI),
        "phi show tiny-phi",
        "phi3",
        "F16",
        "966,784",
        "1,024",
        "256",
        "BPE",
        "1,400",
        "MIT",
    ):
        assert part in text
    split = page(replace(tiny_file(), split_count=3, complete=False, variant=None, parameters=None))
    assert "in 3 files, some of them missing" in split
    assert "phi show" not in split


def test_what_a_file_says_cannot_break_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = replace(tiny_file(), general_name="[bold]a\x1b[2J\nb", said=(("license", "x\x1b]0;t\x07\ny"),))
    text = page(evil)
    assert "\x1b" not in text
    assert "tiny-phi.gguf: [bold]a [2J b" in text
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal(Screen(), Screen(), Screen(), colour=False)
    print_description(terminal, evil)
    assert "\x1b" not in shown(terminal.stdout)
    assert "[bold]a" in shown(terminal.stdout)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_terminal_wraps_and_cuts_nothing(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    terminal = Terminal(Screen(), Screen(), Screen(), colour=False)
    found = variant("phi-4-mini")
    print_description(terminal, found)
    text = shown(terminal.stdout)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text.replace("<think>…</think>", "")
    words = text.split()
    for note in found.variant.notes:
        assert set(note.split()) <= set(words)
    if width >= 80:
        assert {file.filename for file in found.published} <= set(words)

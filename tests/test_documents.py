"""What the documents say is so: examples run, commands parse, links lead somewhere, keys and exit codes are real.

A block that is run has ``<!-- run -->`` in the line before it; a ``text`` block right behind it is what it prints to
standard output, with ``…`` for whatever is different each time. The blocks of one document run in their order, in one
folder and with one set of settings.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from phicli import errors
from phicli.app import app
from tests.support.running import Phi

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "training" / "tiny_phi" / "README.md"])
RUN = re.compile(
    r"^<!-- run -->\n```sh\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(phi [^`\n]+)`")
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")
CODE_FILE = re.compile(r"`([\w./-]+\.(?:py|toml))`")
SEPARATORS = {"|", "||", "&&", "&", ";", "(", ")", "do", "done", "then"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def between(text: str, begin: str, end: str) -> str:
    assert begin in text
    return text.partition(begin)[2].partition(end)[0]


def rows_of(table: str) -> Iterator[list[str]]:
    """The cells of each row of a Markdown table, without its head."""
    for line in table.strip().splitlines()[2:]:
        yield [cell.strip() for cell in line.strip().strip("|").split("|")]


# ------------------------------------------------------------------------------------------------------ they run


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment whose ``phi`` is this checkout's."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "phi").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m phicli "$@"\n')
    (programs / "phi").chmod(0o755)
    (programs / "python3").symlink_to(sys.executable)
    return environment | {"PATH": f"{programs}:{environment['PATH']}"}


def run_in(folder: Path, shell: dict[str, str], code: str) -> str:
    command = ["bash", "-eu", "-c", code]
    done = subprocess.run(command, cwd=folder, env=shell, stdin=subprocess.DEVNULL, capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, f"{code}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="the examples are for a POSIX shell"
)
@pytest.mark.parametrize("path", [path for path in DOCUMENTS if RUN.search(text_of(path))], ids=name_of)
def test_the_examples_run_and_print_what_is_shown(path: Path, shell: dict[str, str], tmp_path: Path, phi: Phi) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    left_out = 0
    for block in RUN.finditer(text_of(path)):
        if "jq " in block["code"] and shutil.which("jq") is None:
            left_out += 1
            continue
        printed = run_in(folder, shell, block["code"])
        if block["shown"] is not None:
            pattern = ".*".join(re.escape(part) for part in block["shown"].strip().split("…"))
            assert re.fullmatch(pattern, printed.strip(), re.DOTALL), f"{block['code']}\nprinted:\n{printed}"
    if left_out:
        pytest.skip(f"{left_out} examples need jq, which is not installed; the others are right")


@pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="the examples are for a POSIX shell"
)
def test_the_hook_of_git_keeps_the_comments_and_reads_any_file(shell: dict[str, str], tmp_path: Path, phi: Phi) -> None:
    text = text_of(ROOT / "docs" / "scripting.md")
    (hook,) = [block["code"] for block in RUN.finditer(text) if "prepare-commit-msg" in block["code"]]
    hook = hook.replace("GIT_EDITOR=true", "GIT_EDITOR=cat")
    (tmp_path / "right").mkdir()
    latin = hook.replace("""echo 'print("hello")' > hello.py""", r"""printf '# caf\351\n' > hello.py""")
    for code in (hook, latin):
        shown = run_in(tmp_path / "right", shell, f"rm -rf repository; {code}")
        assert re.match(r"I am tiny-phi, a toy model.*\n\n# Please enter the commit message", shown, re.DOTALL)
    wrong = latin.replace("phi chat tiny-phi", "phi chat no-such-model").replace(
        "localhost commit", "localhost commit -m x"
    )
    failing = wrong.replace('[ -z "$2" ]', "true").replace(" && git log", " 2>&1 && git log")
    (tmp_path / "wrong").mkdir()
    shown = run_in(tmp_path / "wrong", shell, failing)
    assert shown.startswith("phi: error: model 'no-such-model' not found\nphi:   → ")


def test_every_marked_block_is_found() -> None:
    for path in DOCUMENTS:
        assert len(RUN.findall(text_of(path))) == text_of(path).count("<!-- run -->"), name_of(path)


# --------------------------------------------------------------------------------------------------- they parse


def command_lines(path: Path) -> Iterator[list[str]]:
    """The words of every command line in a document that begins with ``phi``."""
    text = text_of(path)
    for fence in FENCE.finditer(text):
        if fence["kind"] == "sh":
            yield from commands_in(fence["code"])
    for line in INLINE.findall(FENCE.sub("", text)):
        yield from commands_in(line)


def commands_in(code: str) -> Iterator[list[str]]:
    plain = code.replace("\\\n", " ").replace("$(", "( ").replace("\n", "\n;")
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=True)
    lexer.commenters, lexer.whitespace_split = "#", True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in SEPARATORS or set(word) <= set(";|&()"):
            if words[:1] == ["phi"]:
                yield words[1:]
            words = []
        elif word not in {"<", ">", ">>"} or not words:
            words.append(word)


@cache
def root() -> Any:
    return typer.main.get_command(app)


def problem_with(words: list[str]) -> str | None:
    """What is wrong with the command line ``phi WORDS``; None when all its commands and options exist."""
    command, context = root(), root().make_context("phi", ["--help"], resilient_parsing=True)
    before = words
    while hasattr(command, "get_command"):
        while before[:1] and before[0].startswith("-"):
            known = {
                flag
                for parameter in command.get_params(context)
                for flag in (*parameter.opts, *parameter.secondary_opts)
            }
            if before[0] not in known:
                return f"no option {before[0]}"
            before = before[2:] if before[0] == "--profile" else before[1:]
        if not before or before[0] in {"…", "COMMAND"}:
            return None
        inner = command.get_command(context, before[0])
        if inner is None:
            return f"no command {before[0]}"
        command, before = inner, before[1:]
    try:
        inside = command.make_context("phi", [], parent=context, resilient_parsing=True)
        inside.resilient_parsing = False
        values, _, order = command.make_parser(inside).parse_args(args=list(before))
        for parameter in order:
            if parameter.opts[0].startswith("-") and not str(values[parameter.name]).isupper():  # a placeholder
                parameter.process_value(inside, values[parameter.name])
    except (typer.TyperException, errors.PhiError) as error:
        return str(getattr(error, "message", error))
    return None


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=name_of)
def test_every_command_line_parses(path: Path) -> None:
    problems = [(shlex.join(["phi", *words]), problem_with(words)) for words in command_lines(path)]
    assert not [(line, problem) for line, problem in problems if problem]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("phi chat phi-4-mini --no-such", "--no-such"),
        ("phi no-such", "no-such"),
        ("phi cache no-such", "no-such"),
        ("phi bench tiny-phi --repeat often", "integer"),
        ("phi --no-such chat", "--no-such"),
    ],
)
def test_a_command_line_that_is_wrong_is_recognized(line: str, problem: str) -> None:
    (words,) = commands_in(line)
    assert problem in str(problem_with(words))


def test_command_lines_are_found_in_shell_code() -> None:
    code = "git diff | phi chat x 'a b' # no\nanswer=1\nphi list || echo phi\n"
    assert list(commands_in(code)) == [["chat", "x", "a b"], ["list"]]


# ---------------------------------------------------------------------------------------- they lead somewhere


def anchors_of(path: Path) -> set[str]:
    """The anchors that GitHub makes of the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target, anchor in LINK.findall(FENCE.sub("", text_of(path))):
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{name_of(path)} links to {target}"
        assert there.is_relative_to(ROOT), f"{name_of(path)} links out of the repository: {target}"
        assert not anchor or anchor in anchors_of(there), f"{name_of(path)} links to {target}#{anchor}"


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        links = {
            (path.parent / target).resolve() for path in new for target, _ in LINK.findall(text_of(path)) if target
        }
        new = {path for path in links if path.suffix == ".md" and path.exists()} - reached
    assert not [name_of(path) for path in ROOT.glob("docs/**/*.md") if path not in reached]


@pytest.mark.parametrize("name", ["architecture.md"])
def test_every_file_that_is_named_exists(name: str) -> None:
    for named in CODE_FILE.findall(text_of(ROOT / "docs" / name)):
        places = [ROOT / named, ROOT / "phicli" / named]
        assert "NAME" in named or any(place.is_file() for place in places), f"{name} names {named}"


# ------------------------------------------------------------------------------------------------- they are true


def test_the_readme_is_short_and_has_the_test_command() -> None:
    text = text_of(ROOT / "README.md")
    assert len(text.splitlines()) <= 200
    assert "pytest" in between(text, "<!-- the test command -->\n```sh\n", "```")


def test_json_has_the_keys_that_are_listed(phi: Phi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.txt").write_text("What is the capital of France?\n", encoding="utf-8")
    table = between(text_of(ROOT / "docs" / "scripting.md"), "<!-- keys -->\n", "<!-- end of keys -->")
    for command, keys in rows_of(table):
        (words,) = commands_in(command.strip("`"))
        assert set(phi(*words).json["data"]) == set(re.findall(r"`(\w+)`", keys)), command


def test_every_error_is_in_the_table_of_exit_codes() -> None:
    text = text_of(ROOT / "docs" / "scripting.md")
    rows = list(rows_of(between(text, "## Exit codes\n", "<!-- run -->").strip()))
    listed = {(int(number), code) for number, _, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PhiError)]
    assert {(kind.exit_code, kind.code) for kind in kinds if kind is not errors.OutputClosedError} == listed
    assert str(errors.OutputClosedError.exit_code) in {row[0] for row in rows}

"""``phi chat --template`` and ``phi templates`` as people and scripts use them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from phicli.commands.templates.checking import checked_template
from phicli.errors import UsageError
from phicli.templates.finding import read_file
from tests.support.running import Phi, Run

CAPITAL = 'description = "The capital of a country"\nprompt = "What is the capital of {input}?"\n'
PARIS = "The capital of France is Paris.\n"


@pytest.fixture
def own(environment: dict[str, str]) -> Path:
    """The folder of a person's templates."""
    folder = Path(environment["PHI_HOME"]) / "config" / "templates"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def capital(own: Path) -> Path:
    path = own / "capital.toml"
    path.write_text(CAPITAL)
    return path


def sent(phi: Phi, *arguments: str, stdin: bytes | None = None) -> str:
    """The question that the model read."""
    done = phi("chat", "tiny-phi", *arguments, "--session", "s", "-n", "1", "-q", stdin=stdin)
    assert done.code == 0, done.err
    prompt: str = phi("sessions", "show", "s", "--prompt", "1", "--json").json["data"]["prompt"]
    phi("sessions", "rm", "s", "--yes")
    return prompt


def test_the_input_is_the_prompt_or_piped_text(phi: Phi, capital: Path) -> None:
    assert phi("chat", "tiny-phi", "-T", "capital", "France").out == PARIS
    assert phi("chat", "tiny-phi", "--template", "capital", stdin=b"France\n").out == PARIS
    assert phi("chat", "tiny-phi", "-", "-T", str(capital), stdin=b"France\n").out == PARIS
    assert phi("chat", "tiny-phi", "-Tcapital", "--json", "France").json["data"]["text"] == PARIS.strip()


def test_a_fresh_home_has_the_built_in_templates(phi: Phi, environment: dict[str, str]) -> None:
    names = [row["name"] for row in phi("templates", "list", "--json").json["data"]["templates"]]
    assert names == ["commit", "explain", "extract", "review", "summary", "translate"]
    assert not Path(environment["PHI_HOME"]).exists(), "looking makes nothing"
    for name in names:
        form = ("--choice", "a,b") if name == "extract" else ()  # as an object, tiny-phi writes names twice
        done = phi("chat", "tiny-phi", "-T", name, "-n", "3", *form, "-q", stdin=b"--- a\n+++ b\n-x\n+y\n")
        assert (done.code, bool(done.out.strip())) == (0, True), name


def test_files_piped_text_and_prompt_are_the_input(phi: Phi, own: Path, tmp_path: Path) -> None:
    (own / "t.toml").write_text('prompt = "<{input}>"')
    (own / "first.toml").write_text('prompt = "{input}\\n\\nShort!"')
    file = tmp_path / "a.txt"
    file.write_text("of a file")
    block = f"File {file}:\n<file>\nof a file\n</file>"
    assert sent(phi, "-T", "t", "typed") == "<typed>"
    assert sent(phi, "-T", "t", "typed", stdin=b"piped\n") == "<piped\n\ntyped>"
    assert sent(phi, "-T", "t", "-f", str(file)) == f"<{block}>"
    assert sent(phi, "-T", "t", "-f", str(file), "typed", stdin=b"piped\n") == f"<{block}\n\npiped\n\ntyped>"
    assert sent(phi, "-T", "first", "-f", str(file), stdin=b"piped\n") == f"{block}\n\npiped\n\nShort!"
    assert sent(phi, "-T", "first", "typed", stdin=b"piped\n") == "piped\n\ntyped\n\nShort!"
    assert sent(phi, "-T", "first", "-", stdin=b"piped {input}\n") == "piped {input}\n\nShort!"


def test_a_prompt_without_input_is_a_whole_question(phi: Phi, own: Path) -> None:
    (own / "hamlet.toml").write_text('prompt = "Who wrote Hamlet?"')
    assert phi("chat", "tiny-phi", "-T", "hamlet").out == "William Shakespeare wrote Hamlet.\n"
    assert sent(phi, "-T", "hamlet", "In a word.") == "Who wrote Hamlet?\n\nIn a word."
    assert sent(phi, "-T", "hamlet", stdin=b"piped\n") == "piped\n\nWho wrote Hamlet?"
    assert sent(phi, "-T", "hamlet", "-", stdin=b"piped\n") == "piped\n\nWho wrote Hamlet?"
    assert sent(phi, "-T", "hamlet", "typed", stdin=b"piped\n") == "piped\n\nWho wrote Hamlet?\n\ntyped"
    assert sent(phi, "-T", "hamlet", "--no-stdin", stdin=b"piped\n") == "Who wrote Hamlet?"
    (own / "hamlet.toml").write_text('prompt = "{x}"')
    refused(phi("chat", "tiny-phi", "-T", "hamlet", "--var", "x= "), 2, "the prompt is empty")


def test_a_template_without_a_prompt_leaves_the_question(phi: Phi, own: Path) -> None:
    (own / "system.toml").write_text('system = "Your name is Phi."\nmax_tokens = 3')
    assert sent(phi, "-T", "system", "typed", stdin=b"piped\n") == "piped\n\ntyped"
    assert phi("chat", "tiny-phi", "-T", "system").code == 2


@pytest.mark.parametrize("arguments", [[], ["--no-stdin"], [" "]], ids=str)
def test_without_input(phi: Phi, capital: Path, arguments: list[str]) -> None:
    done = phi("chat", "tiny-phi", "-T", "capital", *arguments)
    assert done.code == 2
    assert "prompt" in done.err


def settings_of(phi: Phi, *arguments: str, **more: str) -> dict[str, object]:
    done = phi("chat", "tiny-phi", "France", "-T", "t", "--json", *arguments, **more)
    assert done.code == 0, done.out
    data = done.json["data"]
    return {**data["settings"], "model": data["model"], "completion_tokens": data["usage"]["completion_tokens"]}


def test_an_option_wins_over_the_template_and_the_template_over_settings(phi: Phi, own: Path) -> None:
    (own / "t.toml").write_text(f"{CAPITAL}temperature = 0.5\ntop_k = 7\nseed = 11\nmax_tokens = 2\nstop = 'Rome'\n")
    (own.parent / "config.toml").write_text("[chat]\ntemperature = 0.9\ntop_k = 5\ntop_p = 0.25\nseed = 5\n")
    settings = settings_of(phi, "--top-k", "3", PHI_CHAT_SEED="9")
    assert (settings["temperature"], settings["top_k"], settings["top_p"], settings["seed"]) == (0.5, 3, 0.25, 11)
    assert settings["completion_tokens"] == 2
    assert settings_of(phi, "-n", "1", "--temp", "0")["completion_tokens"] == 1


def test_the_system_message(phi: Phi, own: Path) -> None:
    (own / "t.toml").write_text('system = "You like {what}."\n[variables]\nwhat = "cats"')
    for arguments, system in [
        ([], "You like cats."), (["--var", "what=dogs"], "You like dogs."), (["--system", "No."], "No."),
    ]:  # fmt: skip
        assert phi("chat", "tiny-phi", "hello", "-T", "t", "--session", "s", "-n", "1", *arguments).code == 0
        messages = phi("sessions", "show", "s", "--json").json["data"]["messages"]
        assert messages[0] == {"role": "system", "content": system}


def test_the_model(phi: Phi, own: Path) -> None:
    (own / "t.toml").write_text(f'model = "tiny-phi"\n{CAPITAL}')
    assert phi("chat", "-T", "t", stdin=b"France\n").out == PARIS
    assert phi("chat", "France", "-T", "t").out == PARIS, "a first argument that names no model is the prompt"
    assert phi("chat", "-T", "t", stdin=b"France\n", PHI_MODEL="phi-4").out == PARIS
    done = phi("chat", "phi-4", "-T", "t", "France")
    assert done.code == 3
    assert "phi-4 is not on this machine" in done.err
    (own / "t.toml").write_text(f'model = "phi-5-nano"\n{CAPITAL}')
    done = phi("chat", "-T", "t", "France")
    assert done.code == 2
    assert f'{own / "t.toml"}, line 1: model = "phi-5-nano" is not valid' in done.err
    assert "fix it: phi templates edit t" in done.err


def test_a_template_in_a_session(phi: Phi, capital: Path) -> None:
    assert phi("chat", "tiny-phi", "--session", "s", "Who wrote Hamlet?").code == 0
    assert phi("chat", "--session", "s", "-T", "capital", "France").out == PARIS
    assert phi("chat", "-C", "-T", "capital", stdin=b"Italy").out == "The capital of Italy is Rome.\n"
    assert phi("sessions", "show", "s", "--prompt", "3").out == "What is the capital of Italy?"


def refused(done: Run, code: int, *said: str) -> None:
    assert done.code == code, done.err
    assert done.out == ""
    for text in said:
        assert text in done.err.replace("\n    ", " ").replace("\n  ", " "), done.err


def test_mistakes(phi: Phi, own: Path, capital: Path) -> None:
    (own / "t.toml").write_text('prompt = "{input} {language}"')
    ask = ("chat", "tiny-phi", "hello", "-T")
    refused(phi(*ask, "t"), 2, "template t requires a value for language", "add --var language=VALUE")
    refused(phi(*ask, "t", "--var", "langage=x"), 2, "has no variable 'langage'", "did you mean language?")
    refused(phi(*ask, "capitol"), 3, "template 'capitol' not found", "did you mean capital?")
    refused(phi(*ask, "./no.toml"), 3, "no.toml not found")
    refused(phi(*ask, str(own)), 2, "is not a regular file")
    refused(phi("chat", "tiny-phi", "hello", "--var", "a=b"), 2, "--var requires a template", "add --template NAME")
    refused(phi(*ask, ""), 3, "template '' not found")
    error = phi(*ask, "t", "--json").json["error"]
    assert (error["code"], error["message"]) == ("usage", "template t requires a value for language")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("top_p = 7", "top_p = 7 is not valid: --top-p 7.0 is not between 0 and 1"),
        ('temperature = "warm"', 'temperature = "warm" is not a number'),
        ("top_k = 1.5", "top_k = 1.5 is not a whole number"),
        ("seed = -7", "seed = -7 is not valid"),
        ("max_tokens = true", "max_tokens = true is not a whole number"),
        ("min_p = nan", "min_p = nan is not valid"),
        ("stop = [1, [2]]", "stop = [1, [2]] is not a list of strings"),
        ('stop = ""', "--stop is empty"),
        ("seed = 2026-01-01", "is not a whole number"),
        ('threads = "4"', "threads is not a key of a template"),
    ],
)
def test_values_are_refused_as_those_of_the_options(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text(f"{CAPITAL}{line}\n")
    with pytest.raises(UsageError) as caught:
        checked_template(read_file("t", path, "yours"))
    assert caught.value.message.startswith(f"{path}, line 3: {line.partition(' ')[0]} ")
    assert said in caught.value.message
    assert caught.value.hint.endswith("fix it: phi templates edit t")


def test_a_wrong_value_is_refused_by_every_command(phi: Phi, own: Path) -> None:
    path = own / "t.toml"
    path.write_text(f"{CAPITAL}top_p = 7\n")
    said = f"{path}, line 3: top_p = 7 is not valid: --top-p 7.0 is not between 0 and 1"
    refused(phi("chat", "tiny-phi", "France", "-T", "t"), 2, said)
    refused(phi("templates", "show", "t"), 2, said)
    row = next(row for row in phi("templates", "list", "--json").json["data"]["templates"] if row["name"] == "t")
    assert said in row["problem"]["message"]


def test_list(phi: Phi, own: Path, capital: Path) -> None:
    (own / "commit.toml").write_text('prompt = "{"')
    done = phi("templates", "list")
    assert done.code == 0
    heading, *rows = done.out.splitlines()
    assert heading.split() == ["NAME", "DESCRIPTION", "VARIABLES", "FROM"]
    assert rows[0].split() == ["capital", "The", "capital", "of", "a", "country", "-", "yours"]
    assert rows[1].split() == ["commit", "has", "an", "error", "-", "yours,", "replaces", "the", "built-in", "one"]
    assert f"warning: {own / 'commit.toml'}, line 1: prompt has a single brace" in done.err
    data = phi("templates", "ls", "--json").json["data"]
    assert data["folder"] == str(own)
    assert data["templates"][0] == {
        "name": "capital", "description": "The capital of a country", "variables": [], "takes_input": True,
        "origin": "yours", "replaces_built_in": False, "path": str(capital), "problem": None,
    }  # fmt: skip


def test_show(phi: Phi, own: Path, capital: Path) -> None:
    assert phi("templates", "show", "capital").out == CAPITAL
    copy = own / "copy.toml"
    copy.write_text(phi("templates", "show", "translate").out)
    data = phi("templates", "show", str(copy), "--json").json["data"]
    assert (data["name"], data["origin"]) == (str(copy), "file")
    assert data["variables"] == {"language": "English"}
    assert data["prompt"].startswith("{input}")
    assert data["takes_input"] is True
    (own / "s.toml").write_text('prompt = "{x}"\nseed = 1\n[schema]\ntype = "object"')
    data = phi("templates", "show", "s", "--json").json["data"]
    assert (data["variables"], data["options"], data["schema"]) == ({"x": None}, {"seed": 1}, {"type": "object"})
    refused(phi("templates", "show", "capitol"), 3, "did you mean capital?")


def test_editing_needs_a_terminal_and_a_name(phi: Phi, own: Path) -> None:
    refused(phi("templates", "edit", "new"), 2, "an editor needs a terminal", str(own / "new.toml"))
    refused(phi("templates", "edit", "./new.toml"), 2, "is a path", "phi templates show ./new.toml")
    refused(phi("templates", "edit", "a b"), 2, "cannot be the name of a template")


def test_settings_cannot_choose_a_template(phi: Phi, own: Path) -> None:
    refused(phi("config", "set", "chat.template", "commit"), 3, "--template can be given only on the command line")
    (own.parent / "config.toml").write_text("[chat\n")
    assert phi("templates", "list").code == 0, "a broken file of settings is not read"


def complete(phi: Phi, line: str) -> list[str]:
    return phi(_PHI_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(line.count(" "))).out.split()


def test_completion(phi: Phi, capital: Path) -> None:
    assert complete(phi, "phi chat -T c") == ["capital", "commit"]
    assert complete(phi, "phi chat --template tr") == ["translate"]
    assert complete(phi, "phi templates edit su") == ["summary"]
    assert complete(phi, "phi templates show ex") == ["explain", "extract"]
    assert complete(phi, "phi chat -T translate --var ") == ["language="]
    assert complete(phi, "phi chat --var ") == []
    assert complete(phi, "phi chat -T nope --var ") == []


def test_nothing_of_templates_is_loaded_without_one(phi: Phi, capital: Path, environment: dict[str, str]) -> None:
    code = (
        "import json, sys\n"
        "from phicli.app import main\n"
        "code = main(sys.argv[1:])\n"
        "loaded = [name for name in sys.modules if name.startswith(('tomllib', 'phicli.templates'))]\n"
        "print(json.dumps(loaded))\n"
    )
    for arguments, loads in [
        (["--help"], False), (["chat", "--help"], False), (["chat", "tiny-phi", "Hi"], False),
        (["chat", "tiny-phi", "-T", "capital", "France"], True),
    ]:  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, check=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert bool(json.loads(done.stdout.splitlines()[-1])) is loads, arguments

"""Every option that can be set: the command line wins, then variables, the profile, the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from phicli.app import app
from phicli.commands import ALIASES, SHARED_SETTINGS
from phicli.commands.command import Command
from phicli.commands.config.setting import Option
from phicli.commands.config.table import all_settings
from phicli.commands.group import build, every_command
from phicli.commands.keys import TYPED_EACH_TIME, flags_of
from phicli.errors import NotFoundError, UsageError
from phicli.settings.key import variable_of
from phicli.settings.lines import toml

OTHER_VARIABLES = {"PHI_HOME", "PHI_PROFILE", "PHI_DEBUG", "PHI_API_KEY", "PHI_SERVE_KEY", "PHI_ENDPOINT_TIMEOUT"}
SAMPLES = [
    "true", "false", "41", "0.5", "q8_0", "on", "text",
    "code", "laptop-8gb", "llama-server", "phi-3", "eval", "16G", "60GB/s", "drop", "latin-1", "https://example.org",
]  # fmt: skip


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the settings, and no variable."""
    import os

    for name in [name for name in os.environ if name.startswith("PHI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PHI_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "config.toml"


def values_of(command: Command, *arguments: str) -> Any:
    """What the function of ``command`` would get, and what Typer knows of it."""
    required = [one for one in command.params if one.param_type_name == "argument" and one.required]
    words = [*arguments, *("x" for one in required if one.envvar is None)]
    return command.make_context(str(command.name), words)


def value(command: Command, parameter: str, *arguments: str) -> Any:
    return values_of(command, *arguments).params[parameter]


def sample(option: Option) -> tuple[str, Any]:
    """A value other than the default as it is typed, and as TOML has it."""
    for text in SAMPLES:
        try:
            read = option.read(text, from_file=False)
        except UsageError:
            continue
        if read != option.parameter.default:
            return text, text if isinstance(read, list | Path) else read
    raise AssertionError(option.parameter.name)


OPTIONS = [(name, option) for name, setting in all_settings().items() for option in setting.options]
IDS = [f"{name}-{option.command.setting}" for name, option in OPTIONS]


@pytest.mark.parametrize(("key", "option"), OPTIONS, ids=IDS)
def test_every_option(key: str, option: Option, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command, name = option.command, option.parameter.name
    text, in_toml = sample(option)
    expected = option.read(text, from_file=False)
    assert value(command, name) != expected
    file.write_text(f"{key} = {toml(in_toml)}\n")
    assert value(command, name) == expected
    file.unlink()
    monkeypatch.setenv(variable_of(key), text)
    assert value(command, name) == expected


def test_every_key_has_a_variable_of_its_own() -> None:
    variables = [variable_of(name) for name in all_settings()]
    assert len(set(variables)) == len(variables)
    assert not OTHER_VARIABLES.intersection(variables)


def test_the_shared_settings_are_those_of_several_commands() -> None:
    for name in SHARED_SETTINGS:
        assert len(all_settings()[name].options) > 1, name
    assert {one.command.setting for one in all_settings()["threads"].options} >= {"chat", "bench"}


def test_what_is_typed_each_time_is_never_a_setting() -> None:
    for setting in all_settings().values():
        for option in setting.options:
            assert not TYPED_EACH_TIME.intersection(flags_of(option.parameter)), setting.key.name


def test_all_of_them_are_options() -> None:
    there = {name for command in every_command() for parameter in command.params for name in flags_of(parameter)}
    assert TYPED_EACH_TIME - there == {"help", "version", "profile"}


def test_a_command_that_asks_takes_no_settings() -> None:
    asking = [
        one
        for one in every_command()
        if any("--yes" in parameter.opts for parameter in one.params) and one.setting != "chat"
    ]  # which asks about files that were typed
    assert {one.setting for one in asking} >= {"rm", "cache.prune"}
    for command in asking:
        assert command.keys(typer.Context(command)) == {}


def test_the_filter_of_runs_is_not_the_model_that_is_meant(file: Path) -> None:
    file.write_text("model = 'tiny-phi'\n")
    assert value(build("runs", "list"), "model") is None
    assert value(build("cache", "verify"), "model") is None
    assert value(build("", "chat"), "model") == "tiny-phi"
    assert value(build("", "bench"), "models") == ["tiny-phi"]


def test_a_setting_is_not_taken_for_something_typed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands refuse what was typed and has no meaning beside the rest; they leave out what is only set."""
    file.write_text("threads = 3\nmodel = 'x'\n")
    monkeypatch.setenv("PHI_KV_TYPE", "q8_0")
    ctx = values_of(build("", "bench"), "--context", "64")
    typed = {name for name in ctx.params if ctx.get_parameter_source(name).name == "COMMANDLINE"}
    assert typed == {"context"}
    assert (ctx.params["threads"], ctx.params["kv_type"]) == ("3", "q8_0")


LEVELS = [
    ("--threads", "1"),
    ("PHI_CHAT_THREADS", "2"),
    ("PHI_THREADS", "3"),
    ("profile.fast.chat.threads", "4"),
    ("profile.fast.threads", "5"),
    ("chat.threads", "6"),
    ("threads", "7"),
    ("", None),
]


@pytest.mark.parametrize("highest", range(len(LEVELS)))
@pytest.mark.parametrize("word", ["chat", "run"])
def test_the_order(word: str, highest: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of chat and of its alias: all levels from ``highest`` on are there, and it wins."""
    monkeypatch.setenv("PHI_PROFILE", "fast")
    lines = ["[profile.fast.list]"]
    arguments: list[str] = []
    for name, text in LEVELS[highest:]:
        if name.startswith("--"):
            arguments = [name, str(text)]
        elif name.startswith("PHI_"):
            monkeypatch.setenv(name, str(text))
        elif name:
            lines.insert(0, f"{name} = {text}")
    file.write_text("\n".join(lines))
    root: Any = typer.main.get_command(app)
    expected = LEVELS[highest][1]
    command = root.get_command(None, word)
    assert value(command, "threads", *arguments) == (expected and int(expected))


@pytest.mark.parametrize(
    ("key", "text", "chat", "bench"),
    [
        ("threads", "3", 3, "3"),
        ("context", "64", 64, 64),
        ("kv_type", '"q8_0"', "q8_0", "q8_0"),
        ("gpu_layers", "0", 0, "0"),
        ("model", '"tiny-phi"', "tiny-phi", ["tiny-phi"]),
    ],
)
def test_shared_settings(
    key: str, text: str, chat: Any, bench: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds for both commands, by the file and by its variable; a flag of either wins."""
    names = {"chat": key, "bench": "models" if key == "model" else key}
    file.write_text(f"{key} = {text}\n")
    for _ in ("by the file", "by the variable"):
        assert value(build("", "chat"), names["chat"]) == chat
        assert value(build("", "bench"), names["bench"]) == bench
        file.write_text("")
        monkeypatch.setenv(variable_of(key), text.strip('"'))
    typed = ["phi-4"] if key == "model" else [f"--{key.replace('_', '-')}", "32" if key != "kv_type" else "q4_0"]
    for name in ("chat", "bench"):
        assert str(value(build("", name), names[name], *typed)).strip("[']") == typed[-1]


@pytest.mark.parametrize("text", ["4", '"4"'])
def test_numbers_may_be_texts(text: str, file: Path) -> None:
    file.write_text(f"threads = {text}\n")
    assert value(build("", "chat"), "threads") == 4
    assert value(build("", "bench"), "threads") == "4"


def test_a_list_of_bench_is_nothing_for_chat(file: Path) -> None:
    file.write_text('threads = "1,2"\n')
    assert value(build("", "bench"), "threads") == "1,2"
    with pytest.raises(UsageError, match=r'config.toml, line 1: threads = "1,2" is not a whole number from 1 to'):
        values_of(build("", "chat"))
    assert value(build("", "chat"), "threads", "--threads", "2") == 2
    file.write_text('threads = "1,2"\nchat.threads = 2\n')
    assert value(build("", "chat"), "threads") == 2


def test_switches(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("chat.quiet = true\nbench.quality = false\n")
    assert value(build("", "chat"), "quiet") is True
    assert value(build("", "bench"), "quality") is False
    assert value(build("", "bench"), "quality", "--quality") is True
    for text, expected in (("0", False), ("false", False), ("1", True), ("yes", True), ("", True)):
        monkeypatch.setenv("PHI_CHAT_QUIET", text)
        assert value(build("", "chat"), "quiet") is expected


BAD = [
    ("chat.max_tokens = 0", "chat", "chat.max_tokens = 0 is not valid: --max-tokens 0 is not between", ""),
    ("chat.max_tokens = 1.5", "chat", "chat.max_tokens = 1.5 is not a whole number", "unset chat.max_tokens"),
    ("chat.max_tokens = true", "chat", "chat.max_tokens = true is not a whole number", "phi config edit"),
    ("chat.max_tokens = [1]", "chat", "chat.max_tokens = [1] is not", ""),
    ("chat.max_tokens.x = 1", "chat", "chat.max_tokens = {…} is not", ""),
    ("chat.temperature = 'hot'", "chat", 'chat.temperature = "hot" is not a number', ""),
    ("chat.temperature = nan", "chat", "chat.temperature = nan is not valid", ""),
    ("chat.quiet = 1", "chat", "chat.quiet = 1 is not true or false", ""),
    ("chat.quiet = 'yes'", "chat", 'chat.quiet = "yes" is not true or false', ""),
    ("chat.system = 2024-01-01", "chat", "chat.system = 2024-01-01 is not a string", ""),
    ("chat.context = 8", "chat", "chat.context = 8 is not a whole number of at least 32", ""),
    ("kv_type = 'f17'", "chat", 'kv_type = "f17" is not valid', "f16"),
    ("chat.max_tokenz = 1", "chat", "chat.max_tokenz is not a setting", "did you mean chat.max_tokens?"),
    ("chat.max-tokens = 1", "chat", "chat.max-tokens is not a setting", "did you mean chat.max_tokens?"),
    ("chat.json = true", "chat", "chat.json is not a setting", "--json can be given only on the command line"),
    ("rm.yes = true", "rm", "rm.yes is not a setting", "--yes can be given only on the command line"),
    ("thread = 1", "list", "thread is not a setting", "did you mean threads?"),
    ("run.seed = 1", "list", "run is not a setting", "did you mean chat?"),
    ("chat = 1", "chat", "chat is not a table", "[chat]"),
    ("cache = 1", "cache.verify", "cache is not a table", "[cache]"),
    ("cache.verifi.quiet = true", "cache.verify", "cache.verifi is not a setting", "did you mean cache.verify?"),
    ("cache.verify.quite = true", "cache.verify", "cache.verify.quite is not a setting", "cache.verify.quiet?"),
    ("config.all = true", "list", "config is not a setting", ""),
    ("profile.fast = 1", "chat", "profile.fast is not a table", "[profile.fast]"),
    ("profile.fast.chat.sed = 1", "chat", "profile.fast.chat.sed is not a setting", "profile.fast.chat.seed?"),
    ("profile.fast.chat.seed = 'x'", "chat", 'profile.fast.chat.seed = "x" is not', "profile.fast.chat.seed"),
    ("profile.fast.profile.x = 1", "chat", "profile.fast.profile is not a setting", ""),
]


@pytest.mark.parametrize(("text", "command", "says", "hints"), BAD, ids=[bad[0] for bad in BAD])
def test_mistakes_name_file_line_and_remedy(
    text: str, command: str, says: str, hints: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = "" if text.startswith("profile.fast") else "[profile.fast]\n"
    file.write_text(f"# a comment\n\n{text}\n{profile}")
    monkeypatch.setenv("PHI_PROFILE", "fast")
    within, _, name = command.rpartition(".")
    with pytest.raises(UsageError) as refused:
        values_of(build(within, name))
    assert f"{file}, line 3: {says}" in refused.value.message
    assert hints in refused.value.hint
    assert "phi config edit" in refused.value.hint
    assert "phi config unset " in refused.value.hint


def test_mistakes_of_other_commands_are_not_in_the_way(file: Path) -> None:
    file.write_text("chat.max_tokenz = 1\nbench.repeat = 'x'\nthreads = 'x'\nprofile.slow.x = 1\n")
    values_of(build("", "list"))
    values_of(build("cache", "list"))


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHI_CHAT_SEED", "x")
    with pytest.raises(UsageError, match="PHI_CHAT_SEED=x is not a whole number") as refused:
        values_of(build("", "chat"))
    assert "unset PHI_CHAT_SEED" in refused.value.hint


def test_a_profile_that_is_not_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[profile.fast]\n[profile.slow]\n")
    monkeypatch.setenv("PHI_PROFILE", "nope")
    with pytest.raises(NotFoundError, match="nope") as missing:
        values_of(build("cache", "dir"))
    assert "fast, slow" in missing.value.hint


def test_aliases_are_not_settings() -> None:
    assert not set(ALIASES) & {name.partition(".")[0] for name in all_settings()}

"""What the settings do to the other commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.endpoint import Behaviour, Endpoint
from tests.support.running import Phi

QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris.\n"


def tokens_of(run: Any) -> int:
    assert run.code == 0, run.err
    found: int = run.json["data"]["usage"]["completion_tokens"]
    return found


def test_a_flag_wins_over_a_variable_over_a_profile_over_the_file(phi: Phi, file: Path) -> None:
    file.write_text("[chat]\nmax_tokens = 4\n[profile.fast.chat]\nmax_tokens = 3\n")
    ask = ("chat", "tiny-phi", QUESTION, "--json")
    assert tokens_of(phi(*ask)) == 4
    assert tokens_of(phi("run", *ask[1:])) == 4
    assert tokens_of(phi("--profile", "fast", *ask)) == 3
    assert tokens_of(phi(*ask, "--profile", "fast")) == 3
    assert tokens_of(phi(*ask, PHI_PROFILE="fast")) == 3
    assert tokens_of(phi("--profile", "fast", *ask, PHI_CHAT_MAX_TOKENS="2")) == 2
    assert tokens_of(phi("--profile", "fast", *ask, "-n", "1", PHI_CHAT_MAX_TOKENS="2")) == 1
    assert tokens_of(phi(*ask, PHI_CHAT_MAX_TOKENS="")) == 4


def test_bench_takes_what_holds_for_all_commands(phi: Phi, file: Path) -> None:
    file.write_text('model = "tiny-phi"\nthreads = 1\nkv_type = "q8_0"\n[bench]\nrepeat = 2\ntokens = 3\n')
    (run,) = phi("bench", "--quick", "-p", "0", "--json").json["data"]["runs"]
    assert (run["model"], run["settings"]["threads"], run["settings"]["kv_type"]) == ("tiny-phi", 1, "q8_0")
    assert (len(run["samples"]), run["generated_tokens"]) == (2, 3)
    (run,) = phi("bench", "--quick", "-p", "0", "-r", "1", "--json", PHI_KV_TYPE="f16").json["data"]["runs"]
    assert (len(run["samples"]), run["settings"]["kv_type"]) == (1, "f16")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(lambda _: Behaviour(pieces=("a ",) * 8, pause_s=0.001)) as found:
        yield found


def test_what_holds_for_models_is_left_out_for_an_endpoint(phi: Phi, file: Path, endpoint: Endpoint) -> None:
    file.write_text('model = "tiny-phi"\nthreads = 1\ncontext = 64\nkv_type = "q8_0"\n[bench]\nrequests = 1\n')
    for given in (["--url", endpoint.url], [endpoint.url]):
        run = phi("bench", *given, "-n", "8", "-p", "32", "--json")
        assert run.code == 0, run.err
        assert run.json["data"]["endpoint"]["model"] == "first-model"
    run = phi("bench", "--quick", "-p", "0", "-n", "2", "--json")
    assert run.json["data"]["runs"][0]["model"] == "tiny-phi"
    assert phi("bench", endpoint.url, "--threads", "1").code == 2
    assert phi("autotune", "--reset").code == 0
    assert phi("autotune", "--reset", "--threads", "1").code == 2


def test_a_default_model(phi: Phi, file: Path) -> None:
    assert phi("chat", QUESTION).code == 3
    assert "phi config set model" in phi("chat", QUESTION).err
    assert phi("config", "set", "model", "tiny-phi").code == 0
    assert file.read_text() == 'model = "tiny-phi"\n'
    assert phi("chat", QUESTION).out == ANSWER
    assert phi("chat", "What is the capital", "of France?").out == ANSWER
    assert phi("chat", stdin=QUESTION.encode()).out == ANSWER
    assert phi("chat", "phi-4", QUESTION).code == 3
    assert phi("chat", QUESTION, PHI_MODEL="no-such-model").code == 3
    assert "PHI_MODEL=no-such-model" in phi("chat", QUESTION, PHI_MODEL="no-such-model").err


def test_a_file_with_white_space_in_its_name_is_a_model(phi: Phi, file: Path, tmp_path: Path) -> None:
    file.write_text('model = "tiny-phi"\n')
    model = tmp_path / "my own model"
    model.write_bytes(b"not a model")
    run = phi("chat", str(model), QUESTION)
    assert run.code not in (0, 3)
    assert "my own model" in run.err


def test_an_error_of_a_command_names_the_setting(phi: Phi, file: Path) -> None:
    file.write_text('[recommend]\ntask = "cooking"\n[bench]\nthreads = "1,x"\n')
    wrong = phi("recommend")
    assert wrong.code == 2
    assert f'{file}, line 2: recommend.task = "cooking"' in wrong.err
    assert "phi config unset recommend.task" in wrong.err
    wrong = phi("bench", "tiny-phi", "--json").json["error"]
    assert f'{file}, line 4: bench.threads = "1,x"' in wrong["message"]
    assert "PHI_RECOMMEND_TASK=skiing" in phi("recommend", PHI_RECOMMEND_TASK="skiing").err
    assert str(file) not in phi("recommend", "--task", "skiing").err


def test_where_nothing_is_set_nothing_is_loaded(environment: dict[str, str]) -> None:
    code = (
        "import sys\nfrom phicli.app import main\ncode = main(['list'])\n"
        "loaded = {name for name in sys.modules if name.startswith('phicli.settings.')}\n"
        "print('LOADED', code, sorted(loaded - {'phicli.settings.environment'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED 0 ['phicli.settings.key']"


def test_the_command_of_an_error_is_not_the_name_of_a_profile(phi: Phi) -> None:
    assert phi("--profile", "list", "cache", "ls", "--json").json["command"] == "cache list"


def test_a_setting_that_needs_another_option_waits_for_it(phi: Phi, file: Path) -> None:
    file.write_text('[bench]\nfail_below = 0.5\nllama_server = "/nope"\n[eval]\nllama_server = "/nope"\n')
    quick = ("bench", "tiny-phi", "--quick", "-p", "8", "-n", "4", "-r", "1")
    assert phi(*quick).code == 0
    assert phi("eval", "tiny-phi", "--set", "arithmetic", "--limit", "1").code == 0
    for arguments in (quick, ("eval", "tiny-phi", "--set", "arithmetic")):
        with_engine = phi(*arguments, "--engine", "llama-server")
        assert with_engine.code == 3
        assert "/nope" in with_engine.err
    typed = phi(*quick, "--fail-below", "0.7")
    assert typed.err.startswith("error: --fail-below requires --baseline\n")
    compared = phi(*quick, "--baseline", "last", "--json", PHI_BENCH_FAIL_BELOW="0.0001")
    assert compared.json["data"]["baseline"]["fail_below"] == 0.0001


def test_of_repeat_and_requests_the_typed_one_counts(phi: Phi, file: Path) -> None:
    file.write_text("[bench]\nrepeat = 7\n")
    with Endpoint() as endpoint:
        ask = ("bench", endpoint.url, "-p", "8", "-n", "4", "--json")

        def requests(*typed: str, **variables: str) -> int:
            (level,) = phi(*ask, *typed, **variables).json["data"]["endpoint"]["levels"]
            found: int = level["requests"]
            return found

        assert requests() == 7
        assert requests("--requests", "3") == 3
        assert requests(PHI_BENCH_REQUESTS="4") == 4
        assert requests("--repeat", "2", PHI_BENCH_REQUESTS="4") == 2


def test_a_baseline_that_is_set_and_not_there_is_named(phi: Phi, file: Path) -> None:
    """Nothing was measured, so the same command would fail forever."""
    file.write_text('[bench]\nbaseline = "last"\n[eval]\nset = "nowhere"\n')
    run = phi("bench", "tiny-phi", "--quick")
    assert (run.code, run.err) == (
        3,
        f'error: {file}, line 2: bench.baseline = "last": --baseline last: no run has been saved yet\n'
        "  → measure once without --baseline; fix it: phi config edit; "
        "or remove it: phi config unset bench.baseline\n",
    )
    assert f'{file}, line 4: eval.set = "nowhere": ' in phi("eval", "tiny-phi").err


def test_an_empty_model_is_named(phi: Phi, file: Path) -> None:
    file.write_text('model = ""\n')
    for arguments in (["chat", QUESTION], ["bench"], ["eval", "--set", "arithmetic"]):
        run = phi(*arguments)
        assert run.code == 2
        assert run.err.startswith(f'error: {file}, line 1: model = "": the name of the model is empty')
        assert run.err.endswith("or remove it: phi config unset model\n")


def test_a_list_is_shown_as_it_can_be_told_from_one_text(phi: Phi) -> None:
    assert phi("config", "set", "chat.stop", "one, two", "three").code == 0
    assert phi("config", "get", "chat.stop").out == '["one, two", "three"]\n'
    assert phi("config", "get", "chat.stop", "--json").json["data"]["value"] == ["one, two", "three"]

"""The file of the remotes: what is written, what is read, and which line is wrong."""

from __future__ import annotations

import stat
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phicli.errors import NotFoundError, UsageError
from phicli.remotes import known
from phicli.remotes.kinds import KINDS
from phicli.remotes.types import Remote

LAB = Remote("lab", "https://lab.example.org/v1", "vllm", "LAB_KEY")
BOX = Remote("home.box", "http://127.0.0.1:11434/v1", "ollama")


def test_nothing_is_known_without_a_file(home: Path) -> None:
    assert known.remotes() == ()
    assert known.names() == ()
    assert known.find("lab") is None
    assert not home.exists()


def test_what_is_added_is_found_in_any_case() -> None:
    known.add(LAB)
    known.add(BOX)
    assert known.remotes() == (LAB, BOX)
    assert known.find("LAB") == LAB
    assert known.find("home.box") == BOX
    assert known.find("lab/") is None


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_only_its_owner_may_read_the_file() -> None:
    path = known.add(LAB)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    known.add(BOX)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_remote_that_is_added_again_keeps_its_place_and_the_comments(file: Path) -> None:
    file.write_text(
        '# my servers\n\n[lab] # the big one\nurl = "http://old.example/v1" # since May\nkey_env = "OLD"\n\n'
        '# at home\n["home.box"]\nurl = "http://127.0.0.1:11434/v1"\nkind = "ollama"\n'
    )
    known.add(Remote("lab", "http://new.example/v1", "vllm"))
    text = file.read_text()
    assert text == (
        '# my servers\n\n[lab] # the big one\nurl = "http://new.example/v1" # since May\nkind = "vllm"\n\n'
        '# at home\n["home.box"]\nurl = "http://127.0.0.1:11434/v1"\nkind = "ollama"\n'
    )
    assert known.remotes() == (Remote("lab", "http://new.example/v1", "vllm"), BOX)


def test_a_remote_that_is_removed_leaves_the_others(file: Path) -> None:
    file.write_text('[lab]\nurl = "http://a.example/v1"\n\n# at home\n[box]\nurl = "http://b.example/v1"\n')
    known.remove("LAB")
    assert file.read_text() == '# at home\n[box]\nurl = "http://b.example/v1"\n'
    with pytest.raises(NotFoundError) as caught:
        known.remove("bx")
    assert caught.value.hint == "did you mean box?"


def test_a_remote_with_an_error_can_be_removed_and_replaced(file: Path) -> None:
    file.write_text('lab = 5\n[box]\nurl = "http://b.example/v1"\nkind = "nonsense"\n')
    known.add(LAB)
    known.remove("box")
    assert known.remotes() == (LAB,)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[lab", 1, "expected"),
        ('[lab]\nurl = "http://x/v1"\nurl = "http://y/v1"\n', 3, "overwrite"),
        ("\n\nlab = 5\n", 3, "lab is not a table"),
        ("[lab]\n", 1, "lab.url is missing"),
        ("[lab]\nurl = 5\n", 2, "lab.url is not a string"),
        ('[lab]\nurl = "nonsense"\n', 2, "lab.url cannot be used: this is not the address of an endpoint"),
        ('[lab]\nurl = "http://me:s3cr3t@x/v1"\n', 2, "lab.url cannot be used: the address has a user or a password"),
        ('[lab]\nurl = "http://x/v1?key=s3cr3t"\n', 2, "lab.url cannot be used: the address has more than a path"),
        ('[lab]\nurl = "http://x/v1"\nkind = "vlm"\n', 3, "lab.kind is unknown: did you mean vllm?"),
        ('[lab]\nurl = "http://x/v1"\nkind = 5\n', 3, "lab.kind is unknown: use one of openai, "),
        ('[lab]\nurl = "http://x/v1"\nkind_ = "vllm"\n', 3, "lab.kind_ is unknown: did you mean kind?"),
        ('[lab]\nurl = "http://x/v1"\napi_key = "s3cr3t"\n', 3, "lab.api_key is unknown: keys are not saved here"),
        ('[lab]\nurl = "http://x/v1"\n\nkey_env = "s3cr3t!"\n', 4, "lab.key_env is not the name of a variable"),
        ('[lab]\nurl = "http://x/v1"\nkeyring = 1\n', 3, "lab.keyring is 1, which is neither true nor false"),
        ('[lab]\nurl = "http://x/v1"\nkey_env = "A"\nkeyring = true\n', 4, "lab.keyring and key_env are both set"),
        ('[Lab]\nurl = "http://x/v1"\n', 1, "Lab cannot be the name of a remote"),
    ],
)
def test_an_error_names_its_line_and_no_secret(file: Path, text: str, line: int, words: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        known.remotes()
    assert caught.value.message.startswith(f"{file}, line {line}: ")
    assert words.lower() in caught.value.message.lower()
    assert caught.value.hint == f"fix it in an editor: {file}"
    assert "s3cr3t" not in caught.value.message


def test_an_error_in_one_remote_does_not_matter_for_another(file: Path) -> None:
    file.write_text('[box]\nurl = 5\n[lab]\nurl = "https://lab.example.org/v1"\nkind = "vllm"\nkey_env = "LAB_KEY"\n')
    assert known.find("lab") == LAB
    assert known.names() == ("box", "lab")
    with pytest.raises(UsageError, match=r"line 2: box\.url is not a string"):
        known.find("box")


def test_a_file_that_is_not_text_is_refused_with_its_line(file: Path) -> None:
    file.write_bytes(b"# fine\n\xff\xfe")
    with pytest.raises(UsageError, match=r"line 2: this is not UTF-8 text"):
        known.remotes()
    file.unlink()
    file.mkdir()
    with pytest.raises(UsageError, match=r"the remotes in .* cannot be read"):
        known.remotes()


def test_a_kind_that_is_left_out_is_the_usual_one(file: Path) -> None:
    file.write_text('[lab]\nurl = "http://x/v1/"\n')
    assert known.remotes() == (Remote("lab", "http://x/v1", "openai"),)


def test_all_problems_of_the_file(file: Path) -> None:
    assert list(known.problems()) == []
    file.write_text('[a]\nurl = 5\n[b]\nurl = "http://b.example/v1"\n[c]\nurl = "http://c.example/v1"\nkind = "x"\n')
    assert [str(error).partition(", ")[2].partition(":")[0] for error in known.problems()] == ["line 2", "line 7"]
    file.write_text("[a")
    assert len(list(known.problems())) == 1


def test_several_at_a_time_lose_nothing() -> None:
    wanted = [Remote(f"lab{number}", f"http://10.0.0.{number}/v1", "vllm") for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(known.add, wanted))
    assert sorted(known.remotes(), key=lambda remote: remote.name) == sorted(wanted, key=lambda remote: remote.name)


@pytest.mark.parametrize("name", ["", "-lab", "a/b", "lab:1", "läb", "a b", "x" * 65, "lab\n"])
def test_names_that_no_remote_can_have(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a remote"):
        known.check_name(name)
    assert known.find(name) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Remote,
            st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True),
            st.sampled_from(["http://a.example/v1", "https://b.example:8443/openai/v1", "http://[::1]:8080/v1"]),
            st.sampled_from(list(KINDS)),
            st.one_of(st.none(), st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)),
        ),
        max_size=5,
    )
)
def test_whatever_is_added_is_read_again(file: Path, wanted: list[Remote]) -> None:
    file.unlink(missing_ok=True)
    expected: dict[str, Remote] = {}
    for remote in wanted:
        known.add(remote)
        expected[remote.name] = remote
    assert {remote.name: remote for remote in known.remotes()} == expected
    for name in list(expected):
        known.remove(name)
    assert known.remotes() == ()
    assert tomllib.loads(file.read_text() if file.exists() else "") == {}

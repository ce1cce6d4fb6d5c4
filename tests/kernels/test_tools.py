"""The compiler, cmake, ninja and pip: what is used, and how what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from phicli.errors import DoesNotFitError, IntegrityError, NetworkError, NotFoundError
from phicli.kernels.children import Ended
from phicli.kernels.tools import (
    PipEnvironment,
    accepts,
    build_tools,
    compiler,
    compiler_variables,
    install_command,
    pip_failure,
)
from tests.support.building import Watcher, behavior, install_tools


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.delenv("CC", raising=False)
    return folder


@pytest.fixture
def no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds nothing: its index is an empty folder."""
    (tmp_path / "index").mkdir()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())


def test_the_first_compiler_on_path_is_used(path: Path) -> None:
    install_tools(path, "clang++")
    assert compiler() == ["clang++"]
    install_tools(path, "c++")
    assert compiler() == ["c++"]


def test_cxx_names_the_compiler(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_tools(path, "c++", "ccache")
    monkeypatch.setenv("CXX", "ccache g++-12")
    assert compiler() == ["ccache", "g++-12"]
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NotFoundError, match="no-such-compiler") as caught:
        compiler()
    assert caught.value.hint == "correct CXX, or unset it"


@pytest.mark.usefixtures("path")
def test_a_missing_compiler_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(NotFoundError, match=r"no C\+\+ compiler") as caught:
        compiler()
    assert install_command("compiler") in caught.value.hint


def test_the_c_compiler_belongs_to_the_one_in_cxx(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiler_variables() == {}
    monkeypatch.setenv("CXX", "clang++-17")
    assert compiler_variables() == {}
    install_tools(path, "clang-17")
    assert compiler_variables() == {"CC": "clang-17"}
    monkeypatch.setenv("CC", "gcc")
    assert compiler_variables() == {}


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=debian\n", "sudo apt install g++"),
        ("ID=linuxmint\nID_LIKE=ubuntu\n", "sudo apt install g++"),
        ("ID=fedora\n", "sudo dnf install gcc-c++"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "sudo dnf install gcc-c++"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "sudo zypper install gcc-c++"),
        ("ID=arch\n", "sudo pacman -S gcc"),
        ("ID=alpine\n", "sudo apk add g++"),
        ("ID=unheard-of\n", "use the package manager of this system for g++ or clang++"),
        ("", "use the package manager of this system for g++ or clang++"),
    ],
)
def test_each_distribution_has_its_own_command(tmp_path: Path, release: str, command: str) -> None:
    place = tmp_path / "os-release"
    place.write_text(release)
    assert install_command("compiler", [tmp_path / "none", place], "linux") == command


def test_cmake_and_other_systems_have_commands_too(tmp_path: Path) -> None:
    place = tmp_path / "os-release"
    place.write_text("ID=ubuntu\n")
    assert install_command("cmake", [place], "linux") == "sudo apt install cmake ninja-build"
    assert install_command("compiler", [], "darwin") == "xcode-select --install"
    assert install_command("cmake", [], "linux").endswith("cmake and ninja")


@pytest.mark.process
def test_a_compiler_says_which_flags_it_accepts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_tools(path, "c++")
    monkeypatch.setenv(*behavior(refused_flags=["-mavx512bf16"]).popitem())
    assert accepts(["c++"], ["-mavx512f"])
    assert not accepts(["c++"], ["-mavx512f", "-mavx512bf16"])


@pytest.mark.process
def test_cmake_and_ninja_on_path_need_no_pip(path: Path, tmp_path: Path) -> None:
    install_tools(path)
    watcher = Watcher()
    tools = build_tools(PipEnvironment(tmp_path, watcher))
    assert (tools.cmake, tools.ninja) == (str(path / "cmake"), str(path / "ninja"))
    assert watcher.phases == []


@pytest.mark.process
@pytest.mark.usefixtures("no_index")
@pytest.mark.parametrize("found", [{}, {"cmake": "3.10.2"}], ids=["missing", "too old"])
def test_cmake_that_is_nowhere_is_named_with_the_command_that_installs_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: dict[str, str]
) -> None:
    install_tools(path, "ninja", *found)
    monkeypatch.setenv(*behavior(**found).popitem())
    watcher = Watcher()
    with pytest.raises(NotFoundError, match="cmake not found on PATH, and the package index does not have") as caught:
        build_tools(PipEnvironment(tmp_path, watcher))
    assert caught.value.hint == f"install both: {install_command('cmake')}"
    assert watcher.phases == ["preparing pip", "downloading cmake"]


BROKEN = "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError('…')': /simple/xllamacpp/"
UNREACHABLE = "Could not fetch URL http://127.0.0.1:9/simple/xllamacpp/:"
NOTHING = "ERROR: No matching distribution found for xllamacpp==1"


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        ([BROKEN, NOTHING], NetworkError, "the package index cannot be reached for the sources"),
        (["WARNING: 401 Error", "ERROR: HTTP error 401 while getting x"], NetworkError, "cannot be reached"),
        ([f"{UNREACHABLE} connection error: …", NOTHING], NetworkError, "cannot be reached"),
        ([f"{UNREACHABLE} 404 Client Error: Not Found", NOTHING], NotFoundError, "does not have the sources"),
        ([NOTHING], NotFoundError, "the package index does not have the sources"),
        (["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM …"], IntegrityError, "expected hash"),
        (["ERROR: Could not install packages: [Errno 28] No space left on device"], DoesNotFitError, "disk is full"),
        (["ERROR: cannot build it", "ERROR: see above"], NetworkError, "pip could not download the sources: see above"),
        ([], NetworkError, "failed with exit code 1"),
    ],
)
def test_what_pip_says_becomes_an_error_with_the_right_exit_code(
    lines: list[str], kind: type[Exception], said: str
) -> None:
    error = pip_failure(Ended(1, tuple(lines)), "the sources")
    assert type(error) is kind
    assert said in error.message
    assert error.hint

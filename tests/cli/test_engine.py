"""``phi engine``: what people and scripts see of a build, of the list, of a removal and of a choice."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phicli.hardware.cpu_facts import describe_cpu
from tests.support.building import ENGINE, behavior, ggml_files, install_tools, source_archive
from tests.support.kernels import save_kernels
from tests.support.processes import gone
from tests.support.running import Phi
from tests.support.waiting import wait_until

GAINS = bool({"AVX_VNNI", "AVX512F"} & set(describe_cpu()[0].instruction_sets)) and (
    (sys.platform, platform.machine()) == ("linux", "x86_64")
)
needs_gain = pytest.mark.skipif(not GAINS, reason="the kernels of the wheel use all that this processor has")


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, environment: dict[str, str]) -> None:
    """Programs that stand for the compiler, cmake and ninja; an empty package index; a folder for temporary files."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "index").mkdir()
    programs = install_tools(tmp_path / "programs")
    environment |= {
        "PATH": f"{programs}{os.pathsep}{environment['PATH']}",
        "TMPDIR": str(tmp_path / "temporary"),
        "PHI_HOME": str(tmp_path / "own"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": (tmp_path / "index").as_uri(),
    }
    for name in ("CXX", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONSTRAINT"):
        environment.pop(name, None)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return source_archive(tmp_path / "x.tar.gz", ggml_files())


def save(environment: dict[str, str], folder: Path, **facts: float) -> Path:
    """Kernels that were built for this processor; the file is not a module."""
    module = folder / "libggml-cpu-zen4.so"
    module.write_bytes(b"code")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHI_HOME", environment["PHI_HOME"])
        return save_kernels(module, **facts).path.parent  # type: ignore[arg-type]


def test_list_shows_the_wheel_and_how_to_build_more(phi: Phi) -> None:
    run = phi("engine", "list")
    assert run.code == 0
    assert run.out.splitlines()[0].split() == ["NAME", "BUILD", "KERNELS", "PROCESSOR", "IN", "USE", "REASON"]
    assert run.out.splitlines()[1].startswith(f"wheel  xllamacpp {ENGINE}")
    assert ("phi engine build" in run.err) == GAINS


def test_list_as_json(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    folder = save(environment, tmp_path)
    data = phi("engine", "ls", "--json").json["data"]["engines"]
    assert [list(row) for row in data] == [["name", "build", "kernels", "processor", "in_use", "reason"]] * 2
    assert [row["name"] for row in data] == ["wheel", folder.name]
    assert [row["in_use"] for row in data] == [False, True]
    assert [row["kernels"] for row in data] == ["wheel", "zen4"]


def test_use_chooses_from_now_on(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    save(environment, tmp_path)
    run = phi("engine", "use", "wheel", "--json").json["data"]
    assert (run["choice"], run["engine"]["kernels"]) == ("wheel", "wheel")
    assert "the choice auto is saved; in use now: " in phi("engine", "use", "auto").err
    assert phi("engine", "list", "--json").json["data"]["engines"][1]["in_use"] is True
    wrong = phi("engine", "use", "quick")
    assert wrong.code == 2
    assert "choose one of auto, native, wheel" in wrong.err


def test_rm_shows_asks_and_removes(phi: Phi, environment: dict[str, str], tmp_path: Path) -> None:
    folder = save(environment, tmp_path)
    shown = phi("engine", "rm", "zen4", "--dry-run")
    assert (shown.code, str(folder) in shown.out) == (0, True)
    asked = phi("engine", "rm", "zen4")
    assert asked.code == 2
    assert "confirm with --yes" in asked.err
    assert folder.is_dir()
    done = phi("engine", "rm", folder.name, "-y", "--json").json["data"]
    assert (done["done"], done["engine"]["name"]) == (True, folder.name)
    assert not folder.exists()
    missing = phi("engine", "rm", "zen4", "-y", "--json")
    assert missing.code == 3
    assert missing.json["error"]["hint"] == "list their names: phi engine list"


def test_an_archive_that_is_missing_is_named_on_every_machine(phi: Phi, tmp_path: Path) -> None:
    run = phi("engine", "build", "--sdist", str(tmp_path / "none.tar.gz"), "--json")
    assert run.code == 3
    assert run.json["error"]["code"] == "not_found"
    assert run.json["command"] == "engine build"


@needs_gain
def test_an_index_without_sources_is_named(phi: Phi, tmp_path: Path) -> None:
    run = phi("engine", "build")
    assert run.code == 3
    assert f"the package index does not have the sources of xllamacpp {ENGINE}" in run.err
    assert "phi engine build --sdist FILE" in run.err
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "own").exists()


@needs_gain
def test_sources_come_from_the_index_of_pip(phi: Phi, tmp_path: Path) -> None:
    page = tmp_path / "index" / "xllamacpp"
    page.mkdir()
    name = source_archive(page / f"xllamacpp-{ENGINE}.tar.gz", ggml_files()).name
    (page / "index.html").write_text(f'<a href="{name}">{name}</a>')
    run = phi("engine", "build", **behavior(says="x.c:1:1: error: wrong word"))
    assert run.code == 6
    assert "error: wrong word" in run.err
    assert "read the log: " in run.err
    (page / "index.html").write_text(f'<a href="{name}#sha256={"0" * 64}">{name}</a>')
    run = phi("engine", "build", "--json")
    assert run.code == 8
    assert run.json["error"]["code"] == "integrity"


@needs_gain
def test_no_network_is_exit_code_4(phi: Phi) -> None:
    run = phi("engine", "build", "-q", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")
    assert run.code == 4
    assert "the package index cannot be reached" in run.err


@needs_gain
def test_a_failed_build_as_json_has_the_end_of_the_log(phi: Phi, archive: Path) -> None:
    run = phi("engine", "build", "--sdist", str(archive), "--json", **behavior(says="x.c:1:1: error: wrong word"))
    assert run.code == 6
    assert run.json["data"]["log_end"][-1] == "x.c:1:1: error: wrong word"
    assert Path(run.json["data"]["log"]).is_file()


@needs_gain
def test_progress_goes_to_standard_error_and_quiet_hides_it(phi: Phi, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "module.so").write_text("text")
    settings = behavior(module=str(tmp_path / "module.so"))
    run = phi("engine", "build", "--sdist", str(archive), **settings)
    assert run.code == 6
    assert run.out == ""
    assert "unpacking the sources" in run.err
    quiet = phi("engine", "build", "--sdist", str(archive), "-q", **settings)
    assert quiet.err.splitlines()[0].startswith("error: the compiled kernels failed their trial")


@needs_gain
@pytest.mark.parametrize(
    ("as_json", "sent", "code"),
    [(False, signal.SIGINT, 130), (True, signal.SIGINT, 130), (False, signal.SIGTERM, 128 + signal.SIGTERM)],
    ids=["text", "json", "SIGTERM"],
)
def test_an_interruption_leaves_nothing(
    environment: dict[str, str], archive: Path, tmp_path: Path, as_json: bool, sent: signal.Signals, code: int
) -> None:
    marker = tmp_path / "compiling"
    command = [sys.executable, "-m", "phicli", "engine", "build", "--sdist", str(archive)]
    with subprocess.Popen(
        [*command, *(["--json"] if as_json else [])],
        env=environment | behavior(waits=str(marker)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_until(lambda: marker.exists() and marker.read_text() != "")
        other = subprocess.run(command, env=environment, capture_output=True, check=False)
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert b'"interrupted"' in out if as_json else out == b""
    assert b"another phi engine build is running" in other.stderr
    assert other.returncode == 6
    assert gone(int(marker.read_text()))
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not (tmp_path / "own").exists()

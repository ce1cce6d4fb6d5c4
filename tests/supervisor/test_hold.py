from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from phicli.errors import DoesNotFitError, NotFoundError
from phicli.supervisor.client import NoServerError, find, the_server
from phicli.supervisor.hold import Held, take
from phicli.supervisor.place import Place, place
from phicli.supervisor.state import read_state
from tests.support.disks import small_file_system

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")

TAKER = """
import sys
from phicli.supervisor.hold import take
from phicli.supervisor.place import place
held = take(place(), version="1")
if held is not None:
    held.publish()
print("lives" if held else "taken", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def taken(here: Place) -> Iterator[Held]:
    held = take(here, version="1.2", command=["serve", "tiny-phi"])
    assert held is not None
    try:
        yield held
    finally:
        held.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_there_is_one_server_at_a_time(here: Place) -> None:
    with taken(here):
        assert take(here, version="1") is None
    with taken(here):
        pass


def test_it_is_found_from_when_it_is_published_until_it_ends(here: Place) -> None:
    assert find() is None
    with taken(here) as held:
        assert find() is None
        held.publish("http://127.0.0.1:1234")
        server = find()
        assert server is not None
        assert server.state == held.state == read_state(here.state)
        assert server.state.address == "http://127.0.0.1:1234"
        assert server.state.pid == os.getpid()
        assert server.state.command == ("serve", "tiny-phi")
        assert server.understood
    assert find() is None
    with pytest.raises(NoServerError) as missing:
        the_server()
    assert "phi serve --background" in missing.value.hint
    assert isinstance(missing.value, NotFoundError)


def test_nobody_else_can_read_the_files(here: Place) -> None:
    before = os.umask(0)
    try:
        with taken(here) as held:
            held.publish()
            assert [mode_of(path) for path in (here.socket, here.state, here.lock)] == [0o600] * 3
    finally:
        os.umask(before)


def test_the_files_are_gone_afterwards_but_for_the_lock(here: Place) -> None:
    with taken(here) as held:
        held.publish()
    held.close()
    assert {path.name for path in here.folder.iterdir()} <= {"serve.lock"}


def test_a_hidden_server_is_not_found_by_new_clients_and_comes_back(here: Place) -> None:
    with taken(here) as held:
        held.publish()
        early = socket.socket(socket.AF_UNIX)
        early.connect(str(here.socket))
        held.hide()
        with pytest.raises(FileNotFoundError):
            socket.socket(socket.AF_UNIX).connect(str(here.socket))
        held.listening.accept()[0].close()
        early.close()
        held.show()
        with socket.socket(socket.AF_UNIX) as late:
            late.connect(str(here.socket))
        held.hide()
    assert {path.name for path in here.folder.iterdir()} <= {"serve.lock"}


@pytest.mark.process
def test_the_place_of_a_server_that_was_killed_is_free(here: Place) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TAKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "lives\n"
        assert take(here, version="1") is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert here.socket.exists()
    server = find()
    assert server is not None
    with pytest.raises(NoServerError):
        server.ask("GET", "/phi/state")
    with taken(here) as held:
        held.publish()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(here.socket))


@pytest.mark.process
def test_of_two_that_start_at_once_exactly_one_lives_100_times(here: Place) -> None:
    """Two processes take and leave the place 100 times, and both are at it at the same moment each time."""
    racer = (
        "import sys\n"
        "from phicli.supervisor.hold import take\n"
        "from phicli.supervisor.place import place\n"
        "import filelock\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    if line == 'leave\\n':\n"
        "        held and held.close()\n"
        "        print('left', flush=True)\n"
        "        continue\n"
        "    held = take(place(), version='1')\n"
        "    held and held.publish()\n"
        "    print('lives' if held else 'taken', flush=True)\n"
    )
    command = [sys.executable, "-u", "-c", racer]
    with contextlib.ExitStack() as stack:
        racers = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(2)
        ]

        def tell(line: str) -> list[str]:
            for one in racers:
                assert one.stdin is not None
                one.stdin.write(line)
                one.stdin.flush()
            return [one.stdout.readline().strip() for one in racers if one.stdout is not None]

        assert tell("") == ["ready", "ready"]
        for _ in range(100):
            assert sorted(tell("start\n")) == ["lives", "taken"]
            assert find() is not None
            assert tell("leave\n") == ["left", "left"]
            assert find() is None
        for one in racers:
            assert one.stdin is not None
            one.stdin.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"version": 1}', b"[" * 100_000, b'{"version": "0", "pid": "x"}'],
    ids=["empty", "cut off", "list", "text", "no UTF-8", "wrong kinds", "deep", "wrong pid"],
)
def test_a_state_file_that_makes_no_sense_is_as_good_as_none(here: Place, content: bytes) -> None:
    here.make()
    here.state.write_bytes(content)
    assert find() is None
    with taken(here) as held:
        held.publish()
        assert find() is not None


def test_a_state_of_another_version_names_the_socket_all_the_same(here: Place) -> None:
    here.make()
    facts = {"schema": 99, "version": "9.0", "started_at": "2030", "pid": 1, "host": "here", "socket": "/x/s", "new": 1}
    (here.folder / "other").mkdir(mode=0o700)
    here.state.write_text(json.dumps(facts | {"socket": str(here.folder / "other" / "s")}))
    server = find()
    assert server is not None
    assert not server.understood
    assert server.state.version == "9.0"
    with pytest.raises(NoServerError):
        server.ask("POST", "/phi/stop", {"all": True})


def test_a_socket_in_a_folder_that_others_may_enter_is_not_trusted(here: Place, home: Path) -> None:
    with taken(here) as held:
        held.publish()
        data = json.loads(here.state.read_text())
        (home / "open").mkdir()
        (home / "open").chmod(0o777)
        here.state.write_text(json.dumps(data | {"socket": str(home / "open" / "s")}))
        assert find() is None


def test_a_stale_socket_of_a_long_home_is_removed_where_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder for runtime files of the next server is another one."""
    monkeypatch.setenv("PHI_HOME", str(home / ("long" * 30)))
    for name in ("one", "two"):
        (home / name).mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "one"))
    left = take(place(), version="1")
    assert left is not None
    left.publish()
    left.listening.close()
    left._lock.release()
    stale = Path(left.state.socket)
    assert stale.exists()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "two"))
    with taken(place()) as held:
        held.publish()
        assert Path(held.state.socket).is_relative_to(home / "two")
        assert not stale.exists()


def test_a_server_whose_folder_was_removed_leaves_its_successor_alone(here: Place) -> None:
    with taken(here) as held:
        held.publish()
        for path in (here.socket, here.state, here.lock):
            path.unlink()
        with taken(here) as successor:
            successor.publish()
            held.hide()
            held.close()
            assert find() is not None
            assert here.socket.exists()


@pytest.mark.process
def test_a_full_disk_is_called_so_and_leaves_nothing_behind(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_file_system(home / "disk", "size=64k") as disk:
        monkeypatch.setenv("PHI_HOME", str(disk / "phi"))
        held = take(place(), version="1")
        assert held is not None
        with contextlib.suppress(OSError), (disk / "fill").open("wb", buffering=0) as fill:
            while True:
                fill.write(bytes(1024))
        with pytest.raises(DoesNotFitError, match="is full"):
            held.publish()
        assert find() is None
        held.close()
        (disk / "fill").unlink()
        with taken(place()) as successor:
            successor.publish()
            assert find() is not None


@pytest.mark.process
def test_a_full_disk_stops_a_server_before_it_listens(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_file_system(home / "disk", "size=1m,nr_inodes=3") as disk:
        monkeypatch.setenv("PHI_HOME", str(disk))
        with pytest.raises(DoesNotFitError, match="is full"):
            take(place(), version="1")

"""Names of models: what is served under them, and that a path is never one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from phicli.errors import EngineError, IntegrityError, NetworkError, NotFoundError, NotInstalledError, UsageError
from phicli.hub.in_place.registry import RegisteredModel, remember
from phicli.server.downloads import Downloads
from phicli.server.names import Names
from tests.server.model_shop import WAIT_S, Shop, home, open_shop
from tests.support.cache_layout import NEW, Repo
from tests.support.files import TINY_PHI
from tests.support.pulling import FILE, REPO
from tests.support.waiting import wait_until

__all__ = ["home", "open_shop"]


def test_everything_on_this_machine_is_served(home: Path) -> None:
    rows = {row.id: row for row in Names().listing()}
    assert list(rows) == ["tiny-phi", "a", "b", "c"]
    tiny, mine = rows["tiny-phi"], rows["a"]
    assert (tiny.owned_by, tiny.context_tokens) == ("phi", 1024)
    assert (mine.owned_by, mine.context_tokens) == ("local", None)
    assert mine.created == int((home / "a.gguf").stat().st_mtime)


def test_a_model_can_be_asked_for_by_each_of_its_names(home: Path) -> None:
    found = Names().describe("TINY_phi:f16")
    assert (found.id, found.owned_by, found.context_tokens) == ("TINY_phi:f16", "phi", 1024)
    assert Names().describe("A").created == int((home / "a.gguf").stat().st_mtime)
    with pytest.raises(NotFoundError):
        Names().describe("a.gguf")


@pytest.mark.parametrize("name", ["tiny-phi", "TINY_phi", "tiny-phi:f16", "a", "A"])
def test_a_name_is_found_however_it_is_written(home: Path, name: str) -> None:
    assert Names().find(name).path.read_bytes() == TINY_PHI.read_bytes()


@pytest.mark.parametrize(
    "name",
    ["a.gguf", "./a.gguf", "{home}/a.gguf", "{home}", "../{folder}/a.gguf", "~", "x/../a", "a\0b", "\ud800", "/"],
)
@pytest.mark.parametrize("limited", [True, False])
def test_a_path_is_not_a_name(home: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, limited: bool) -> None:
    monkeypatch.chdir(home)
    names = Names(("b",)) if limited else Names()
    with pytest.raises(NotFoundError):
        names.find(name.format(home=home, folder=home.name))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tiny-phy", "did you mean tiny-phi?"),
        ("phi-4-min", "did you mean phi-4-mini? It is not on this machine; download it: phi pull phi-4-mini"),
        ("gpt-5", "choose one of tiny-phi, a, b, c"),
        ("tiny-phi:q4_k_m", "did you mean tiny-phi?"),
        ("phi-4-multimodal", "choose one of"),
        ("", "choose one of"),
        ("x" * 10_000, "choose one of"),
    ],
)
def test_a_wrong_name_is_answered_with_names_that_a_client_can_use(home: Path, name: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        Names().find(name)
    assert hint in caught.value.hint
    assert "<" not in caught.value.message + caught.value.hint
    assert len(caught.value.message) < 400
    assert str(home) not in caught.value.message + caught.value.hint


def test_a_model_of_the_catalog_that_is_not_here_names_the_command_that_gets_it(home: Path) -> None:
    with pytest.raises(NotInstalledError, match="'phi-4-mini:q4_k_m' is not on this machine") as caught:
        Names().find("phi-4-mini:q4_k_m")
    assert caught.value.hint == "download it: phi pull phi-4-mini:q4_k_m"


def test_a_registered_file_that_was_deleted_is_not_found_and_its_path_is_not_told(home: Path) -> None:
    (home / "a.gguf").unlink()
    with pytest.raises(NotFoundError) as caught:
        Names().find("a")
    assert str(home) not in caught.value.message + caught.value.hint
    assert "a" not in [row.id for row in Names().listing()]


def test_only_the_models_of_the_command_line_are_served(home: Path) -> None:
    names = Names(("a", "tiny-phi"))
    assert [row.id for row in names.listing()] == ["a", "tiny-phi"]
    assert names.find("tiny-phi:f16").path == names.find("tiny-phi").path
    with pytest.raises(NotFoundError, match="'b' is not served here") as caught:
        names.find("b")
    assert caught.value.hint == "choose one of a, tiny-phi"


def test_a_path_of_the_command_line_is_served_under_the_name_of_its_file(home: Path) -> None:
    path = home / "b.gguf"
    names = Names((str(path),))
    assert [row.id for row in names.listing()] == ["b.gguf"]
    assert names.find("b.gguf").path == path
    assert names.find("b").path == path, "it is registered, too"
    with pytest.raises(NotFoundError):
        names.find(str(path))


def test_two_files_of_one_name_are_refused(home: Path) -> None:
    other = home / "other"
    other.mkdir()
    (other / "a.gguf").write_bytes(TINY_PHI.read_bytes())
    with pytest.raises(UsageError, match=r"two of the models are called a\.gguf"):
        Names((str(home / "a.gguf"), str(other / "a.gguf")))


def test_a_name_that_is_typed_twice_is_served_once(home: Path) -> None:
    path = str(home / "a.gguf")
    assert Names(("tiny-phi", "tiny-phi", "TINY_PHI")).only == ("tiny-phi",)
    assert Names((path, path)).only == ("a.gguf",)


@pytest.mark.parametrize(
    ("content", "error"), [(None, NotFoundError), (b"some text, long enough", IntegrityError), ("folder", UsageError)]
)
def test_a_path_without_a_model_is_an_error_at_once(home: Path, content: bytes | str | None, error: type) -> None:
    path = home / "nope.gguf"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(error):
        Names((str(path),))


def test_a_file_that_is_deleted_after_the_start_is_not_found_and_its_path_is_not_told(home: Path) -> None:
    names = Names((str(home / "b.gguf"), "tiny-phi"))
    (home / "b.gguf").unlink()
    with pytest.raises(NotFoundError, match=r"the file of model 'b\.gguf' is no longer there") as caught:
        names.find("b.gguf")
    assert caught.value.hint == "choose one of tiny-phi"
    assert str(home) not in caught.value.message
    assert [row.id for row in names.listing()] == ["tiny-phi"]
    with pytest.raises(NotFoundError):
        names.find("b")


def test_a_registered_name_can_have_its_quantization(home: Path) -> None:
    path = home / "a.gguf"
    status = path.stat()
    remember(RegisteredModel("smol", path, None, "Q4_1", status.st_size, status.st_mtime_ns, None, "import"))
    for names in (Names(), Names(("smol",)), Names(("smol:Q4_1",))):
        assert names.find("smol:q4_1").path == names.find("SMOL:Q4_1").path == path
        with pytest.raises(NotFoundError):
            names.find("smol:q8_0")


def test_a_wrong_name_on_the_command_line_is_an_error_at_once(home: Path) -> None:
    with pytest.raises(NotFoundError):
        Names(("nothing",))
    with pytest.raises(NotInstalledError):
        Names(("phi-4-mini",))
    assert Names(("phi-4-mini",), may_pull=True).only == ("phi-4-mini",)


def test_a_model_is_downloaded_only_where_that_is_allowed(open_shop: object) -> None:
    shop: Shop = open_shop()  # type: ignore[operator]
    with pytest.raises(NotInstalledError):
        shop.use("phi-4-mini")
    assert not shop.engines


def test_requests_share_a_download(open_shop: object, home: Path) -> None:
    shop: Shop = open_shop(pull=True, parallel=3)  # type: ignore[operator]
    asked: list[str] = []
    here = threading.Event()

    def pull(model: str) -> None:
        asked.append(model)
        here.wait(WAIT_S)
        Repo(home / "hf" / "hub", REPO).put(NEW, FILE, TINY_PHI.read_bytes())

    shop.pull_now = pull
    leases = [shop.hold("phi-4-mini") for _ in range(3)]
    wait_until(lambda: asked == ["phi-4-mini"])
    leaving = shop.hold("phi-4-mini")
    leaving.closing.ask()
    assert leaving.future.exception(WAIT_S) is not None
    here.set()
    for lease in leases:
        lease.has().end()
    assert asked == ["phi-4-mini"]
    assert len(shop.engines) == 1


def test_a_download_that_fails_fails_for_all_and_is_tried_again() -> None:
    tries: list[str] = []

    def pull(model: str) -> None:
        tries.append(model)
        raise NetworkError("the hub cannot be reached")

    downloads = Downloads(pull)
    for _ in range(2):
        with pytest.raises(NetworkError):
            downloads.get("phi-4-mini")
    assert len(tries) == 2


def test_a_bug_in_a_download_is_reported_and_fails_for_all() -> None:
    bugs: list[str] = []

    def pull(model: str) -> None:
        raise KeyError(model)

    with pytest.raises(EngineError, match="phi-4-mini cannot be downloaded"):
        Downloads(pull, bugs.append).get("phi-4-mini")
    assert [bug.partition(",")[0] for bug in bugs] == ["unexpected KeyError in pull"]

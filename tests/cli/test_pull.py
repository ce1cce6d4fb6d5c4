"""``phi pull`` against a hub on the loopback interface: what a person and a script see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from huggingface_hub import scan_cache_dir, try_to_load_from_cache

from tests.support.files import TINY_PHI, model_bytes, sha256
from tests.support.hub import LoopbackHub
from tests.support.pulling import FILE, REPO, final_files, partial_files
from tests.support.running import Phi

FIELDS = {
    "model", "quant", "repo", "revision", "filename", "path", "size_bytes", "sha256", "verified", "downloaded_bytes",
    "resumed_from_bytes", "elapsed_s",
}  # fmt: skip
WHOLE = TINY_PHI.stat().st_size


def test_pull_then_chat(mini: Any, online: Phi, phi: Phi, folder: Path) -> None:
    done = online("pull", "phi-4-mini", "--revision", "main")
    assert done.code == 0
    path = Path(done.out.strip())
    assert path.samefile(folder / f"models--{REPO.replace('/', '--')}" / "snapshots" / mini.commit / FILE)
    assert "license MIT" in done.err
    assert mini.commit[:12] in done.err
    assert phi("chat", "phi-4-mini", "What is the capital of France?").out == "The capital of France is Paris.\n"


def test_json(mini: Any, online: Phi, folder: Path) -> None:
    data = online("pull", "phi-4-mini:q4_k_m", "--revision", "main", "--json").json["data"]
    assert set(data) >= FIELDS
    assert (data["repo"], data["revision"], data["filename"], data["quant"]) == (REPO, mini.commit, FILE, "Q4_K_M")
    assert data["size_bytes"] == data["downloaded_bytes"] == WHOLE
    assert data["sha256"] == sha256(Path(data["path"]).read_bytes())
    assert data["verified"] is True


def test_other_tools_find_it(mini: Any, online: Phi, folder: Path) -> None:
    online("pull", "phi-4-mini", "--revision", "main")
    found = try_to_load_from_cache(REPO, FILE, cache_dir=folder)
    assert isinstance(found, str)
    assert not scan_cache_dir(folder).warnings
    assert not scan_cache_dir(folder).incomplete_files
    assert (folder / "CACHEDIR.TAG").exists()


def test_there_already_asks_nobody(mini: Any, hub: LoopbackHub, online: Phi) -> None:
    online("pull", f"{REPO}:q4_k_m", "--revision", "main")
    hub.requests.clear()
    again = online("pull", "phi-4-mini", "--offline", "--json")
    assert again.code == 0
    assert again.json["data"]["was_there"] is True
    assert again.json["data"]["verified"] is True
    assert "already downloaded" in online("pull", "phi-4-mini", "--offline").err
    assert not list(hub.requests)


def test_what_another_tool_fetched_is_hashed_once(mini: Any, hub: LoopbackHub, online: Phi, folder: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | hub.environment
    code = f"from huggingface_hub import hf_hub_download as d; d({REPO!r}, {FILE!r}, cache_dir={str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    hub.requests.clear()
    data = online("pull", "phi-4-mini", "--revision", "main", "--json").json["data"]
    assert (data["downloaded_bytes"], data["verified"]) == (0, True)
    assert not hub.requests.matching(FILE, method="GET")


def test_a_damaged_file_is_replaced(mini: Any, hub: LoopbackHub, online: Phi) -> None:
    path = Path(online("pull", "phi-4-mini", "--revision", "main").out.strip())
    good = path.read_bytes()
    path.write_bytes(good[:1000] + b"!" + good[1001:])
    done = online("pull", "phi-4-mini", "--revision", "main")
    assert done.code == 0
    assert "damaged" in done.err
    assert path.read_bytes() == good


def test_a_damaged_file_of_an_older_revision_goes(hub: LoopbackHub, online: Phi, folder: Path) -> None:
    repo = hub.add_repo("some/repo", {"m-Q4_K_M.gguf": TINY_PHI})
    path = Path(online("pull", "some/repo").out.strip())
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    repo.update({"m-Q4_K_M.gguf": model_bytes(2_000_000)})
    done = online("pull", "some/repo", "--json")
    assert done.code == 0
    assert done.json["data"]["revision"] == repo.commit
    assert not path.exists()
    assert len(list(folder.glob("models--some--repo/blobs/*"))) == 1


def test_damaged_on_the_way_once(mini: Any, hub: LoopbackHub, online: Phi, folder: Path) -> None:
    hub.faults.add(FILE, server="cdn", flip_at=(500_000,))
    done = online("pull", "phi-4-mini", "--revision", "main", "--json")
    assert done.code == 0
    assert done.json["data"]["downloaded_bytes"] == 2 * WHOLE
    assert "damaged" in done.err


def test_damaged_on_the_way_twice(mini: Any, hub: LoopbackHub, online: Phi, folder: Path) -> None:
    hub.faults.add(FILE, server="cdn", flip_at=(500_000,), times=None)
    done = online("pull", "phi-4-mini", "--revision", "main", "--json")
    assert done.code == 8
    error = done.json
    assert sha256(TINY_PHI.read_bytes()) in error["error"]["message"]
    assert error["data"]["actual"] in error["error"]["message"]
    assert error["data"]["expected"] == sha256(TINY_PHI.read_bytes())
    assert final_files(folder) == {}
    assert partial_files(folder) == []


def test_a_wrong_promise_of_the_hub(mini: Any, hub: LoopbackHub, online: Phi, folder: Path) -> None:
    mini.advertise(FILE, sha256="0" * 64)
    assert online("pull", "phi-4-mini", "--revision", "main").code == 8
    assert final_files(folder) == {}


def test_another_file_than_the_catalogue_promises(hub: LoopbackHub, online: Phi, folder: Path) -> None:
    hub.add_repo("bartowski/phi-4-GGUF", {"phi-4-Q4_K_M.gguf": TINY_PHI})
    done = online("pull", "phi-4:q4_k_m", "--json")
    assert done.code == 8
    assert done.json["data"]["actual_sha256"] == sha256(TINY_PHI.read_bytes())
    assert done.json["data"]["expected_sha256"] in done.json["error"]["message"]
    assert "--revision main" in done.json["error"]["hint"]
    assert final_files(folder) == {}


def test_another_architecture_than_promised(hub: LoopbackHub, online: Phi, folder: Path) -> None:
    hub.add_repo("TheBloke/phi-2-GGUF", {"phi-2.Q4_K_M.gguf": TINY_PHI})
    done = online("pull", "phi-2")
    assert done.code == 8
    assert "'phi3', not phi2" in done.err
    assert final_files(folder) == {}


def test_a_file_that_is_no_gguf(hub: LoopbackHub, online: Phi, folder: Path) -> None:
    hub.add_repo("some/repo", {"m-Q4_K_M.gguf": b"<html>sorry</html>" * 100})
    done = online("pull", "some/repo")
    assert done.code == 8
    assert "not a usable GGUF" in done.err
    assert final_files(folder) == {}


def test_interrupted_in_one_process_resumed_in_the_next(mini: Any, hub: LoopbackHub, online: Phi) -> None:
    hub.faults.add(FILE, server="cdn", cut_after=200_000, times=2)
    hub.faults.add(FILE, server="cdn", status=401, times=None)
    stopped = online("pull", "phi-4-mini", "--revision", "main")
    assert stopped.code == 4
    hub.faults.clear()
    data = online("pull", "phi-4-mini", "--revision", "main", "--json").json["data"]
    assert data["resumed_from_bytes"] == 400_000
    assert data["downloaded_bytes"] == WHOLE - 400_000


def test_force_downloads_all_of_it(mini: Any, online: Phi) -> None:
    online("pull", "phi-4-mini", "--revision", "main")
    data = online("pull", "phi-4-mini", "--revision", "main", "--force", "--json").json["data"]
    assert (data["downloaded_bytes"], data["was_there"]) == (WHOLE, False)


def test_a_dry_run_changes_nothing(mini: Any, online: Phi, folder: Path) -> None:
    data = online("pull", "phi-4-mini", "--revision", "main", "--dry-run", "--json").json["data"]
    assert data["to_download_bytes"] == WHOLE
    assert data["files"][0]["sha256"] == sha256(TINY_PHI.read_bytes())
    assert not folder.exists()


def test_revisions(hub: LoopbackHub, online: Phi) -> None:
    repo = hub.add_repo("some/repo", {"m-Q4_K_M.gguf": TINY_PHI})
    first = repo.commit
    repo.add_tag("v1", first)
    repo.update({"m-Q4_K_M.gguf": model_bytes(2_000_000)})
    for revision in ("v1", first):
        data = online("pull", "some/repo", "--revision", revision, "--json").json["data"]
        assert (data["revision"], data["sha256"]) == (first, sha256(TINY_PHI.read_bytes()))
    assert online("pull", "some/repo", "--json").json["data"]["revision"] in (first, repo.commit)
    unknown = online("pull", "some/repo", "--revision", "v9")
    assert unknown.code == 3
    assert "no revision 'v9'" in unknown.err


def test_parts_are_pulled_whole(hub: LoopbackHub, online: Phi, folder: Path) -> None:
    names = [f"m-Q4_K_M-0000{i}-of-00002.gguf" for i in (1, 2)]
    hub.add_repo("some/parts", {names[0]: TINY_PHI, names[1]: model_bytes(2_100_000)})
    data = online("pull", "some/parts:q4_k_m", "--json").json["data"]
    assert data["size_bytes"] == WHOLE + 2_100_000
    assert Path(data["path"]).name == names[0]
    assert Path(data["path"]).with_name(names[1]).exists()


def test_gated_says_how_to_log_in(hub: LoopbackHub, online: Phi) -> None:
    hub.add_repo("some/gated", {"m-Q4_K_M.gguf": TINY_PHI}, gated="manual")
    refused = online("pull", "some/gated")
    assert refused.code == 4
    assert "hf auth login" in refused.err
    assert online("pull", "some/gated", "--token", hub.token).code == 0


def test_private_takes_the_token_of_the_environment(hub: LoopbackHub, online: Phi) -> None:
    hub.add_repo("some/private", {"m-Q4_K_M.gguf": TINY_PHI}, private=True)
    refused = online("pull", "some/private")
    assert (refused.code, "hf auth login" in refused.err) == (3, True)
    assert online("pull", "some/private", HF_TOKEN=hub.token).code == 0


def test_tiny_phi_needs_no_download(phi: Phi) -> None:
    done = phi("pull", "tiny-phi", "--json")
    assert (done.code, done.json["data"]["was_there"]) == (0, True)


def test_quiet_prints_the_path_only(mini: Any, online: Phi) -> None:
    done = online("pull", "phi-4-mini", "--revision", "main", "--quiet")
    assert done.err == ""
    assert Path(done.out.strip()).is_file()


def test_the_cache_is_where_the_environment_says(mini: Any, online: Phi, tmp_path: Path) -> None:
    done = online("pull", "phi-4-mini", "--revision", "main", HF_HUB_CACHE=str(tmp_path / "elsewhere"))
    assert Path(done.out.strip()).is_relative_to(tmp_path / "elsewhere")


def test_xet_and_its_switch(hub: LoopbackHub, online: Phi, tmp_path: Path) -> None:
    hub.add_repo("some/xet", {"m-Q4_K_M.gguf": TINY_PHI}, xet=True)
    assert online("pull", "some/xet").code == 0
    assert hub.requests.matching("/xorbs/", server="cdn")
    hub.requests.clear()
    assert online("pull", "some/xet", "--force", HF_HUB_DISABLE_XET="1").code == 0
    assert not hub.requests.matching("/xorbs/", server="cdn")

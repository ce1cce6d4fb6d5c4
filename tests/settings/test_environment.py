"""Variables that are set and empty, as compose files make them."""

from __future__ import annotations

import re
from pathlib import Path

import phicli
from phicli.settings.environment import drop_empty
from tests.support.running import Phi

MEAN_SOMETHING = {
    "TMUX", "COMP_WORDS", "COMP_CWORD", "NO_COLOR", "TERM", "COLUMNS", "PYTHONIOENCODING", "VISUAL", "EDITOR",
    "PROCESSOR_IDENTIFIER",
}  # fmt: skip
"""Empty is a value of these, or makes no difference where they are read."""

SET_BY_PHI = {
    "PYTHONUTF8", "GGML_NO_BACKTRACE", "LLAMA_ARG_CHAT_TEMPLATE", "LLAMA_ARG_LOG_VERBOSITY", "LLAMA_",
    "TOKENIZERS_PARALLELISM", "PYTHONPATH",
}  # fmt: skip
"""For processes of engines and of training, whatever they were."""


def test_only_what_phi_reads_is_dropped() -> None:
    empty = ("HF_HOME", "HF_ENDPOINT", "PHI_MODEL", "XDG_CACHE_HOME", "http_proxy", "SSL_CERT_FILE", "OLLAMA_MODELS")
    variables = dict.fromkeys((*empty, "CUDA_VISIBLE_DEVICES", "EDITOR"), "") | {"HF_TOKEN": "x", "HTTPS_PROXY": "y"}
    drop_empty(variables)
    assert variables == {"CUDA_VISIBLE_DEVICES": "", "EDITOR": "", "HF_TOKEN": "x", "HTTPS_PROXY": "y"}


def test_every_variable_in_the_source_is_known() -> None:
    """A name in capitals next to ``environ`` is one that ``phi`` reads."""
    source = Path(phicli.__file__).parent
    lines = [
        line
        for path in source.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if "environ" in line and not line.startswith("__all__")
    ]
    names = {name for line in lines for name in re.findall(r'"([A-Z][A-Z0-9_]{3,})"', line)}
    assert {"PHI_HOME", "HF_ENDPOINT"} <= names
    variables = dict.fromkeys(names - MEAN_SOMETHING - SET_BY_PHI, "")
    drop_empty(variables)
    assert variables == {}


def test_all_of_them_empty_is_as_none_of_them_set(phi: Phi, tmp_path: Path) -> None:
    names = (
        "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_DOWNLOAD_TIMEOUT",
        "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DISABLE_SYMLINKS", "XDG_CACHE_HOME", "OLLAMA_MODELS", "PHI_MODEL", "PHI_THREADS",
        "PHI_PROFILE", "HTTPS_PROXY", "http_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "OMP_WAIT_POLICY",
    )  # fmt: skip
    empty = dict.fromkeys(names, "") | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    expected = tmp_path / ".cache" / "huggingface" / "hub"
    assert phi("cache", "dir", **empty).out == f"{expected}\n"
    assert phi("chat", "tiny-phi", "What is the capital of France?", **empty).out == "The capital of France is Paris.\n"
    refused = phi("pull", "owner/repo:q4_k_m", **empty, HF_HUB_OFFLINE="1")
    assert refused.code == 4

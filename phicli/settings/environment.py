"""Variables that are set and empty count as not set.

Compose files write ``HF_HOME=${HF_HOME}``, which is an empty variable where nobody set it. The libraries below ``phi``
each have another opinion of those: a cache in the current folder, no certificates, an error.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

_FAMILIES: Final = ("PHI_", "HF_", "HUGGINGFACE_", "HUGGING_FACE_", "XDG_", "OLLAMA_", "SSL_CERT_")
_OTHERS: Final = frozenset((
    "HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "TRANSFORMERS_OFFLINE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
))  # fmt: skip


def drop_empty(environment: MutableMapping[str, str]) -> None:
    """Remove the empty variables that ``phi`` and the libraries below it read.

    Not those that mean something when empty, such as ``CUDA_VISIBLE_DEVICES``: no GPU at all.
    """
    for name in [name for name, value in environment.items() if not value]:
        if name.startswith(_FAMILIES) or name.upper() in _OTHERS:
            del environment[name]
